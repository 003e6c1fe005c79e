"""Whom the selectors and ipBlocks of policies select, of the pods of a population.

Whom one surely and possibly selects differs where labels are not known, such as ``pod-template-hash``, and where a
plugin may decide, such as an ipBlock that holds the pod network. Each distinct selector is answered once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

from policy.connectivity.addresses import EVERY_ADDRESS, AddressSet, has_all, has_some, united
from policy.connectivity.bits import are_few, bits_of
from policy.connectivity.labelled import Labelled, asked_for
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
from policy.manifests.selectors import LabelSelector


class Selecting:
    """What selectors select of a population; ``namespaces`` are those that the overlay lists."""

    def __init__(self, population: Population, namespaces: Iterable[Namespace]) -> None:
        self._population, self._listed = population, tuple(namespaces)
        self.labelled = Labelled(population)
        self.everybody = Selection(None, (population.everyone, population.everyone), population.every_address)
        """Who is admitted by a rule that names no peers."""
        self._of_namespaces: dict[object, Selection] = {}
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

    def _namespaces_declared_by(self, selector: LabelSelector) -> frozenset[str]:
        """The namespaces outside that are declared with labels which a selector asks for: only they have them all."""
        labels = asked_for(selector)
        return frozenset(
            item.namespace
            for item in self._population.outside
            if item.namespace and item.namespace_labels and item.namespace_labels.items() <= labels.items()
        )

    def subjects(self, namespace: str, selector: LabelSelector | None) -> Selection:
        """The pods of a namespace that a policy's podSelector selects."""
        found = self.simple(namespace, selector, None)
        if found is not None:
            return found
        key = (namespace, None if selector is None or selector.is_empty else key_of(selector))
        found = self._of_policies.get(key)
        if found is None:
            found = self._of_policies[key] = self.labelled.within(namespace, selector)
        return found

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
            by_value = by_key[key] = self.labelled.with_key(namespace, key)
        found = by_value.get(value)
        if found is None:
            found = by_value[value] = self.labelled.within(namespace, pods)
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
            everywhere = self.labelled.of(pods)
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
