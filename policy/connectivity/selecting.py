"""Whom the selectors and ipBlocks of policies select, of the pods of a population.

Whom one surely and possibly selects differs where labels are not known, such as ``pod-template-hash``, and where a
plugin may decide, such as an ipBlock that holds the pod network. Each distinct selector is answered once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

from policy.connectivity.addresses import EVERY_ADDRESS, AddressSet, has_all, has_some, united
from policy.connectivity.bits import are_few, bits_of
from policy.connectivity.population import Population
from policy.connectivity.selections import (
    NAMESPACE_NAME,
    Selection,
    is_exactly,
    key_of,
    matches,
    private_ranges,
    selection,
)
from policy.manifests.resources import Namespace
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


class Selecting:
    """What selectors select of a population; ``namespaces`` are those that the overlay lists."""

    def __init__(self, population: Population, namespaces: Iterable[Namespace]) -> None:
        self._population, self._listed = population, tuple(namespaces)
        self.everybody = Selection(None, (population.everyone, population.everyone), population.every_address)
        """Who is admitted by a rule that names no peers."""
        self._of_namespaces: dict[object, Selection] = {}
        self._of_pods: dict[object, Selection] = {}
        self._of_policies: dict[tuple[str, object], Selection] = {}
        self._of_peers: dict[tuple[object, object], Selection] = {}
        self._by_label: dict[str, dict[str, dict[str, Selection]]] = {}
        self._unions: dict[tuple[int, ...], Selection] = {}
        self._of_addresses: dict[AddressSet, Selection] = {}
        names = population.by_namespace
        self._named: frozenset[str] = frozenset() if "" in names else frozenset(names)
        """The namespaces that a name means and no other; none where a manifest leaves open which one it is for."""

    def union(self, parts: Sequence[Selection]) -> Selection:
        """Who is in some of the selections."""
        numbers: list[int] = []
        for part in parts:
            if part.numbers is None or part.addresses:
                break
            numbers += part.numbers
        else:
            if are_few(len(numbers)):
                return Selection(numbers, None, (), parts)
        key = tuple(map(id, parts))
        found = self._unions.get(key)
        if found is None:
            found = self._unions[key] = _union(parts)
        return found

    # namespaces

    @cached_property
    def _namespace_labels(self) -> Mapping[str, tuple[Mapping[str, str], bool]]:
        """The labels of each namespace, and whether those are all."""
        stated = {item.name: item.resource.labels for item in self._listed}
        found: dict[str, tuple[Mapping[str, str], bool]] = {}
        for name in self._population.by_namespace:
            labels: dict[str, str] = {}
            for item in self._population.outside:
                if item.namespace == name:
                    labels.update(item.namespace_labels)
            labels.update((key, value) for key, value in stated.get(name, {}).items() if isinstance(value, str))
            if name:
                labels[NAMESPACE_NAME] = name
            found[name] = labels, name in stated or self._population.profile.exact_labels
        return found

    def _in_namespaces(self, selector: LabelSelector) -> Selection:
        key = key_of(selector)
        found = self._of_namespaces.get(key)
        if found is None:
            population = self._population
            surely = possibly = 0
            declared = self._namespaces_declared_by(selector)
            for name, bits in population.by_namespace.items():
                labels, is_known = self._namespace_labels[name]
                if declared and name not in declared and name not in population.namespaces_in_git:
                    continue
                may, must = matches(selector, labels, is_known=is_known)
                possibly |= bits if may else 0
                surely |= bits if must else 0
            if population.stranger is not None and not declared:
                may, must = self._strange_namespace(selector)
                possibly |= may << population.stranger
                surely |= must << population.stranger
            found = selection(surely & population.pods, possibly & population.pods)
            self._of_namespaces[key] = found
        return found

    def _strange_namespace(self, selector: LabelSelector) -> tuple[bool, bool]:
        """Whether a namespace of which nothing is known may be, or must be, selected."""
        name = (selector.match_labels or {}).get(NAMESPACE_NAME)
        named: list[tuple[str, ...]] = [() if name is None else (name,)]
        for each in selector.match_expressions or ():
            if each.key == NAMESPACE_NAME and each.operator == "DoesNotExist":
                return False, False
            if each.key == NAMESPACE_NAME and each.operator == "In":
                named.append(tuple(each.values or ()))
        known = self._population.by_namespace
        may = all(any(one not in known for one in names) for names in named if names)
        return may, selector.is_empty

    # pods

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
    def _labelled(self) -> tuple[dict[Pair, int], dict[str, int]]:
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

    def _namespaces_declared_by(self, selector: LabelSelector) -> frozenset[str]:
        """The namespaces outside that are declared with labels which a selector asks for: only they have them all."""
        labels = _asked_for(selector)
        return frozenset(
            item.namespace
            for item in self._population.outside
            if item.namespace and item.namespace_labels and item.namespace_labels.items() <= labels.items()
        )

    def _declared_by(self, selector: LabelSelector) -> int:
        """The undeclared pods of namespaces in which whoever has the labels of a selector is declared outside."""
        labels = _asked_for(selector)
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

    def labelled(self, selector: LabelSelector | None) -> Selection:
        """The pods of all namespaces that a selector selects; None selects every pod."""
        pods = self._population.pods
        key = None if selector is None or selector.is_empty else key_of(selector)
        found = self._of_pods.get(key)
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
            found = self._of_pods[key] = selection(surely, possibly)
        return found

    def _one_of(self, key: str, values: Sequence[str]) -> tuple[int, int]:
        """Who surely, and who possibly, has one of the values."""
        by_pair, by_key = self._labelled
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
            surely = self._labelled[1].get(key, 0) | self._by_controller.get(key, 0)
            possibly = surely | self._unlabelled
        else:
            return 0, 0
        if operator in ("NotIn", "DoesNotExist"):
            return pods & ~possibly, pods & ~surely
        return surely, possibly

    def subjects(self, namespace: str, selector: LabelSelector | None) -> Selection:
        """The pods of a namespace that a policy's podSelector selects."""
        found = self.simple(namespace, selector, None)
        if found is not None:
            return found
        key = (namespace, None if selector is None or selector.is_empty else key_of(selector))
        found = self._of_policies.get(key)
        if found is None:
            found = self._of_policies[key] = self._within(namespace, selector)
        return found

    def _with_key(self, namespace: str, key: str) -> dict[str, Selection]:
        """By value: the pods of a namespace that have a label with it; empty where labels do not decide."""
        namespace = namespace or self._population.profile.default_namespace
        if namespace not in self._known or (key in _ADDED and not self._population.profile.exact_labels):
            return {}
        by_value = self._numbers.get(namespace, {}).get(key, {})
        return {value: _of_numbers(numbers) for value, numbers in by_value.items()}

    def _within(self, namespace: str, selector: LabelSelector | None) -> Selection:
        found = self._asked(namespace or self._population.profile.default_namespace, selector) if selector else None
        if found is not None:
            return found
        inside = self._population.in_namespace(namespace)
        found = self.labelled(selector)
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

    def simple(self, namespace: str, pods: LabelSelector | None, namespaces: LabelSelector | None) -> Selection | None:
        """What ``peers`` would say, if both select by a single label; it costs least."""
        if namespaces is not None:
            labels = namespaces.match_labels
            if not labels or len(labels) > 1 or namespaces.match_expressions:
                return None
            namespace = labels.get(NAMESPACE_NAME, "")
            if namespace not in self._named:
                return None
        if pods is None or pods.match_expressions:
            return None
        labels = pods.match_labels
        if not labels or len(labels) > 1:
            return None
        by_key = self._by_label.get(namespace)
        if by_key is None:
            by_key = self._by_label[namespace] = {}
        [(key, value)] = labels.items()
        by_value = by_key.get(key)
        if by_value is None:
            by_value = by_key[key] = self._with_key(namespace, key)
        found = by_value.get(value)
        if found is None:
            found = by_value[value] = self._within(namespace, pods)
        return found

    def peers(self, namespace: str, pods: LabelSelector | None, namespaces: LabelSelector | None) -> Selection:
        """Whom a peer of a policy in ``namespace`` admits by labels."""
        if namespaces is None:
            return self.subjects(namespace, pods)
        name = is_exactly(namespaces)
        if name and name in self._named:
            return self.subjects(name, pods)
        key = (None if pods is None or pods.is_empty else key_of(pods), key_of(namespaces))
        found = self._of_peers.get(key)
        if found is None:
            inside = self._in_namespaces(namespaces)
            everywhere = self.labelled(pods)
            surely, possibly = everywhere.surely & inside.surely, everywhere.possibly & inside.possibly
            found = self._of_peers[key] = selection(surely, possibly)
        return found

    def addresses(self, addresses: AddressSet) -> Selection:
        """Whom ipBlocks admit: addresses, hosts on nodes in them, and possibly pods if they hold their network."""
        found = self._of_addresses.get(addresses)
        if found is None:
            population, surely, possibly = self._population, 0, 0
            if population.host and has_some(addresses, population.node_ranges or EVERY_ADDRESS):
                possibly = population.host
                surely = possibly if population.node_ranges and has_all(addresses, population.node_ranges) else 0
            if population.profile.blocks_match_pods and has_some(addresses, self._pod_ranges):
                possibly |= population.pods
            found = selection(surely, possibly, addresses) if possibly else Selection((), None, addresses)
            self._of_addresses[addresses] = found
        return found

    @cached_property
    def _pod_ranges(self) -> AddressSet:
        """Where pods are, as declared, or else probably."""
        return self._population.pod_ranges or private_ranges()


def _asked_for(selector: LabelSelector) -> Mapping[str, str]:
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


def _union(parts: Sequence[Selection]) -> Selection:
    numbers: list[int] = []
    addresses: list[AddressSet] = []
    is_told = True
    for part in parts:
        if part.numbers is None:
            is_told = False
        else:
            numbers += part.numbers
        if part.addresses:
            addresses.append(part.addresses)
    merge = addresses[0] if len(addresses) == 1 else united(addresses)
    if is_told and are_few(len(numbers)):
        return Selection(numbers, None, merge, parts)
    surely = possibly = bits_of(numbers)
    for part in parts:
        if part.numbers is None:
            surely |= part.surely
            possibly |= part.possibly
    return Selection(None, (surely, surely if surely == possibly else possibly), merge, parts)
