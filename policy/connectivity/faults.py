"""Mistakes in policies that explain by themselves why something is open or broken, so that each is told once.

What breaks a flow of the contract, or leaks, because of such a mistake is told where the mistake is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import msgspec
from msgspec.structs import replace

from policy.connectivity.bits import members
from policy.connectivity.dns import missing_dns
from policy.connectivity.endpoints import Endpoint
from policy.connectivity.policies import (
    DIRECTIONS,
    PEERS,
    CompiledPolicy,
    CompiledRule,
    Direction,
    Problem,
    ports_problem,
)
from policy.connectivity.ports import NO_PORTS, PortSet
from policy.connectivity.selections import NAMESPACE_NAME, NOBODY
from policy.findings import Field, FieldPath, ObjectRef
from policy.manifests.index import Index
from policy.manifests.names import nearest
from policy.manifests.pod_spec import ContainerPort
from policy.manifests.ports import declared_ports, target_port
from policy.manifests.resources import (
    NetworkPolicyPeer,
    NetworkPolicyPort,
    Service,
)
from policy.manifests.selectors import LabelSelector
from policy.manifests.workloads import Workload

if TYPE_CHECKING:
    from policy.connectivity.contract import Broken, Leak, Proof
    from policy.connectivity.isolation import Isolation

RuleKey = tuple[int, Direction, int]
"""A rule by its policy's identity, direction and position."""


def key_of(rule: CompiledRule) -> RuleKey:
    return id(rule.policy), rule.direction, rule.position


class DeadPolicy(msgspec.Struct, frozen=True):
    """A policy whose podSelector selects no pod.

    ``elsewhere`` are workloads of other namespaces that it would select, ``on_host`` those that it selects in vain.
    """

    policy: CompiledPolicy
    elsewhere: tuple[Workload, ...]
    on_host: tuple[Workload, ...]


class DeadPeer(msgspec.Struct, frozen=True):
    """A peer that admits nobody who is known.

    ``together_with`` is the index of the peer beside it that, taken with it as one, admits somebody; ``breaks`` says
    that a flow of the contract does not work because of it, or something leaks; ``opens`` that it lets in whoever is
    made outside of Git as it asks for.
    """

    rule: CompiledRule
    number: int
    peer: NetworkPolicyPeer
    namespace: str | None
    """The namespace that it looks into, if that is a single one; ``is_unknown`` if nothing says who is in it."""
    is_unknown: bool
    together_with: int | None
    breaks: bool = False
    opens: bool = False

    @property
    def at(self) -> Field:
        return self.rule.at[PEERS[self.rule.direction]][self.number]


class UnservedPort(msgspec.Struct, frozen=True):
    """A port of a rule that none of its destinations has; ``service`` is one in front of them that has it."""

    rule: CompiledRule
    number: int
    port: NetworkPolicyPort
    destinations: tuple[Workload, ...]
    service: Service | None
    target: int | None
    """Where that Service leads to, on the first destination."""

    @property
    def at(self) -> Field:
        return self.rule.at["ports"][self.number]["port"]


class DnsGap(msgspec.Struct, frozen=True):
    """A workload that may reach others by name, but resolves none: ``missing`` of UDP 53 and TCP 53."""

    workload: Workload
    policy: CompiledPolicy
    missing: PortSet


class Needless(msgspec.Struct, frozen=True):
    """A rule that no flow needs; or, where ends are given, one that would allow what no flow states."""

    rule: CompiledRule
    source: Endpoint | None = None
    destination: Endpoint | None = None
    ports: PortSet = NO_PORTS


class Faults:
    """The mistakes in one overlay's policies."""

    def __init__(self, isolation: Isolation) -> None:
        self._isolation = isolation
        self._connectivity = isolation.connectivity
        self._population = isolation.connectivity.population
        self._index: Index = isolation.index
        self._ports: dict[int, tuple[tuple[Workload, ...], frozenset[ContainerPort]]] = {}

    @cached_property
    def dead_policies(self) -> tuple[DeadPolicy, ...]:
        found = []
        for policy in self._connectivity.policies:
            selector = policy.policy.spec.pod_selector
            if policy.subjects.possibly or selector is None or selector.is_empty or policy.subjects is NOBODY:
                continue
            others = members(self._population.labelled(selector).surely & ((1 << self._population.in_git) - 1))
            workloads = tuple(item for number in others if (item := self._population.endpoint(number).workload))
            in_namespace = self._index.workloads_in(policy.policy.namespace)
            on_host = tuple(
                item for item in in_namespace if item.pod.host_network and selector.matches(item.pod_labels)
            )
            found.append(DeadPolicy(policy, workloads, on_host))
        return tuple(found)

    def near(self, dead: DeadPolicy | DeadPeer) -> str:
        """``; did you mean app=web?``, where the pods that it looks among have nearly such a label."""
        namespace: str | None
        if isinstance(dead, DeadPeer):
            selector, namespace = dead.peer.pod_selector, dead.namespace
        else:
            selector, namespace = dead.policy.policy.spec.pod_selector, dead.policy.policy.namespace
        labels = self._labels(namespace)
        for key, value in (selector.match_labels or {}).items() if selector else ():
            known = labels.get(key)
            if known is None:
                hint = nearest(key, sorted(labels))
            elif value not in known:
                hint = nearest(f"{key}={value}", sorted(f"{key}={each}" for each in known))
            else:
                continue
            return hint
        return ""

    def _labels(self, namespace: str | None) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for number in range(self._population.first_address):
            item = self._population.endpoint(number)
            if namespace is None or item.namespace == namespace:
                for key, value in item.labels.items():
                    found.setdefault(key, set()).add(value)
        return found

    def problems(self, part: Literal["selectors", "peers", "ports"]) -> Iterator[Problem]:
        """What the API server would refuse in one part of policies."""
        for problem in self._connectivity.problems:
            path = problem.at.path
            where = "ports" if "ports" in path else "peers" if "from" in path or "to" in path else "selectors"
            if where == part:
                yield problem

    # peers

    @cached_property
    def dead_peers(self) -> tuple[DeadPeer, ...]:
        found = [dead for rule in self._rules() for dead in self._dead_peers(rule)]
        proof = self._isolation.proof
        if proof is None:
            return tuple(found)
        leaking = {key_of(leak.by) for leak in proof.leaks if leak.by}
        return tuple(self._judged(dead, is_leaking=key_of(dead.rule) in leaking) for dead in found)

    def _judged(self, dead: DeadPeer, *, is_leaking: bool) -> DeadPeer:
        selection = self._connectivity.compiler.peer(dead.rule.policy, dead.peer)
        opens = is_leaking and not isinstance(selection, str) and bool(selection.possibly)
        leaks = opens or (is_leaking and dead.together_with is not None)
        return replace(dead, breaks=leaks or self._breaks(dead), opens=opens)

    def _rules(self) -> Iterator[CompiledRule]:
        """The rules of policies that select somebody: one that selects nobody is told as a whole."""
        for policy in self._connectivity.policies:
            if policy.subjects.possibly:
                for direction in DIRECTIONS:
                    yield from policy.rules.get(direction, ())

    def _dead_peers(self, rule: CompiledRule) -> Iterator[DeadPeer]:
        peers = rule.raw.peers or ()
        if len(peers) == 1 and self._known(rule.peers.possibly):
            return
        for number, peer in enumerate(peers):
            if peer.ip_block is not None:
                continue
            selection = self._connectivity.compiler.peer(rule.policy, peer)
            if isinstance(selection, str) or self._known(selection.possibly):
                continue
            names: tuple[str, ...] | None = (rule.policy.namespace,)
            if peer.namespace_selector is not None:
                names = _pinned(peer.namespace_selector)
            unknown = [name for name in names or () if not self._is_known(name)]
            if names is None or (unknown and self._isolation.topology is None):
                continue
            yield DeadPeer(
                rule,
                number,
                peer,
                names[0] if len(names) == 1 else None,
                bool(unknown),
                self._together_with(rule, peers, number),
            )

    def _known(self, bits: int) -> int:
        """The ends of a set that something declares, and undeclared pods beside workloads."""
        return bits & ~self._population.unknown_outside

    def _is_known(self, namespace: str) -> bool:
        return namespace in self._population.by_namespace

    def _together_with(self, rule: CompiledRule, peers: Sequence[NetworkPolicyPeer], number: int) -> int | None:
        pods = peers[number].pod_selector
        if pods is None or peers[number].namespace_selector is not None:
            return None
        for other, peer in enumerate(peers):
            if peer.namespace_selector is not None and peer.pod_selector is None:
                both = self._population.peers(rule.policy.namespace, pods, peer.namespace_selector)
                if self._known(both.possibly):
                    return other
        return None

    def _breaks(self, dead: DeadPeer) -> bool:
        proof = self._isolation.proof
        return any(
            direction == dead.rule.direction and self._is_subject(dead.rule, broken) and self._has(dead.rule, ports)
            for broken in (proof.broken if proof else ())
            for direction, ports in broken.sides.items()
        )

    def _is_subject(self, rule: CompiledRule, broken: Broken) -> bool:
        number = self._population.number_of.get(broken.end(rule.direction).key)
        return number is not None and any(
            policy.policy is rule.policy for policy in self._connectivity.sides[rule.direction].policies(number)
        )

    def _has(self, rule: CompiledRule, wanted: PortSet) -> bool:
        table = self._connectivity.table
        return any(table.intersection(ports, table.number(wanted)) for ports, _ in rule.ports)

    # ports

    @cached_property
    def unserved_ports(self) -> tuple[UnservedPort, ...]:
        return tuple(found for rule in self._rules() for found in self._unserved(rule))

    def _unserved(self, rule: CompiledRule) -> Iterator[UnservedPort]:
        ports = rule.raw.ports or ()
        if not any(port.port is not None for port in ports):
            return
        bits = rule.peers.possibly
        if rule.direction == "ingress":
            bits = self._subjects[id(rule.policy)]
        workloads, served = self._served(bits)
        if not workloads:
            return
        for number, port in enumerate(ports):
            if port.port is None or ports_problem(port) or _serves(served, port):
                continue
            service, target = self._service_with(workloads, port)
            yield UnservedPort(rule, number, port, workloads, service, target)

    @cached_property
    def _subjects(self) -> dict[int, int]:
        return {id(policy.policy): policy.subjects.possibly for policy in self._connectivity.policies}

    def _served(self, bits: int) -> tuple[tuple[Workload, ...], frozenset[ContainerPort]]:
        """The workloads and their ports, where they are all that is meant and each says which it has; else none."""
        found = self._ports.get(bits)
        if found is None:
            population = self._population
            in_git = (1 << population.in_git) - 1
            workloads: tuple[Workload, ...] = ()
            if not bits & ~in_git & ~population.unlisted_beside_workloads:
                reached = (population.endpoint(number).workload for number in members(bits & in_git))
                workloads = tuple(item for item in reached if item is not None)
            ports = [declared_ports(item) for item in workloads]
            found = (workloads, frozenset(each for some in ports for each in some)) if all(ports) else ((), frozenset())
            self._ports[bits] = found
        return found

    def _service_with(
        self, workloads: Sequence[Workload], port: NetworkPolicyPort
    ) -> tuple[Service | None, int | None]:
        for workload in workloads:
            for service in self._index.services_of(workload):
                for each in service.spec.ports or ():
                    if each.transport == (port.protocol or "TCP") and port.port in (each.port, each.name):
                        declared = target_port(workload, each.target, each.transport)
                        if declared is not None:
                            return service, declared.container_port
        return None, None

    # names

    @cached_property
    def dns_gaps(self) -> tuple[DnsGap, ...]:
        found = []
        egress = self._connectivity.sides["egress"]
        for number in members(egress.ruled & ((1 << self._population.in_git) - 1)):
            missing = missing_dns(self._connectivity, number)
            workload = self._population.endpoint(number).workload
            if missing and workload is not None and self._asks_for_names(number):
                found.append(DnsGap(workload, egress.policies(number)[0], missing))
        return tuple(found)

    def _asks_for_names(self, number: int) -> bool:
        """Whether it may reach pods, which are found by the name of their Service, or more addresses than one."""
        population = self._population
        reached = 0
        for others in self._connectivity.sides["egress"].surely(number).values():
            reached |= others
        if reached & ~population.addresses & ~population.dns & ~(1 << number):
            return True
        addresses = self._connectivity.addresses_of(reached).addresses if reached & population.addresses else ()
        return any(interval.first != interval.last for interval in addresses)

    # rules without a purpose

    @cached_property
    def needless(self) -> tuple[Needless, ...]:
        """Rules that no flow needs (of two that allow the same, the later), and rules that allow more than flows state.

        Those in which something else is told already are left out, and those of policies in which a rule is missing.
        """
        proof = self._isolation.proof
        if proof is None:
            return ()
        leaking = [rule for leak in proof.leaks for rule in (leak.by, leak.through) if rule]
        told = self.rules | {key_of(rule) for rule in leaking}
        unneeded = {key_of(leak.by) for leak in proof.leaks if leak.by}  # to be narrowed, so no reason to drop another
        known = ((1 << self._population.in_git) - 1) & ~proof.stated.unknown_bits
        found: list[Needless] = []
        refused = self._refused["peers"] | self._refused["ports"]
        judged = [
            rule
            for rule in self._rules()
            if key_of(rule) not in told
            and (rule.at.object, rule.at.path) not in refused
            and not self._is_undecided(rule)
        ]
        for rule in reversed(judged):
            ends = list(members(self._subjects[id(rule.policy)] & known))
            if not ends or any(
                self._is_subject(rule, broken) for broken in self.broken if rule.direction in broken.sides
            ):
                continue
            if not any(self._is_needed(rule, end, unneeded, proof) for end in ends):
                unneeded.add(key_of(rule))
                if not any(self._is_astray(rule, broken) for broken in self.broken):
                    found.append(Needless(rule))
            else:
                found.extend(self._excessive(rule, ends, proof))
        return tuple(reversed(found))

    def astray(self, broken: Broken, direction: Direction) -> CompiledRule | None:
        """A rule that would let a broken connection through and that no flow needs: its policy selects others."""
        proof = self._isolation.proof
        for rule in self._rules():
            if proof and rule.direction == direction and self._is_astray(rule, broken):
                ends = members(self._subjects[id(rule.policy)])
                if not any(self._is_needed(rule, end, frozenset(), proof) for end in ends):
                    return rule
        return None

    def _is_astray(self, rule: CompiledRule, broken: Broken) -> bool:
        """Whether a rule would let a broken connection through, did its policy select the end, which none opens."""
        end, ports = broken.end(rule.direction), broken.sides.get(rule.direction)
        if ports is None or end.namespace != rule.policy.namespace:
            return False
        own = self._connectivity.sides[rule.direction].policies(self._population.number_of[end.key])
        if any(not policy.policy.spec.selects_every_pod for policy in own):
            return False
        other = broken.destination if rule.direction == "egress" else broken.source
        return bool(rule.raw.peers and rule.peers.possibly & self._connectivity.bits(other)) and self._has(rule, ports)

    def _is_undecided(self, rule: CompiledRule) -> bool:
        """Whether a rule is for a workload that the contract does not know, of which that is told."""
        proof = self._isolation.proof
        return bool(proof and rule.raw.peers and rule.peers.possibly & proof.stated.unknown_bits)

    def _is_needed(self, rule: CompiledRule, end: int, unneeded: Set[RuleKey], proof: Proof) -> bool:
        """Whether a flow of an end would break without a rule (and those that nobody needs)."""
        wanted = proof.required(rule.direction, end)
        needed = {ports: bits & rule.peers.possibly for ports, bits in wanted.items() if bits & rule.peers.possibly}
        if not needed:
            return False
        others = [
            other
            for policy in self._connectivity.sides[rule.direction].policies(end)
            for other in policy.rules[rule.direction]
            if other is not rule and key_of(other) not in unneeded
        ]
        without = proof.lacking(needed, others, end)
        return without != proof.lacking(needed, [*others, rule], end)

    def _excessive(self, rule: CompiledRule, ends: Sequence[int], proof: Proof) -> Iterator[Needless]:
        """The first connection that a rule allows, no flow states, and the other end stops."""
        side = self._connectivity.sides[rule.direction]
        for end in ends:
            excess = proof.excess(side, end, side.of_rules([rule], end, 0))
            for ports, others in excess.items():
                for other in members(others):
                    pair = (end, other) if rule.direction == "egress" else (other, end)
                    allowed = self._connectivity.number_between(*pair, is_certain=False)
                    if not self._connectivity.table.intersection(allowed, ports):
                        source, destination = map(self._population.endpoint, pair)
                        yield Needless(rule, source, destination, self._connectivity.table.sets[ports])
                        return

    # what they explain

    @cached_property
    def rules(self) -> frozenset[RuleKey]:
        """The rules in which such a mistake is told."""
        dead = (key_of(each.rule) for each in self.dead_peers)
        unserved = (key_of(each.rule) for each in self.unserved_ports)
        return frozenset((*dead, *unserved))

    @cached_property
    def leaks(self) -> tuple[Leak, ...]:
        """The leaks of the proof that no such mistake explains."""
        proof = self._isolation.proof
        told = {key_of(each.rule) for each in self.unserved_ports}
        told |= {key_of(each.rule) for each in self.dead_peers if each.together_with is not None}
        opened = {(each.at.object, each.at.path) for each in self.dead_peers if each.opens}
        return tuple(
            leak
            for leak in (proof.leaks if proof else ())
            if leak.by is None or not (key_of(leak.by) in told or self._passes(leak, opened))
        )

    def _passes(self, leak: Leak, peers: Set[tuple[ObjectRef, FieldPath]]) -> bool:
        """Whether one of some peers lets the other end of a leak through."""
        proof = self._isolation.proof
        peer = proof.peer_of(leak) if proof and peers else None
        return peer is not None and (peer[0].object, peer[0].path) in peers

    @cached_property
    def broken(self) -> tuple[Broken, ...]:
        """What is broken for no such reason; of a connection that both sides refuse, the unexplained side."""
        proof = self._isolation.proof
        found = []
        for broken in proof.broken if proof else ():
            sides = {
                direction: ports
                for direction, ports in broken.sides.items()
                if not self._is_explained(broken, direction, ports)
            }
            if sides:
                found.append(replace(broken, sides=sides))
        return tuple(found)

    def _is_explained(self, broken: Broken, direction: Direction, ports: PortSet) -> bool:
        end = broken.end(direction)
        number = self._population.number_of.get(end.key)
        other = broken.destination if direction == "egress" else broken.source
        others = self._connectivity.bits(other)
        if direction == "egress" and end.workload in self._without_dns and others & self._population.dns:
            return True
        if any(
            dead.rule.direction == direction and self._is_subject(dead.rule, broken) and self._has(dead.rule, ports)
            for dead in self.dead_peers
        ):
            return True
        if any(
            each.rule.direction == direction
            and self._is_subject(each.rule, broken)
            and each.rule.peers.possibly & others
            for each in self.unserved_ports
        ):
            return True
        if number is not None and self._is_refused(direction, number, others):
            return True
        return number is not None and any(
            self._would_admit(dead, direction, end.workload, others, ports) for dead in self.dead_policies
        )

    def _is_refused(self, direction: Direction, number: int, others: int) -> bool:
        """Whether a rule for an end holds what the API server would refuse: its ports for some ends, or its peers."""
        return any(
            (rule.at.object, rule.at.path) in self._refused["peers"]
            or ((rule.at.object, rule.at.path) in self._refused["ports"] and rule.peers.possibly & others)
            for policy in self._connectivity.sides[direction].policies(number)
            for rule in policy.rules[direction]
        )

    @cached_property
    def _refused(self) -> Mapping[str, frozenset[tuple[ObjectRef, FieldPath]]]:
        parts: tuple[Literal["peers", "ports"], ...] = ("peers", "ports")
        return {part: frozenset((each.at.object, each.at.path[:3]) for each in self.problems(part)) for part in parts}

    @cached_property
    def _without_dns(self) -> Sequence[Workload]:
        return [gap.workload for gap in self.dns_gaps]

    def _would_admit(
        self, dead: DeadPolicy, direction: Direction, end: Workload | None, others: int, ports: PortSet
    ) -> bool:
        if any(item is end for item in dead.elsewhere):
            return direction in dead.policy.rules
        if end is None or end.namespace != dead.policy.policy.namespace:
            return False
        return any(
            rule.peers.possibly & others and self._has(rule, ports) for rule in dead.policy.rules.get(direction, ())
        )


def _pinned(selector: LabelSelector) -> tuple[str, ...] | None:
    """The namespaces that a namespaceSelector asks for by name; None where it asks for something else."""
    name = (selector.match_labels or {}).get(NAMESPACE_NAME)
    if name is not None:
        return (name,)
    for requirement in selector.match_expressions or ():
        if requirement.key == NAMESPACE_NAME and requirement.operator == "In":
            return requirement.values or ()
    return None


def _serves(served: frozenset[ContainerPort], port: NetworkPolicyPort) -> bool:
    for each in served:
        if each.transport != (port.protocol or "TCP"):
            continue
        if isinstance(port.port, str):
            if each.name == port.port:
                return True
        elif port.port is not None and port.port <= each.container_port <= (port.end_port or port.port):
            return True
    return False
