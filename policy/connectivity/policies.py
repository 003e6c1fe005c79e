"""NetworkPolicies, compiled: each rule as who it admits on which ports, over the numbers of a population.

Semantics: the API reference of ``networking.k8s.io/v1`` NetworkPolicy, its validation in the API server, KEP-2079
(endPort). What the API server would refuse admits nobody and is a ``Problem``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import msgspec

from policy.connectivity.addresses import interval_of, merged
from policy.connectivity.population import Population
from policy.connectivity.ports import FIRST_PORT, LAST_PORT, PROTOCOLS, PortRange, PortTable, port_set
from policy.connectivity.selections import NOBODY, Block, Selection
from policy.findings import Field
from policy.manifests.ports import port_problem
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
PEERS: Mapping[Direction, str] = {"egress": "to", "ingress": "from"}


class Problem(msgspec.Struct, frozen=True):
    """Something in a policy that the API server would refuse."""

    at: Field
    message: str


class Ports(NamedTuple):
    """Ports, by their number in the port table, of those destinations only (of everyone, for numeric ports)."""

    number: int
    destinations: int


PortName = tuple[str, str]
"""Protocol and name of a port."""


class CompiledRule(NamedTuple):
    """One rule of a policy: whom it admits (all peers together), and on which ports."""

    policy: NetworkPolicy
    direction: Direction
    position: int
    peers: Selection
    ports: tuple[Ports, ...]
    numeric: int
    """The number of the port set that holds for every destination."""
    names: tuple[PortName, ...]
    """Ports by name, which differ from destination to destination; ``ports`` has them resolved for all of these."""

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


class _Resolved(NamedTuple):
    """The last three fields of a ``CompiledRule``."""

    ports: tuple[Ports, ...]
    numeric: int
    names: tuple[PortName, ...]


class CompiledPolicy(NamedTuple):
    """A policy: its subjects, and for each direction that it has, its rules."""

    policy: NetworkPolicy
    subjects: Selection
    rules: Mapping[Direction, tuple[CompiledRule, ...]]


def blocks_of(policies: Sequence[NetworkPolicy]) -> Iterator[Block]:
    """Every valid ipBlock of the policies."""
    for policy in policies:
        for direction in DIRECTIONS:
            for rule in getattr(policy.spec, direction) or ():
                for peer in rule.peers or ():
                    if peer.ip_block is not None:
                        block = block_of(peer.ip_block)
                        if isinstance(block, Block):
                            yield block


def block_of(raw: Mapping[str, Any]) -> Block | str:
    """An ipBlock as written, or why the API server refuses it."""
    cidr, excepted = raw.get("cidr"), raw.get("except") or []
    if not cidr:
        return "an ipBlock has a cidr"
    return _block(str(cidr), tuple(map(str, excepted if isinstance(excepted, list) else [excepted])))


@lru_cache(maxsize=1 << 16)
def _block(cidr: str, excepted: tuple[str, ...]) -> Block | str:
    try:
        whole = interval_of(cidr)
    except ValueError:
        return f"{cidr!r} is no CIDR like 10.0.0.0/8"
    if not excepted:
        return Block(whole)
    parts = []
    for item in excepted:
        try:
            part = interval_of(item)
        except ValueError:
            return f"{item!r} is no CIDR like 10.0.0.0/8"
        if not (whole.first <= part.first and part.last <= whole.last) or part == whole:
            return f"except {item} is no part of {cidr}"
        parts.append(part)
    return Block(whole, merged(parts))


class Compiler:
    """Compiles policies over a population; equal ports are resolved once."""

    def __init__(self, population: Population, table: PortTable) -> None:
        self._population, self._table = population, table
        self._ports: dict[tuple[NetworkPolicyPort, ...], _Resolved] = {}
        self.problems: list[Problem] = []

    def policy(self, policy: NetworkPolicy) -> CompiledPolicy:
        spec = policy.spec
        types = spec.policy_types
        rules: dict[Direction, tuple[CompiledRule, ...]] = {}
        if "Ingress" in types if types else True:
            rules["ingress"] = self._rules(policy, "ingress", spec.ingress or ())
        if "Egress" in types if types else bool(spec.egress):
            rules["egress"] = self._rules(policy, "egress", spec.egress or ())
        for position, kind in enumerate(types or ()):
            if kind not in ("Ingress", "Egress"):
                self._problem(policy.field("spec", "policyTypes", position), f"{kind} is neither Ingress nor Egress")
        if not is_valid(spec.pod_selector):
            self._problem(policy.field("spec", "podSelector"), _selector_problem(spec.pod_selector))
            return CompiledPolicy(policy, NOBODY, rules)
        return CompiledPolicy(policy, self._population.subjects(policy.namespace, spec.pod_selector), rules)

    def _problem(self, at: Field, message: str) -> None:
        self.problems.append(Problem(at, message))

    def _rules(self, policy: NetworkPolicy, direction: Direction, rules: Sequence[Any]) -> tuple[CompiledRule, ...]:
        everyone = self._population.everyone
        compiled: list[CompiledRule] = []
        for position, rule in enumerate(rules):
            peers = rule.peers
            if not peers:
                selection = Selection(everyone, everyone)
            elif len(peers) == 1:
                selection = self._peer(policy, direction, position, 0, peers[0])
            else:
                surely = possibly = 0
                for number, peer in enumerate(peers):
                    one = self._peer(policy, direction, position, number, peer)
                    surely |= one.surely
                    possibly |= one.possibly
                selection = Selection(surely, possibly)
            compiled.append(
                CompiledRule(
                    policy, direction, position, selection, *self._ports_of(policy, direction, position, rule.ports)
                )
            )
        return tuple(compiled)

    def _peer(
        self, policy: NetworkPolicy, direction: Direction, position: int, number: int, peer: NetworkPolicyPeer
    ) -> Selection:
        selection = self.peer(policy, peer)
        if isinstance(selection, str):
            self._problem(policy.field("spec", direction, position, PEERS[direction], number), selection)
            return NOBODY
        return selection

    def peer(self, policy: NetworkPolicy, peer: NetworkPolicyPeer) -> Selection | str:
        """Whom a single peer of a policy admits, or why the API server refuses it."""
        pods, namespaces, block = peer.pod_selector, peer.namespace_selector, peer.ip_block
        if block is not None:
            if pods is not None or namespaces is not None:
                return "an ipBlock stands alone: this peer has a selector too"
            read = block_of(block)
            return read if isinstance(read, str) else self._population.block(read)
        if pods is None and namespaces is None:
            return "an empty peer admits nobody: the API server refuses it"
        for selector in (pods, namespaces):
            if selector is not None and selector.match_expressions and (problem := _selector_problem(selector)):
                return problem
        return self._population.peers(policy.namespace, pods, namespaces)

    def _ports_of(
        self,
        policy: NetworkPolicy,
        direction: Direction,
        position: int,
        ports: tuple[NetworkPolicyPort, ...] | None,
    ) -> _Resolved:
        if not ports:
            return _Resolved((Ports(PortTable.ALL, self._population.everyone),), PortTable.ALL, ())
        found = self._ports.get(ports)
        if found is None:
            numeric: list[PortRange] = []
            resolved: list[Ports] = []
            names: list[PortName] = []
            is_wrong = False
            for number, port in enumerate(ports):
                problem = ports_problem(port)
                if problem is not None:
                    is_wrong = True
                    self._problem(policy.field("spec", direction, position, "ports", number), problem)
                elif isinstance(port.port, str):
                    names.append((port.protocol or "TCP", port.port))
                    resolved.extend(self._named(port.protocol or "TCP", port.port))
                else:
                    first = port.port or FIRST_PORT
                    last = port.end_port or port.port or LAST_PORT
                    numeric.append(PortRange(port.protocol or "TCP", first, last))
            everywhere = self._table.number(port_set(numeric))
            if numeric:
                resolved.insert(0, Ports(everywhere, self._population.everyone))
            found = _Resolved(tuple(resolved), everywhere, tuple(names))
            if not is_wrong:
                self._ports[ports] = found
        return found

    def _named(self, protocol: str, name: str) -> Iterator[Ports]:
        for number, destinations in self._population.named_ports.get((protocol, name), {}).items():
            yield Ports(self._table.number((PortRange(protocol, number, number),)), destinations)


def ports_problem(port: NetworkPolicyPort) -> str | None:
    """Why the API server refuses a port of a rule."""
    protocol = port.protocol or "TCP"
    if protocol not in PROTOCOLS:
        return f"{protocol} is no protocol: there are {', '.join(PROTOCOLS)}"
    if port.port is not None:
        problem = port_problem(port.port)
        if problem is not None:
            return f"port {port.port}: {problem}"
    if port.end_port is not None:
        if not isinstance(port.port, int):
            return "endPort needs a port that is a number"
        if not port.port <= port.end_port <= LAST_PORT:
            return f"endPort {port.end_port} is not from {port.port} to {LAST_PORT}"
    return None


def is_valid(selector: LabelSelector | None) -> bool:
    """Whether the API server accepts a selector's expressions."""
    return selector is None or not selector.match_expressions or not _selector_problem(selector)


def _selector_problem(selector: LabelSelector | None) -> str:
    for each in (selector.match_expressions or ()) if selector else ():
        if each.operator not in ("In", "NotIn", "Exists", "DoesNotExist"):
            return f"{each.operator} is no operator: there are In, NotIn, Exists and DoesNotExist"
        if each.operator in ("In", "NotIn") and not each.values:
            return f"{each.key} {each.operator} needs values"
        if each.operator in ("Exists", "DoesNotExist") and each.values:
            return f"{each.key} {each.operator} takes no values"
    return ""
