"""Rules without a purpose, and rules that would serve, did their policy select the right pods."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from functools import cached_property
from typing import TYPE_CHECKING

from policy.connectivity.addresses import NO_ADDRESSES, AddressSet, common, union
from policy.connectivity.bits import members
from policy.connectivity.contract import Broken, Proof
from policy.connectivity.differences import beyond
from policy.connectivity.matrix import Connectivity
from policy.connectivity.mistakes import Needless, RuleKey, key_of
from policy.connectivity.policies import CompiledRule, Direction
from policy.connectivity.ports import PortSet
from policy.connectivity.selections import Ends
from policy.connectivity.sides import Grants

if TYPE_CHECKING:
    from policy.connectivity.faults import Faults


class Purpose:
    """What the rules of an overlay are for, by its contract."""

    def __init__(self, faults: Faults, connectivity: Connectivity, proof: Proof) -> None:
        self._faults, self._connectivity, self._proof = faults, connectivity, proof
        self._population, self._table = connectivity.population, connectivity.table
        self._known = ((1 << self._population.in_git) - 1) & ~proof.stated.unknown_bits
        self._astray: dict[tuple[str, Direction], list[CompiledRule]] = {}

    @cached_property
    def needless(self) -> tuple[Needless, ...]:
        """Rules that no flow needs (of two that allow the same, the later), and rules that allow more than flows state.

        Those in which something else is told already are left out, and those of policies in which a rule is missing.
        """
        leaks = self._proof.leaks
        told = self._faults.rules | {key_of(rule) for leak in leaks for rule in (leak.by, leak.through) if rule}
        unneeded = {key_of(leak.by) for leak in leaks if leak.by}  # to be narrowed, so no reason to drop another
        found: list[Needless] = []
        for rule in reversed(self._connectivity.rules):
            key = key_of(rule)
            if key in told or self._faults.is_refused(rule) or self._is_undecided(rule):
                continue
            ends = tuple(members(self._connectivity.subjects_of(rule).possibly & self._known))
            if not ends or (rule.direction, id(rule.policy)) in self._lacking_a_rule:
                continue
            if not any(self._is_needed(rule, end, unneeded) for end in ends):
                unneeded.add(key)
                if not self._is_astray(rule):
                    found.append(Needless(rule))
            else:
                found.extend(self._excessive(rule, ends))
        return tuple(reversed(found))

    def astray(self, broken: Broken, direction: Direction) -> CompiledRule | None:
        """A rule that would let a broken connection through and that no flow needs: its policy selects others."""
        if not self._is_without_policy(broken, direction):
            return None
        others, ports = self._connectivity.ends(broken.other(direction)), self._table.number(broken.sides[direction])
        for rule in self._needed_by_nobody(broken.end(direction).namespace, direction):
            if rule.peers.may_be(others) and self._connectivity.has_ports(rule, ports):
                return rule
        return None

    def _needed_by_nobody(self, namespace: str, direction: Direction) -> Sequence[CompiledRule]:
        found = self._astray.get((namespace, direction))
        if found is None:
            found = self._astray[namespace, direction] = [
                rule
                for rule in self._connectivity.rules
                if rule.direction == direction
                and rule.policy.namespace == namespace
                and rule.raw.peers
                and not any(
                    self._is_needed(rule, end, frozenset())
                    for end in members(self._connectivity.subjects_of(rule).possibly)
                )
            ]
        return found

    @cached_property
    def _lacking_a_rule(self) -> Set[tuple[Direction, int]]:
        """The policies, by direction and identity, of ends whose connections are broken."""
        return {key for broken in self._faults.broken for key in self._faults.policies_of(broken)}

    @cached_property
    def _closed(self) -> Mapping[tuple[str, Direction], Mapping[PortSet, Ends]]:
        """By namespace: the broken connections of ends that no policy opens, as ports and the other ends."""
        found: dict[tuple[str, Direction], dict[PortSet, Ends]] = {}
        for broken in self._faults.broken:
            for direction, ports in broken.sides.items():
                if self._is_without_policy(broken, direction):
                    by_ports = found.setdefault((broken.end(direction).namespace, direction), {})
                    known = by_ports.get(ports, Ends(0))
                    others = self._connectivity.ends(broken.other(direction))
                    by_ports[ports] = Ends(known.pods | others.pods, union(known.addresses, others.addresses))
        return found

    def _is_without_policy(self, broken: Broken, direction: Direction) -> bool:
        """Whether no policy opens an end, but for those of all pods of its namespace."""
        number = self._population.number_of.get(broken.end(direction).key)
        return number is not None and all(
            policy.policy.spec.selects_every_pod for policy in self._connectivity.sides[direction].policies(number)
        )

    def _is_astray(self, rule: CompiledRule) -> bool:
        """Whether a rule would let a broken connection through, did its policy select the end, which none opens."""
        closed = self._closed.get((rule.policy.namespace, rule.direction), {})
        return bool(closed and rule.raw.peers) and any(
            rule.peers.may_be(others) and self._connectivity.has_ports(rule, self._table.number(ports))
            for ports, others in closed.items()
        )

    def _is_undecided(self, rule: CompiledRule) -> bool:
        """Whether a rule is for a workload that the contract does not know, of which that is told."""
        return bool(rule.peers.possibly & self._proof.stated.unknown_bits and rule.raw.peers)

    def _is_needed(self, rule: CompiledRule, end: int, unneeded: Set[RuleKey]) -> bool:
        """Whether a flow of an end would break without a rule (and those that nobody needs)."""
        wanted = _within(self._proof.required(rule.direction, end), rule)
        itself = self._of_itself(rule, end)
        if not wanted and not itself:
            return False
        others = [
            other
            for other in self._connectivity.sides[rule.direction].rules(end)
            if other is not rule and key_of(other) not in unneeded
        ]
        if itself:
            side = self._connectivity.sides[rule.direction]
            known, more = (side.of_rules(each, end, 0).on(end, self._table) for each in (others, [*others, rule]))
            if self._table.difference(self._table.intersection(more, itself), known):
                return True
        without = self._proof.lacking(wanted, others, end)
        return bool(beyond(without, self._proof.lacking(wanted, [*others, rule], end), self._table, 1 << end))

    def _of_itself(self, rule: CompiledRule, end: int) -> int:
        """The port set on which the pods of an end talk to each other, if a rule may let them."""
        found = 0
        if rule.peers.possibly >> end & 1:
            for ports, _ in self._proof.stated.itself.get(end, ()):
                found = self._table.union(found, ports)
        return found

    def _excessive(self, rule: CompiledRule, ends: Sequence[int]) -> Iterator[Needless]:
        """The first connection that a rule allows, no flow states, and the other end stops; addresses stop none."""
        side = self._connectivity.sides[rule.direction]
        for end in ends:
            excess = self._proof.excess(side, end, side.of_rules([rule], end, 0))
            for ports, others in excess.pods.items():
                for other in members(others):
                    pair = (end, other) if rule.direction == "egress" else (other, end)
                    allowed = self._connectivity.number_between(*pair, possibly=True)
                    if not self._table.intersection(allowed, ports):
                        source, destination = map(self._population.endpoint, pair)
                        yield Needless(rule, source, destination, self._table.sets[ports])
                        return


def _within(wanted: Grants, rule: CompiledRule) -> Grants:
    """What is wanted of the peers of a rule."""
    pods = {ports: bits & rule.peers.possibly for ports, bits in wanted.pods.items() if bits & rule.peers.possibly}
    addresses: dict[int, AddressSet] = {}
    for ports, some in wanted.addresses.items() if rule.peers.addresses else ():
        if (both := common(some, rule.peers.addresses)) != NO_ADDRESSES:
            addresses[ports] = both
    return Grants(pods, addresses)
