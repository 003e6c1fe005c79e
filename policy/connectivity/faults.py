"""Mistakes in policies that explain by themselves why something is open or broken, so that each is told once.

What breaks a flow of the contract, or leaks, because of such a mistake is told where the mistake is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from msgspec.structs import replace

from policy.connectivity.addresses import common, size, union
from policy.connectivity.bits import members
from policy.connectivity.dead import DeadPeers, dead_policies, near
from policy.connectivity.dns import dns_ends, missing_dns, misspelled_peer
from policy.connectivity.dns_names import misspelled_dns
from policy.connectivity.mistakes import DeadPeer, DeadPolicy, DnsGap, Needless, RuleKey, UnservedPort, key_of
from policy.connectivity.policies import DIRECTIONS, CompiledRule, Direction, Problem, RulePorts
from policy.connectivity.ports import PortSet
from policy.connectivity.selections import Ends
from policy.connectivity.served import UnservedPorts
from policy.connectivity.validity import Refusal
from policy.findings import FieldPath, ObjectRef
from policy.manifests.resources import NetworkPolicy

if TYPE_CHECKING:
    from policy.connectivity.contract import Broken
    from policy.connectivity.isolation import Isolation
    from policy.connectivity.leaks import Leak
    from policy.connectivity.purpose import Purpose

_PolicyKey = tuple[Direction, int]
"""A direction, and the identity of a policy."""


class Faults:
    """The mistakes in one overlay's policies."""

    def __init__(self, isolation: Isolation) -> None:
        self._isolation = isolation
        self._connectivity = isolation.connectivity
        self._population, self._table = self._connectivity.population, self._connectivity.table

    @cached_property
    def dead_policies(self) -> tuple[DeadPolicy, ...]:
        return tuple(dead_policies(self._isolation))

    def near(self, dead: DeadPolicy | DeadPeer) -> str:
        """``; did you mean app=web?``, where the pods that it looks among have nearly such a label."""
        return near(dead, self._connectivity)

    def problems(self, part: Literal["selectors", "peers", "ports"]) -> Iterator[Problem]:
        """What the API server would refuse in one part of policies."""
        for problem in self._connectivity.problems:
            path = problem.at.path
            where = "ports" if "ports" in path else "peers" if "from" in path or "to" in path else "selectors"
            if where == part:
                yield problem

    def muted(self, broken: Broken, direction: Direction) -> NetworkPolicy | None:
        """A policy of the end that has rules for the direction, but not the direction in its policyTypes."""
        number = self._connectivity.population.number_of[broken.end(direction).key]
        for compiled in self._connectivity.selecting_policies(number):
            if direction not in compiled.rules and getattr(compiled.policy.spec, direction):
                return compiled.policy
        return None

    @cached_property
    def muted_rules(self) -> tuple[tuple[NetworkPolicy, Direction], ...]:
        """Policies with rules for a direction that is not in their policyTypes, but for those of broken connections."""
        told = {
            (id(policy), direction)
            for broken in (self.broken if self._isolation.proof is not None else ())
            for direction in broken.sides
            if (policy := self.muted(broken, direction)) is not None
        }
        return tuple(
            (compiled.policy, direction)
            for compiled in self._connectivity.policies
            for direction in DIRECTIONS
            if direction not in compiled.rules
            and getattr(compiled.policy.spec, direction)
            and (id(compiled.policy), direction) not in told
        )

    @cached_property
    def dead_peers(self) -> tuple[DeadPeer, ...]:
        finder = DeadPeers(self._isolation)
        found = tuple(dead for rule in self._connectivity.rules for dead in finder.of_rule(rule))
        proof = self._isolation.proof
        if proof is None or not found:
            return found
        leaking = {key_of(leak.by) for leak in proof.leaks if leak.by}
        refused: dict[_PolicyKey, set[PortSet]] = {}
        for broken in proof.broken:
            for key in self.policies_of(broken):
                refused.setdefault(key, set()).add(broken.sides[key[0]])
        return tuple(self._judged(dead, key_of(dead.rule) in leaking, refused) for dead in found)

    def policies_of(self, broken: Broken) -> Iterator[_PolicyKey]:
        """The policies of the ends that refuse a broken connection."""
        for direction in broken.sides:
            number = self._population.number_of.get(broken.end(direction).key)
            if number is not None:
                for policy in self._connectivity.sides[direction].policies(number):
                    yield direction, id(policy.policy)

    def _judged(self, dead: DeadPeer, is_leaking: bool, refused: Mapping[_PolicyKey, Set[PortSet]]) -> DeadPeer:
        """``refused`` are the ports of broken connections by the policies of their ends."""
        selection = self._connectivity.compiler.peer(dead.rule.policy, dead.peer)
        opens = is_leaking and not isinstance(selection, Refusal) and bool(selection.possibly)
        leaks = opens or (is_leaking and dead.together_with is not None)
        lacking = refused.get((dead.rule.direction, id(dead.rule.policy)), ())
        breaks = any(self._has(dead.rule, ports) for ports in lacking)
        return replace(dead, breaks=leaks or breaks, opens=opens)

    def _has(self, rule: CompiledRule, wanted: PortSet) -> bool:
        return self._connectivity.has_ports(rule, self._table.number(wanted))

    @cached_property
    def unserved_ports(self) -> tuple[UnservedPort, ...]:
        finder = UnservedPorts(self._connectivity)
        return tuple(found for rule in self._connectivity.rules for found in finder.of_rule(rule))

    # names

    @cached_property
    def dns_gaps(self) -> tuple[DnsGap, ...]:
        """Where names cannot be resolved, but where a misspelt peer of a rule for DNS says why already."""
        found = []
        egress = self._connectivity.sides["egress"]
        known = dns_ends(self._connectivity)
        index = self._connectivity.index
        for_dns = [dead for dead in self.dead_peers if dead.breaks and dead.rule.ports.for_dns]
        told = {id(dead.rule.policy) for dead in for_dns if misspelled_dns(dead.peer, index)}
        for number in members(egress.ruled & ((1 << self._population.in_git) - 1)):
            missing = missing_dns(self._connectivity, number, known)
            if missing and self._asks_for_names(number):
                if any(id(policy.policy) in told for policy in egress.policies(number)):
                    continue
                workload, policy = self._population.workload(number), egress.policies(number)[0]
                found.append(DnsGap(workload, policy, missing, misspelled_peer(self._connectivity, number)))
        return tuple(found)

    def _asks_for_names(self, number: int) -> bool:
        """Whether it may reach pods, which are found by the name of their Service, or more addresses than one."""
        granted = self._connectivity.sides["egress"].surely(number)
        own = self._population.dns | 1 << number
        if any(others & ~own for others in granted.pods.values()):
            return True
        return any(size(addresses) > len(addresses) // 2 for addresses in granted.addresses.values())

    # rules without a purpose

    @cached_property
    def _purpose(self) -> Purpose | None:
        proof = self._isolation.proof
        if proof is None:
            return None
        from policy.connectivity.purpose import Purpose  # only a repository with a contract pays for it

        return Purpose(self, self._connectivity, proof)

    @property
    def needless(self) -> tuple[Needless, ...]:
        """Rules that no flow needs, and rules that allow more than flows state."""
        return self._purpose.needless if self._purpose else ()

    def astray(self, broken: Broken, direction: Direction) -> CompiledRule | None:
        """A rule that would let a broken connection through and that no flow needs: its policy selects others."""
        return self._purpose.astray(broken, direction) if self._purpose else None

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
        others = self._connectivity.ends(broken.other(direction))
        if direction == "egress" and id(end.workload) in self._without_dns and others.pods & self._population.dns:
            return True
        if number is None:
            return False
        for policy in self._connectivity.sides[direction].policies(number):
            key = direction, id(policy.policy)
            if any(self._has(rule, ports) for rule in self._with_dead_peers.get(key, ())):
                return True
            if any(rule.peers.may_be(others) for rule in self._with_unserved_ports.get(key, ())):
                return True
            if any(self._is_refused(rule, others) for rule in policy.rules[direction]):
                return True
        if (direction, id(end.workload)) in self._meant_elsewhere:
            return True
        dead = self._dead_rules.get((direction, end.namespace), {}) if end.workload else {}
        wanted = self._table.number(ports)
        return any(
            _meet(peers, others) and self._connectivity.has_any(rule_ports, wanted)
            for rule_ports, peers in dead.values()
        )

    @cached_property
    def _with_dead_peers(self) -> Mapping[_PolicyKey, Sequence[CompiledRule]]:
        found: dict[_PolicyKey, list[CompiledRule]] = {}
        for each in self.dead_peers:
            found.setdefault((each.rule.direction, id(each.rule.policy)), []).append(each.rule)
        return found

    @cached_property
    def _with_unserved_ports(self) -> Mapping[_PolicyKey, Sequence[CompiledRule]]:
        found: dict[_PolicyKey, list[CompiledRule]] = {}
        for each in self.unserved_ports:
            found.setdefault((each.rule.direction, id(each.rule.policy)), []).append(each.rule)
        return found

    def is_refused(self, rule: CompiledRule) -> bool:
        """Whether a rule holds what the API server would refuse."""
        return bool(self._refused) and (rule.at.object, rule.at.path) in self._refused

    def _is_refused(self, rule: CompiledRule, others: Ends) -> bool:
        """Whether a rule holds what the API server would refuse: its peers, or its ports for some ends."""
        parts = self._refused.get((rule.at.object, rule.at.path), ()) if self._refused else ()
        return "peers" in parts or ("ports" in parts and rule.peers.may_be(others))

    @cached_property
    def _refused(self) -> Mapping[tuple[ObjectRef, FieldPath], Set[str]]:
        parts: tuple[Literal["peers", "ports"], ...] = ("peers", "ports")
        found: dict[tuple[ObjectRef, FieldPath], set[str]] = {}
        for part in parts:
            for each in self.problems(part):
                found.setdefault((each.at.object, each.at.path[:3]), set()).add(part)
        return found

    @cached_property
    def _without_dns(self) -> frozenset[int]:
        return frozenset(id(gap.workload) for gap in self.dns_gaps)

    @cached_property
    def _meant_elsewhere(self) -> Set[tuple[Direction, int]]:
        """The workloads, by identity, that policies of other namespaces would select."""
        return {
            (direction, id(item))
            for dead in self.dead_policies
            for item in dead.elsewhere
            for direction in dead.policy.rules
        }

    @cached_property
    def _dead_rules(self) -> Mapping[tuple[Direction, str], Mapping[int, tuple[RulePorts, Ends]]]:
        """By namespace: the rules of policies that select nobody, as ports and all their peers together."""
        found: dict[tuple[Direction, str], dict[int, tuple[RulePorts, Ends]]] = {}
        for dead in self.dead_policies:
            for direction, rules in dead.policy.rules.items():
                by_ports = found.setdefault((direction, dead.policy.policy.namespace), {})
                for rule in rules:
                    _, known = by_ports.get(id(rule.ports), (rule.ports, Ends(0)))
                    peers = Ends(known.pods | rule.peers.possibly, union(known.addresses, rule.peers.addresses))
                    by_ports[id(rule.ports)] = rule.ports, peers
        return found


def _meet(some: Ends, others: Ends) -> bool:
    return bool(some.pods & others.pods) or bool(common(some.addresses, others.addresses))
