"""Policies and peers that name nobody: by a typo, in the wrong namespace, or torn in two."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from policy.connectivity.bits import members
from policy.connectivity.matrix import Connectivity
from policy.connectivity.mistakes import DeadPeer, DeadPolicy
from policy.connectivity.policies import CompiledRule
from policy.connectivity.selections import NOBODY, Selection, pinned
from policy.connectivity.validity import Refusal
from policy.manifests.names import nearest
from policy.manifests.resources import NetworkPolicyPeer

if TYPE_CHECKING:
    from policy.connectivity.isolation import Isolation


def dead_policies(isolation: Isolation) -> Iterator[DeadPolicy]:
    """The policies whose podSelector selects no pod, neither here nor in what is deployed beside it."""
    connectivity = isolation.connectivity
    population, index = connectivity.population, connectivity.index
    for policy in connectivity.policies:
        if policy.subjects.may_be_anybody or policy.subjects is NOBODY:
            continue
        selector = policy.policy.spec.pod_selector
        if selector is None or selector.is_empty:
            continue
        if isolation.neighbours.have((policy.policy.namespace,), selector):
            continue
        others = members(connectivity.selecting.labelled.of(selector).surely & ((1 << population.in_git) - 1))
        on_host = tuple(
            item
            for item in index.workloads_in(policy.policy.namespace)
            if item.pod.host_network and selector.matches(item.pod_labels)
        )
        yield DeadPolicy(policy, tuple(map(population.workload, others)), on_host)


class DeadPeers:
    """Finds the peers that admit nobody who is known, neither here nor in what is deployed beside it."""

    def __init__(self, isolation: Isolation) -> None:
        self._isolation = isolation
        self._connectivity, self._population = isolation.connectivity, isolation.connectivity.population
        self._has_contract = isolation.topology is not None  # so that whoever is meant can be declared
        self._are_known: dict[int, bool] = {}
        self._without: set[int] = set()

    def of_rule(self, rule: CompiledRule) -> Iterator[DeadPeer]:
        """The dead peers of a rule; peers that are one object are looked at once, if none of them is dead."""
        if id(rule.peers) in self._without:
            return
        found = []
        if not all(map(self._is_known, rule.peers.parts or (rule.peers,))):
            found = list(self._find(rule))
        if not found and rule.peers is not NOBODY:
            self._without.add(id(rule.peers))
        yield from found

    def _find(self, rule: CompiledRule) -> Iterator[DeadPeer]:
        peers = rule.raw.peers or ()
        for number, peer in enumerate(peers):
            if peer.ip_block is not None:
                continue
            selection = self._connectivity.compiler.peer(rule.policy, peer)
            if isinstance(selection, Refusal) or self._known(selection.possibly):
                continue
            names: tuple[str, ...] | None = (rule.policy.namespace,)
            if peer.namespace_selector is not None:
                names = pinned(peer.namespace_selector)
            unknown = [name for name in names or () if name not in self._population.by_namespace]
            if names is None or (unknown and not self._has_contract):
                continue
            if self._isolation.neighbours.have(names, peer.pod_selector):
                continue
            together_with = self._together_with(rule, peers, number)
            yield DeadPeer(rule, number, peer, names[0] if len(names) == 1 else None, bool(unknown), together_with)

    def _is_known(self, selection: Selection) -> bool:
        found = self._are_known.get(id(selection))
        if found is None:
            found = self._are_known[id(selection)] = bool(self._known(selection.possibly))
        return found

    def _known(self, bits: int) -> int:
        """The ends of a set that something declares, and undeclared pods beside workloads."""
        return bits & ~self._population.unknown_outside

    def _together_with(self, rule: CompiledRule, peers: Sequence[NetworkPolicyPeer], number: int) -> int | None:
        pods = peers[number].pod_selector
        if pods is None or peers[number].namespace_selector is not None:
            return None
        for other, peer in enumerate(peers):
            if peer.namespace_selector is not None and peer.pod_selector is None:
                both = self._connectivity.selecting.peers(rule.policy.namespace, pods, peer.namespace_selector)
                if self._known(both.possibly):
                    return other
        return None


def near(dead: DeadPolicy | DeadPeer, connectivity: Connectivity) -> str:
    """``; did you mean app=web?``, where the pods that it looks among have nearly such a label."""
    namespace: str | None
    if isinstance(dead, DeadPeer):
        selector, namespace = dead.peer.pod_selector, dead.namespace
    else:
        selector, namespace = dead.policy.policy.spec.pod_selector, dead.policy.policy.namespace
    labels = connectivity.population.labels_in(namespace)
    for key, value in (selector.match_labels or {}).items() if selector else ():
        known = labels.get(key)
        if known is None:
            return nearest(key, sorted(labels))
        if value not in known:
            return nearest(f"{key}={value}", sorted(f"{key}={each}" for each in known))
    return ""
