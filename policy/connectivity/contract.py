"""topology.yaml against the policies: what is possible and not stated, and what is stated and does not work.

A leak is judged by what is *possibly* allowed, a broken flow by what *surely* is. Both sides of a connection are held
against the contract on their own, as sets: only what is too much on both sides is a leak, so that the one side need
never be transposed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import NamedTuple

import msgspec

from policy.connectivity.bits import bits_of, first, members
from policy.connectivity.endpoints import Endpoint
from policy.connectivity.matrix import Connectivity, Side
from policy.connectivity.policies import PEERS, CompiledRule, Direction
from policy.connectivity.population import outside_endpoint
from policy.connectivity.ports import PortSet, PortTable
from policy.connectivity.rows import Grants
from policy.connectivity.stated import Granted, Stated
from policy.connectivity.topology import Flow, Topology
from policy.findings import Field
from policy.manifests.resources import NetworkPolicyPeer


class Leak(msgspec.Struct, frozen=True):
    """Connections that are possible, that no flow states, and that the same rule lets through.

    ``source``, ``destination`` and ``ports`` are one of them; ``pairs`` counts the pairs of ends, all addresses being
    one end. ``by`` is the rule, of the policies of the end that ``direction`` speaks of; None where no policy isolates
    that end. ``through`` is a rule of the other end that lets the same connection through, if that end is isolated.
    """

    source: Endpoint
    destination: Endpoint
    ports: PortSet
    direction: Direction
    by: CompiledRule | None
    through: CompiledRule | None
    pairs: int = 1

    @property
    def end(self) -> Endpoint:
        """The end whose policies let it through."""
        return self.destination if self.direction == "ingress" else self.source

    @property
    def other(self) -> Endpoint:
        return self.source if self.direction == "ingress" else self.destination


class Broken(msgspec.Struct, frozen=True):
    """A connection that a flow states and that does not surely work; ``sides`` are those that refuse it, and what."""

    flow: Flow
    source: Endpoint
    destination: Endpoint
    sides: Mapping[Direction, PortSet]

    def end(self, direction: Direction) -> Endpoint:
        return self.source if direction == "egress" else self.destination


class _Bundle(NamedTuple):
    """Connections between one end, whose policies ``direction`` speaks of, and others (bits)."""

    direction: Direction
    end: int
    ports: int
    others: int


class Proof:
    """The contract held against the policies of one overlay; everything is worked out when it is asked for."""

    def __init__(self, connectivity: Connectivity, topology: Topology, unproven: int = 0) -> None:
        """``unproven`` are ends of which nothing is said, beside the workloads that the contract does not know."""
        self.connectivity, self.topology = connectivity, topology
        self.stated = Stated(connectivity, topology)
        self._ignored = unproven | self.stated.unknown_bits
        self._population, self._table = connectivity.population, connectivity.table

    def excess(self, side: Side, number: int, grants: Grants) -> dict[int, int]:
        """What an end is granted beyond the contract, itself left out."""
        stated = self.stated.out_permitted if side.direction == "egress" else self.stated.in_permitted
        known = stated.get(number, {})
        if grants == known or self._ignored >> number & 1:  # equal for most ends of a good overlay
            return {}
        return _minus(grants, known, self._table, 1 << number | self._ignored)

    @cached_property
    def leaks(self) -> tuple[Leak, ...]:
        """Everything possible that no flow states, one for each rule (or end without a policy) that lets it through."""
        grouped: dict[object, tuple[CompiledRule | None, list[_Bundle]]] = {}
        for bundle in self._leaking():
            for rule, part in self._by_rule(bundle):
                key = (id(rule.policy), bundle.direction, rule.position) if rule else (bundle.direction, bundle.end)
                grouped.setdefault(key, (rule, []))[1].append(part)
        return tuple(self._leak(rule, bundles) for rule, bundles in grouped.values())

    def _leak(self, rule: CompiledRule | None, bundles: list[_Bundle]) -> Leak:
        shown = min(bundles, key=lambda item: (first(item.others), item.end))
        population, direction = self._population, shown.direction
        number = self._example(shown.others, rule)
        end, other = population.endpoint(shown.end), population.endpoint(number)
        if number >= population.first_address:
            other = self.connectivity.addresses_of(shown.others)
        source, destination = (end, other) if direction == "egress" else (other, end)
        reached = number if direction == "egress" else shown.end
        opposite: Direction = "ingress" if direction == "egress" else "egress"
        through = next(self.rules_for(opposite, number, shown.end, shown.ports, reached), None)
        pairs = sum(self._count(bundle.others) for bundle in bundles)
        return Leak(source, destination, self._table.sets[shown.ports], direction, rule, through, pairs)

    def _example(self, others: int, rule: CompiledRule | None) -> int:
        """One of the other ends; rather an unknown pod than a declared one that would need more labels than stated."""
        number = first(others)
        if rule is None or number < self._population.in_git or rule.peers.surely >> number & 1:
            return number
        stranger = self._population.stranger
        if stranger is not None and others >> stranger & 1:
            return stranger
        return first(others & self._population.unknown_outside or others)

    def peer_of(self, leak: Leak) -> tuple[Field, NetworkPolicyPeer] | None:
        """The first peer of the leak's rule that lets the other end through; None where the rule has no peers."""
        rule = leak.by
        if rule is None:
            return None
        others = self.connectivity.bits(leak.other)
        for number, peer in enumerate(rule.raw.peers or ()):
            selection = self.connectivity.compiler.peer(rule.policy, peer)
            if not isinstance(selection, str) and selection.possibly & others:
                return rule.at[PEERS[rule.direction]][number], peer
        return None

    def required(self, direction: Direction, number: int) -> Grants:
        """What must work for an end."""
        stated = self.stated.out_required if direction == "egress" else self.stated.in_required
        return stated.get(number, {})

    def lacking(self, wanted: Grants, rules: Iterable[CompiledRule], number: int) -> Grants:
        """What rules do not surely grant an end of what is wanted."""
        rules = list(rules)
        if not rules:
            return dict(wanted)
        granted = self.connectivity.sides[rules[0].direction].of_rules(rules, number, 0)
        return _minus(wanted, granted, self._table, 1 << number)

    def _count(self, bits: int) -> int:
        """How many ends; all addresses are one."""
        addresses = bits & self._population.addresses
        return (bits ^ addresses).bit_count() + (1 if addresses else 0)

    def _by_rule(self, bundle: _Bundle) -> Iterator[tuple[CompiledRule | None, _Bundle]]:
        """The bundle, divided by the first rule of the end that lets each of it through."""
        side = self.connectivity.sides[bundle.direction]
        left = bundle.others
        if side.isolated >> bundle.end & 1:
            for policy in side.policies(bundle.end):
                for rule in policy.rules.get(bundle.direction, ()):
                    part = left & rule.peers.possibly & self._held(rule, bundle)
                    if part:
                        left ^= part
                        yield rule, bundle._replace(others=part)
                    if not left:
                        return
        elif left:
            yield None, bundle

    def _held(self, rule: CompiledRule, bundle: _Bundle) -> int:
        """The other ends for which a rule has some of the ports."""
        side = self.connectivity.sides[bundle.direction]
        if bundle.direction == "ingress":
            held = side.held(rule, bundle.end)
            return self._population.everyone if self._table.intersection(held, bundle.ports) else 0
        if self._table.intersection(rule.numeric, bundle.ports):
            return self._population.everyone
        granted = side.of_rules([rule], bundle.end, 1) if rule.names else {}
        return _any(bits for ports, bits in granted.items() if self._table.intersection(ports, bundle.ports))

    def _leaking(self) -> Iterator[_Bundle]:
        """What leaks, seen from the side to blame: the one that isolates; the destination's, where both do."""
        population = self._population
        egress, ingress = self.connectivity.sides["egress"], self.connectivity.sides["ingress"]
        in_git = (1 << population.in_git) - 1
        too_much = {
            number: row
            for number in members(ingress.isolated)
            if (row := self.excess(ingress, number, ingress.possibly(number)))
        }
        reaching = self._reaching(bits_of(too_much))
        for destination, row in too_much.items():
            asked = population.everyone if destination < population.in_git else in_git
            for sent, senders in reaching.get(destination, ()):
                for ports, sources in row.items():
                    found = sources & senders & asked
                    both = self._both(ports, sent, destination) if found else PortTable.NONE
                    if both:
                        yield _Bundle("ingress", destination, both, found)
        open_destinations = population.everyone & ~ingress.isolated
        for source in members(egress.isolated):
            asked = open_destinations & (population.everyone if source < population.in_git else in_git)
            for ports, destinations in self.excess(egress, source, egress.possibly(source)).items():
                if destinations & asked:
                    yield _Bundle("egress", source, ports, destinations & asked)
        yield from self._between_open(in_git)

    def _reaching(self, destinations: int) -> Mapping[int, list[tuple[Grants, int]]]:
        """For each of some destinations: what is granted to its possible sources, and the sources (bits)."""
        if not destinations:
            return {}
        egress = self.connectivity.sides["egress"]
        senders: dict[int, tuple[Grants, list[int]]] = {}
        for source in members(egress.isolated):
            row = egress.possibly(source)
            if row:
                senders.setdefault(id(row), (row, []))[1].append(source)
        found: dict[int, list[tuple[Grants, int]]] = {}
        groups = [(row, bits_of(numbers)) for row, numbers in senders.values()]
        for row, bits in ((egress.open, self._population.everyone & ~egress.isolated), *groups):
            for destination in members(_any(iter(row.values())) & destinations):
                found.setdefault(destination, []).append((row, bits))
        return found

    def _both(self, ports: int, row: Grants, destination: int) -> int:
        found = PortTable.NONE
        for others, destinations in row.items():
            if destinations >> destination & 1:
                found = self._table.union(found, self._table.intersection(ports, others))
        return found

    def _between_open(self, in_git: int) -> Iterator[_Bundle]:
        """What leaks where no policy isolates either end; pairs in Git are told at the destination."""
        egress, ingress = self.connectivity.sides["egress"], self.connectivity.sides["ingress"]
        sources = self._population.everyone & ~egress.isolated
        destinations = self._population.everyone & ~ingress.isolated
        for destination in members(destinations & in_git):
            for ports, others in self.excess(ingress, destination, ingress.open).items():
                if others & sources:
                    yield _Bundle("ingress", destination, ports, others & sources)
        for source in members(sources & in_git):
            for ports, others in self.excess(egress, source, egress.open).items():
                if others & destinations & ~in_git:
                    yield _Bundle("egress", source, ports, others & destinations & ~in_git)

    def rules_for(
        self, direction: Direction, number: int, other: int, ports: int, destination: int
    ) -> Iterator[CompiledRule]:
        """The rules for an end that possibly let some of the ports through to or from another end."""
        for policy in self.connectivity.sides[direction].policies(number):
            for rule in policy.rules.get(direction, ()):
                held = self.connectivity.sides[direction].held(rule, destination)
                if rule.peers.possibly >> other & 1 and self._table.intersection(held, ports):
                    yield rule

    @cached_property
    def broken(self) -> tuple[Broken, ...]:
        """Each stated connection that does not surely work, in the order of the flows."""
        missing: dict[tuple[int, int], dict[Direction, int]] = {}
        addresses: dict[tuple[int, int], int] = {}
        sides = self.connectivity.sides
        stated: tuple[tuple[Direction, Granted], ...] = (
            ("egress", self.stated.out_required),
            ("ingress", self.stated.in_required),
        )
        for direction, granted in stated:
            for number, wanted in granted.items():
                allowed = sides[direction].surely(number)
                if wanted == allowed or self._ignored >> number & 1:
                    continue
                lacking = _minus(wanted, allowed, self._table, 1 << number | self._ignored)
                for ports, others in lacking.items():
                    for other in self._ends_apart(others):
                        key = (number, other) if direction == "egress" else (other, number)
                        if other >= self._population.first_address:
                            addresses[key] = addresses.get(key, 0) | (others & self._population.addresses)
                        known = missing.setdefault(key, {})
                        known[direction] = self._table.union(known.get(direction, 0), ports)
        found = [
            Broken(
                self.stated.flow_of(source, destination, next(iter(refused.values()))),
                self._end(source, addresses.get((source, destination), 0)),
                self._end(destination, addresses.get((source, destination), 0)),
                {direction: self._table.sets[ports] for direction, ports in refused.items()},
            )
            for (source, destination), refused in missing.items()
        ]
        return tuple(sorted(found, key=lambda item: item.flow.place))

    def _end(self, number: int, addresses: int) -> Endpoint:
        """The end of a number; of addresses, the outside that a flow means by them, else all that are missing."""
        if number < self._population.first_address:
            return self._population.endpoint(number)
        for outside in self.topology.outside.values():
            if outside.cidrs and self.stated.required_of(outside) & addresses == self.stated.required_of(outside):
                return outside_endpoint(outside)
        return self.connectivity.addresses_of(addresses)

    def _ends_apart(self, bits: int) -> Iterator[int]:
        """The pods, and one for all addresses."""
        yield from members(bits & ~self._population.addresses)
        if bits & self._population.addresses:
            yield first(bits & self._population.addresses)


def _any(sets: Iterator[int]) -> int:
    found = 0
    for bits in sets:
        found |= bits
    return found


def _minus(grants: Grants, stated: Grants, table: PortTable, own: int) -> dict[int, int]:
    """The grants without what is stated; ``own`` are ends that do not count."""
    found: dict[int, int] = {}
    for ports, others in grants.items():
        parts = [(ports, others & ~own)]
        for known, ends in stated.items():
            left: list[tuple[int, int]] = []
            for part, bits in parts:
                both = bits & ends
                if both:
                    rest = table.difference(part, known)
                    if rest:
                        left.append((rest, both))
                    bits ^= both
                if bits:
                    left.append((part, bits))
            parts = left
        for part, bits in parts:
            if bits:
                found[part] = found.get(part, 0) | bits
    return found
