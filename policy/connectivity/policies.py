"""NetworkPolicies, compiled: each rule as who it admits on which ports, over the numbers of a population.

Semantics: the API reference of ``networking.k8s.io/v1`` NetworkPolicy, its validation in the API server, KEP-2079
(endPort). What the API server would refuse admits nobody and is a ``Problem``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import chain
from typing import Any, Literal, NamedTuple

import msgspec

from policy.connectivity.addresses import AddressSet, joined, without
from policy.connectivity.population import OwnPorts, Population, PortName
from policy.connectivity.ports import (
    DNS_PORTS,
    FIRST_PORT,
    LAST_PORT,
    PortRange,
    PortSet,
    PortTable,
    intersection,
    port_set,
)
from policy.connectivity.selecting import Selecting
from policy.connectivity.selections import NOBODY, Selection, key_of
from policy.connectivity.validity import EMPTY_PEER, Ranges, Refusal, parts_of_block, ports_refusal, selector_refusal
from policy.findings import Field, FieldPath
from policy.manifests.resources import (
    NetworkPolicy,
    NetworkPolicyEgressRule,
    NetworkPolicyIngressRule,
    NetworkPolicyPeer,
    NetworkPolicyPort,
)
from policy.manifests.selectors import LabelSelector

Direction = Literal["ingress", "egress"]
DIRECTIONS: tuple[Direction, Direction] = ("egress", "ingress")
TYPES: Mapping[Direction, str] = {"egress": "Egress", "ingress": "Ingress"}
_TYPES = frozenset(TYPES.values())
PEERS: Mapping[Direction, str] = {"egress": "to", "ingress": "from"}


class Problem(msgspec.Struct, frozen=True):
    """Something in a policy that the API server would refuse."""

    at: Field
    message: str
    fix: str


class Ports(NamedTuple):
    """Ports, by their number in the port table, of those destinations only (of everyone, for numeric ports)."""

    number: int
    destinations: int


class RulePorts:
    """The ports of a rule; equal ones are the same object.

    ``numeric`` is the number of the port set that holds for every destination, ``names`` are ports by name, which
    differ from destination to destination.
    """

    def __init__(self, numeric: int, names: tuple[PortName, ...], population: Population, table: PortTable) -> None:
        self.numeric, self.names = numeric, names
        self._at: dict[int, int] | None = {} if names else None
        self._population, self._table = population, table

    def at(self, own: OwnPorts) -> int:
        """The number of the port set at a destination with these ports of its own."""
        if self._at is None:
            return self.numeric
        found = self._at.get(id(own))  # its population keeps it, so that no other has its identity
        if found is None:
            found = self.numeric
            for name in self.names:
                for port in own.get(name, ()):
                    found = self._table.union(found, self._table.single(name[0], port))
            self._at[id(own)] = found
        return found

    @cached_property
    def resolved(self) -> tuple[Ports, ...]:
        """Each port set and the destinations that it holds for, names resolved for all of them."""
        numeric = [Ports(self.numeric, self._population.everyone)] if self.numeric else []
        return (*numeric, *(one for protocol, name in self.names for one in self._named(protocol, name)))

    @cached_property
    def for_dns(self) -> PortSet:
        """Which of them are for DNS; a port named like CoreDNS names its own is, whatever its number."""
        known = [each for ports, _ in self.resolved for each in intersection(DNS_PORTS, self._table.sets[ports])]
        named = [PortRange(protocol, 53, 53) for protocol, name in self.names if name in ("dns", "dns-tcp")]
        return intersection(DNS_PORTS, port_set((*known, *named)))

    def _named(self, protocol: str, name: str) -> Iterator[Ports]:
        for number, destinations in self._population.named_ports.get((protocol, name), {}).items():
            yield Ports(self._table.number((PortRange(protocol, number, number),)), destinations)


class CompiledRule(msgspec.Struct, frozen=True, eq=False, gc=False):
    """One rule of a policy: whom it admits (all peers together), and on which ports."""

    policy: NetworkPolicy
    direction: Direction
    position: int
    peers: Selection
    ports: RulePorts

    @property
    def at(self) -> Field:
        return self.policy.field("spec", self.direction, self.position)

    @property
    def raw(self) -> NetworkPolicyIngressRule | NetworkPolicyEgressRule:
        """The rule as written."""
        spec = self.policy.spec
        rules: Sequence[NetworkPolicyIngressRule | NetworkPolicyEgressRule] | None = spec.ingress
        if self.direction == "egress":
            rules = spec.egress
        return (rules or ())[self.position]


class CompiledPolicy(msgspec.Struct, frozen=True, eq=False, gc=False):
    """A policy: its subjects, and for each direction that it has, its rules."""

    policy: NetworkPolicy
    subjects: Selection
    rules: Mapping[Direction, tuple[CompiledRule, ...]]


_CLOSED: Mapping[Direction, tuple[CompiledRule, ...]] = {"ingress": (), "egress": ()}
"""The rules of each policy that denies all: one object for many."""


class Compiler:
    """Compiles policies over a population; equal selectors, ipBlocks and ports are worked out once."""

    def __init__(self, population: Population, selecting: Selecting, table: PortTable) -> None:
        self._population, self._selecting, self._table = population, selecting, table
        self._every_port = RulePorts(PortTable.ALL, (), population, table)
        self._ports: dict[tuple[NetworkPolicyPort, ...], RulePorts] = {}
        self._peers: dict[object, Selection | Refusal] = {}
        self._ranges = Ranges()
        self.problems: list[Problem] = []

    def policy(self, policy: NetworkPolicy) -> CompiledPolicy:
        spec, namespace = policy.spec, policy.resource.ref.namespace
        types = spec.policy_types
        stated: dict[Direction, tuple[CompiledRule, ...]] = {}
        if "Ingress" in types if types else True:
            stated["ingress"] = self._rules(policy, namespace, "ingress", spec.ingress) if spec.ingress else ()
        if "Egress" in types if types else bool(spec.egress):
            stated["egress"] = self._rules(policy, namespace, "egress", spec.egress) if spec.egress else ()
        rules = _CLOSED if stated == _CLOSED else stated
        if types and not _TYPES.issuperset(types):
            self._types(policy, types)
        selector = spec.pod_selector
        if selector is not None and selector.match_expressions and (refusal := selector_refusal(selector)):
            self._problem(policy, ("podSelector",), refusal)
            return CompiledPolicy(policy, NOBODY, rules)
        return CompiledPolicy(policy, self._selecting.subjects(namespace, selector), rules)

    def _types(self, policy: NetworkPolicy, types: Sequence[str]) -> None:
        for position, kind in enumerate(types):
            if kind not in _TYPES:
                refusal = Refusal(f"{kind} is neither Ingress nor Egress", "write Ingress, Egress, or both")
                self._problem(policy, ("policyTypes", position), refusal)

    def _problem(self, policy: NetworkPolicy, path: FieldPath, refusal: Refusal) -> None:
        at = policy.field("spec", *path, *refusal.path)
        self.problems.append(Problem(at, refusal.message, refusal.fix))

    def _rules(
        self, policy: NetworkPolicy, namespace: str, direction: Direction, rules: Sequence[Any]
    ) -> tuple[CompiledRule, ...]:
        simple = self._selecting.simple
        compiled: list[CompiledRule] = []
        for rule in rules:
            position = len(compiled)
            parts: list[Selection] = []
            blocks: list[AddressSet] = []
            for number, peer in enumerate(rule.peers or ()):
                if peer.ip_block is None:
                    selection = simple(namespace, peer.pod_selector, peer.namespace_selector)
                    parts.append(selection or self._peer(policy, direction, position, number, peer))
                else:
                    blocks += self._block(policy, direction, position, number, peer)
            if blocks:
                parts.append(self._selecting.addresses(joined(blocks)))
            if len(parts) == 1:
                peers = parts[0]
            else:
                peers = self._selecting.union(parts) if rule.peers else self._selecting.everybody
            ports = self._ports.get(rule.ports) if rule.ports else self._every_port
            if ports is None:
                ports = self._ports_of(policy, direction, position, rule.ports)
            compiled.append(CompiledRule(policy, direction, position, peers, ports))
        return tuple(compiled)

    def _peer(
        self, policy: NetworkPolicy, direction: Direction, position: int, number: int, peer: NetworkPolicyPeer
    ) -> Selection:
        selection = self.peer(policy, peer)
        if isinstance(selection, Refusal):
            self._problem(policy, (direction, position, PEERS[direction], number), selection)
            return NOBODY
        return selection

    def _block(
        self, policy: NetworkPolicy, direction: Direction, position: int, number: int, peer: NetworkPolicyPeer
    ) -> Sequence[AddressSet]:
        """The ranges of an ipBlock: those of a rule are put together before anything is asked of them."""
        found = parts_of_block(peer, self._ranges)
        if isinstance(found, Refusal):
            self._problem(policy, (direction, position, PEERS[direction], number), found)
            return ()
        return without(*found) if found[1] else found[:1]

    def peer(self, policy: NetworkPolicy, peer: NetworkPolicyPeer) -> Selection | Refusal:
        """Whom a single peer of a policy admits, or why the API server refuses it."""
        pods, namespaces = peer.pod_selector, peer.namespace_selector
        if peer.ip_block is not None:
            block = parts_of_block(peer, self._ranges)
            return block if isinstance(block, Refusal) else self._selecting.addresses(tuple(chain(*without(*block))))
        if pods is None and namespaces is None:
            return EMPTY_PEER
        key = (
            policy.namespace if namespaces is None else None,
            None if pods is None else key_of(pods),
            None if namespaces is None else key_of(namespaces),
        )
        found = self._peers.get(key)
        if found is None:
            refusal = _refusal(pods, namespaces)
            found = self._peers[key] = refusal or self._selecting.peers(policy.namespace, pods, namespaces)
        return found

    def _ports_of(
        self, policy: NetworkPolicy, direction: Direction, position: int, ports: tuple[NetworkPolicyPort, ...]
    ) -> RulePorts:
        numeric: list[PortRange] = []
        names: list[PortName] = []
        is_wrong = False
        for number, port in enumerate(ports):
            refusal = ports_refusal(port)
            if refusal is not None:
                is_wrong = True
                self._problem(policy, (direction, position, "ports", number), refusal)
            elif isinstance(port.port, str):
                names.append((port.protocol or "TCP", port.port))
            else:
                first = port.port or FIRST_PORT
                last = port.end_port or port.port or LAST_PORT
                numeric.append(PortRange(port.protocol or "TCP", first, last))
        number = self._table.number(port_set(numeric))
        found = RulePorts(number, tuple(names), self._population, self._table)
        if not is_wrong:
            self._ports[ports] = found
        return found


def _refusal(pods: LabelSelector | None, namespaces: LabelSelector | None) -> Refusal | None:
    for key, selector in (("podSelector", pods), ("namespaceSelector", namespaces)):
        refusal = selector_refusal(selector)
        if refusal is not None:
            return refusal._replace(path=(key, *refusal.path))
    return None
