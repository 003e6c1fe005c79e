"""Which pods of a population have the labels that selectors ask for.

Which surely and which possibly have them differs where labels are not known: those that controllers add, such as
``pod-template-hash``, and those of pods that nothing declares.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

from policy.connectivity.bits import are_few, bits_of
from policy.connectivity.population import Population
from policy.connectivity.selections import Selection, key_of, selection
from policy.manifests.selectors import LabelSelector, LabelSelectorRequirement

_BY_CONTROLLER: Mapping[str, tuple[str, ...]] = {
    "Deployment": ("pod-template-hash",),
    "ReplicaSet": (),
    "DaemonSet": ("controller-revision-hash", "pod-template-generation"),
    "StatefulSet": ("controller-revision-hash", "statefulset.kubernetes.io/pod-name", "apps.kubernetes.io/pod-index"),
    "Job": ("controller-uid", "batch.kubernetes.io/controller-uid"),
    "CronJob": ("controller-uid", "batch.kubernetes.io/controller-uid", "job-name", "batch.kubernetes.io/job-name"),
    "DeploymentConfig": ("deployment", "deploymentconfig"),
}
"""Labels that a controller adds to every pod that it makes, with values that no manifest states."""

_ADDED = frozenset(key for keys in _BY_CONTROLLER.values() for key in keys)

Pair = tuple[str, str]
"""Key and value of a label."""


class Labelled:
    """Which pods have labels; each distinct selector is answered once."""

    def __init__(self, population: Population) -> None:
        self._population = population
        self._answered: dict[object, Selection] = {}

    @cached_property
    def _numbers(self) -> Mapping[str, Mapping[str, Mapping[str, list[int]]]]:
        """By namespace, key and value of a label: the numbers of the pods that have it."""
        population = self._population
        found: dict[str, dict[str, dict[str, list[int]]]] = {}
        for number, namespace in enumerate(population.namespaces[: population.first_unlisted]):
            if population.host and population.host >> number & 1:
                continue
            by_key = found.get(namespace)
            if by_key is None:
                by_key = found[namespace] = {}
            for key, value in population.labels_of(number).items():
                by_value = by_key.get(key)
                if by_value is None:
                    by_key[key] = {value: [number]}
                elif value in by_value:
                    by_value[value].append(number)
                else:
                    by_value[value] = [number]
        return found

    @cached_property
    def _having(self) -> tuple[dict[Pair, int], dict[str, int]]:
        """Who has a label, in whatever namespace: by key and value, and by key."""
        pairs: dict[Pair, list[int]] = {}
        keys: dict[str, list[int]] = {}
        for by_key in self._numbers.values():
            for key, by_value in by_key.items():
                for value, numbers in by_value.items():
                    pairs.setdefault((key, value), []).extend(numbers)
                    keys.setdefault(key, []).extend(numbers)
        return (
            {pair: bits_of(numbers) for pair, numbers in pairs.items()},
            {key: bits_of(numbers) for key, numbers in keys.items()},
        )

    @cached_property
    def _unlabelled(self) -> int:
        """Those that may have more labels than stated: the stranger, and pods of namespaces without workloads."""
        population = self._population
        if population.profile.exact_labels:
            return 0
        declared = bits_of(range(population.in_git, population.first_unlisted))
        return declared | (population.undeclared & ~population.unlisted_beside_workloads)

    @cached_property
    def _known(self) -> frozenset[str]:
        """The namespaces of which all pods have the labels that are stated, but for what controllers add."""
        population = self._population
        declared = population.namespaces[population.in_git : population.first_unlisted]
        return population.namespaces_in_git.difference(() if population.profile.exact_labels else declared)

    def _declared_by(self, selector: LabelSelector) -> int:
        """The undeclared pods of namespaces in which whoever has the labels of a selector is declared outside."""
        labels = asked_for(selector)
        found = 0
        for item in self._population.outside:
            if item.labels and item.labels.items() <= labels.items():
                found |= self._population.unlisted_in(item.namespace)
        return found

    @cached_property
    def _by_controller(self) -> Mapping[str, int]:
        """Who has a label for certain, but of an unknown value."""
        population = self._population
        found: dict[str, list[int]] = {}
        if not population.profile.exact_labels:
            for number in range(population.in_git):
                for key in _BY_CONTROLLER.get(population.workload(number).kind, ()):
                    found.setdefault(key, []).append(number)
        return {key: bits_of(numbers) & population.pods for key, numbers in found.items()}

    def of(self, selector: LabelSelector | None) -> Selection:
        """The pods of all namespaces that a selector selects; None selects every pod."""
        pods = self._population.pods
        key = None if selector is None or selector.is_empty else key_of(selector)
        found = self._answered.get(key)
        if found is None:
            surely = possibly = pods
            if selector is not None:
                for label, value in (selector.match_labels or {}).items():
                    must, may = self._one_of(label, (value,))
                    surely, possibly = surely & must, possibly & may
                for requirement in selector.match_expressions or ():
                    must, may = self._required(requirement)
                    surely, possibly = surely & must, possibly & may
                if key is not None:
                    possibly &= ~self._declared_by(selector)
            found = self._answered[key] = selection(surely, possibly)
        return found

    def _one_of(self, key: str, values: Sequence[str]) -> tuple[int, int]:
        """Who surely, and who possibly, has one of the values."""
        by_pair, by_key = self._having
        unknown = self._by_controller.get(key, 0)
        has = 0
        for value in values:
            has |= by_pair.get((key, value), 0)
        return has & ~unknown, has | unknown | (self._unlabelled & ~by_key.get(key, 0))

    def _required(self, requirement: LabelSelectorRequirement) -> tuple[int, int]:
        key, operator, pods = requirement.key, requirement.operator, self._population.pods
        if operator in ("In", "NotIn"):
            surely, possibly = self._one_of(key, requirement.values or ())
        elif operator in ("Exists", "DoesNotExist"):
            surely = self._having[1].get(key, 0) | self._by_controller.get(key, 0)
            possibly = surely | self._unlabelled
        else:
            return 0, 0
        if operator in ("NotIn", "DoesNotExist"):
            return pods & ~possibly, pods & ~surely
        return surely, possibly

    def with_key(self, namespace: str, key: str) -> dict[str, Selection]:
        """By value: the pods of a namespace that have a label with it; empty where labels do not decide."""
        namespace = namespace or self._population.profile.default_namespace
        if namespace not in self._known or (key in _ADDED and not self._population.profile.exact_labels):
            return {}
        by_value = self._numbers.get(namespace, {}).get(key, {})
        return {value: _of_numbers(numbers) for value, numbers in by_value.items()}

    def within(self, namespace: str, selector: LabelSelector | None) -> Selection:
        """The pods of a namespace that a selector selects; None selects every pod of it."""
        found = self._asked(namespace or self._population.profile.default_namespace, selector) if selector else None
        if found is not None:
            return found
        inside = self._population.in_namespace(namespace)
        found = self.of(selector)
        return selection(found.surely & inside, found.possibly & inside)

    def _asked(self, namespace: str, selector: LabelSelector) -> Selection | None:
        """By asking those pods that have the rarest of the labels; None where labels do not decide.

        Pods that nothing declares have none of the labels in such a namespace.
        """
        if namespace not in self._known:
            return None
        numbers = self._numbers.get(namespace, {})
        labels, expressions = selector.match_labels or {}, selector.match_expressions or ()
        keys = (*labels, *(each.key for each in expressions))
        if not self._population.profile.exact_labels and not _ADDED.isdisjoint(keys):
            return None
        having: list[Sequence[int]] = [numbers.get(key, {}).get(value, ()) for key, value in labels.items()]
        for each in expressions:
            if each.operator == "In" and each.values:
                by_value = numbers.get(each.key, {})
                having.append([number for value in each.values for number in by_value.get(value, ())])
        if not having:
            return None
        labels_of = self._population.labels_of
        found = [number for number in {*min(having, key=len)} if selector.matches(labels_of(number))]
        return _of_numbers(found)


def asked_for(selector: LabelSelector) -> Mapping[str, str]:
    """The labels that whoever is selected has with a value that the selector says."""
    labels = dict(selector.match_labels or {})
    for each in selector.match_expressions or ():
        if each.operator == "In" and len(each.values or ()) == 1:
            labels.setdefault(each.key, (each.values or ("",))[0])
    return labels


def _of_numbers(numbers: Sequence[int]) -> Selection:
    if are_few(len(numbers)):
        return Selection(numbers)
    bits = bits_of(numbers)
    return Selection(None, (bits, bits))
