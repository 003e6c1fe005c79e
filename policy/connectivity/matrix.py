"""Who may reach whom on which ports, as the NetworkPolicies of an overlay let them.

A pod is isolated in a direction if some policy of its namespace selects it and has that direction; then the union of
the rules of all such policies is allowed, else everything. A connection needs the egress of its source and the ingress
of its destination. What no policy decides is not in here: replies pass, a pod reaches itself, and a node reaches its
own pods.

Two answers stand beside each other, since not everything is known: *surely* (for "this must work") and *possibly* (for
"this must be impossible"). They differ where a selector asks for labels that controllers add with unknown values or for
labels of a namespace that is not in the overlay, and where an ipBlock holds the network of the pods (the declared
``cluster.pods``, else private addresses) or, for pods on the host's network, addresses of nodes: plugins differ in it.

Selections are integers used as bit sets over the numbers of a ``Population``; what a pod may do is worked out once for
all pods that the same policies select.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property

import msgspec

from policy.connectivity.addresses import merged
from policy.connectivity.bits import bits_of, members
from policy.connectivity.endpoints import Endpoint, EndpointKind
from policy.connectivity.policies import (
    DIRECTIONS,
    CompiledPolicy,
    CompiledRule,
    Compiler,
    Direction,
    PortName,
    Problem,
    blocks_of,
)
from policy.connectivity.population import Population, addresses_endpoint
from policy.connectivity.ports import FIRST_PORT, LAST_PORT, PortRange, PortSet, PortTable
from policy.connectivity.rows import Grants, Reach, rows_of
from policy.connectivity.selections import SAFE, Profile
from policy.connectivity.topology import Cluster, Outside
from policy.manifests.index import Index
from policy.manifests.resources import NetworkPolicy

NOTHING: Grants = {}

_FEW = 64
"""Up to so many destinations are asked for a port by name one by one."""


class Row(msgspec.Struct, frozen=True, dict=True):
    """Every source may reach every destination (but not itself) on the ports; the ends are made when asked for."""

    connectivity: Connectivity
    reach: Reach

    @cached_property
    def sources(self) -> tuple[Endpoint, ...]:
        return self.connectivity.ends(self.reach.sources)

    @cached_property
    def destinations(self) -> tuple[Endpoint, ...]:
        return self.connectivity.ends(self.reach.destinations)

    @property
    def ports(self) -> PortSet:
        return self.connectivity.table.sets[self.reach.ports]


class Side:
    """One direction for every number: who is isolated, and what the rules grant.

    ``isolated`` are those that surely are; ``doubtful`` those that possibly are, but not surely.
    """

    def __init__(
        self, direction: Direction, policies: Iterable[CompiledPolicy], population: Population, table: PortTable
    ) -> None:
        self.direction, self._population, self._table = direction, population, table
        self.isolated = possibly = 0
        self._selecting: dict[int, list[CompiledPolicy]] = {}
        self._doubtful: dict[int, list[CompiledPolicy]] = {}
        for policy in policies:
            rules = policy.rules.get(direction)
            if rules is None:
                continue
            surely, may = policy.subjects
            self.isolated |= surely
            possibly |= may
            if rules:
                for number in members(surely):
                    self._selecting.setdefault(number, []).append(policy)
            if may != surely:
                for number in members(may & ~surely):
                    self._doubtful.setdefault(number, []).append(policy)
        self.doubtful = possibly & ~self.isolated
        self.open: Grants = {PortTable.ALL: population.everyone}
        self._rows: dict[tuple[int, ...], Grants] = {}
        self._same: dict[frozenset[tuple[int, int]], Grants] = {}
        self._known: tuple[dict[int, Grants], dict[int, Grants]] = ({}, {})

    @cached_property
    def ruled(self) -> int:
        """Those that some policy with rules selects: only they have grants of their own."""
        return bits_of(self._selecting) | bits_of(self._doubtful)

    def policies(self, number: int) -> tuple[CompiledPolicy, ...]:
        """The policies with rules that surely select an end, and those with this direction that possibly do."""
        return (*self._selecting.get(number, ()), *self._doubtful.get(number, ()))

    def surely(self, number: int) -> Grants:
        """What is granted for certain; equal grants are the same object."""
        found = self._known[0].get(number)
        if found is None:
            found = self._known[0][number] = self._surely(number)
        return found

    def _surely(self, number: int) -> Grants:
        if self.isolated >> number & 1:
            return self._granted(number, self._selecting.get(number, ()), 0)
        if self.doubtful >> number & 1:
            doubtful = self._doubtful[number]
            return self._granted(number, doubtful, 0) if len(doubtful) == 1 else NOTHING
        return self.open

    def possibly(self, number: int) -> Grants:
        """What may be granted."""
        found = self._known[1].get(number)
        if found is None:
            found = self._known[1][number] = self._possibly(number)
        return found

    def _possibly(self, number: int) -> Grants:
        if self.isolated >> number & 1:
            return (
                self._granted(number, self.policies(number), 1)
                if self._doubtful
                else self._granted(number, self._selecting.get(number, ()), 1)
            )
        return self.open

    def _granted(self, number: int, policies: Iterable[CompiledPolicy], bound: int) -> Grants:
        rules = [rule for policy in policies for rule in policy.rules.get(self.direction, ())]
        if not rules:
            return NOTHING
        has_names = any(rule.names for rule in rules)
        own = number if self.direction == "ingress" and has_names else -1
        if bound and (not has_names or (own >= 0 and not self._population.with_unknown_ports >> number & 1)):
            # where nothing is in doubt, the possible row is the sure one
            bound = int(any(rule.peers.surely != rule.peers.possibly for rule in rules))
        key = (bound, own, *map(id, policies))
        found = self._rows.get(key)
        if found is None:
            found = self.of_rules(rules, number, bound)
            found = self._rows[key] = self._same.setdefault(frozenset(found.items()), found)
        return found

    def of_rules(self, rules: Iterable[CompiledRule], number: int, bound: int) -> dict[int, int]:
        """What rules grant an end, surely (``bound`` 0) or possibly (1)."""
        row: dict[int, int] = {}
        for rule in rules:
            bits = rule.peers[bound]
            if not bits:
                continue
            if rule.numeric:
                row[rule.numeric] = row.get(rule.numeric, 0) | bits
            if rule.names:
                for ports, others in self._named(rule, number, bits):
                    row[ports] = row.get(ports, 0) | others
                unstated = self._unstated(number, bits) if bound else 0
                for ports in self._whole(rule) if unstated else ():
                    row[ports] = row.get(ports, 0) | unstated
        return row

    def _unstated(self, number: int, others: int) -> int:
        """The other ends (bits) with which the destination is a pod of which nobody says what it calls its ports."""
        unstated = self._population.with_unknown_ports
        if self.direction == "egress":
            return others & unstated
        return others if unstated >> number & 1 else 0

    def _whole(self, rule: CompiledRule) -> Iterator[int]:
        """Every port of the protocols of ports by name: such a pod may call any number so."""
        for protocol, _ in rule.names:
            yield self._table.number((PortRange(protocol, FIRST_PORT, LAST_PORT),))

    def _named(self, rule: CompiledRule, number: int, bits: int) -> Iterator[tuple[int, int]]:
        """Ports by name with the other ends (bits) for which they hold; few destinations are asked one by one."""
        own_ports = self._population.own_ports
        if self.direction == "ingress":
            for ports in self._numbers(rule, own_ports(number)):
                yield ports, bits
        elif bits.bit_count() <= _FEW:
            for destination in members(bits):
                for ports in self._numbers(rule, own_ports(destination)):
                    yield ports, 1 << destination
        else:
            for ports, holders in rule.ports[1 if rule.numeric else 0 :]:
                if bits & holders:
                    yield ports, bits & holders

    def _numbers(self, rule: CompiledRule, own: Mapping[PortName, Sequence[int]]) -> Iterator[int]:
        for name in rule.names:
            for port in own.get(name, ()):
                yield self._table.number((PortRange(name[0], port, port),))

    def held(self, rule: CompiledRule, destination: int, bound: int = 1) -> int:
        """The number of the port set that a rule has for a destination, surely (``bound`` 0) or possibly (1)."""
        found = rule.numeric
        if rule.names:
            is_unstated = bound and self._population.with_unknown_ports >> destination & 1
            own = self._whole(rule) if is_unstated else self._numbers(rule, self._population.own_ports(destination))
            for ports in own:
                found = self._table.union(found, ports)
        return found


class Connectivity:
    """What the policies of an overlay allow, between its workloads, what is declared outside, and all addresses.

    ``problems`` are what the API server would refuse; such a peer or port admits nobody.
    """

    def __init__(
        self,
        index: Index,
        outside: Iterable[Outside] = (),
        cluster: Cluster | None = None,
        *,
        profile: Profile = SAFE,
    ) -> None:
        self.index = index
        policies = index.all(NetworkPolicy)
        self.cluster = cluster or Cluster()
        self.population = Population(index, tuple(outside), self.cluster, profile, blocks_of(policies))
        self.table = PortTable()
        self.compiler = Compiler(self.population, self.table)
        self.policies = tuple(self.compiler.policy(policy) for policy in policies)
        self.sides: Mapping[Direction, Side] = {
            direction: Side(direction, self.policies, self.population, self.table) for direction in DIRECTIONS
        }
        self.problems: tuple[Problem, ...] = tuple(self.compiler.problems)

    @cached_property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """The workloads, what is declared outside, the stranger, and the addresses that policies tell apart.

        Address ranges that every policy treats alike are one endpoint; declared ones are endpoints besides.
        """
        population = self.population
        pods = [population.endpoint(number) for number in range(population.first_address)]
        declared = [
            addresses_endpoint(merged(population.intervals_of(item)), population.outside)
            for item in population.outside
            if item.cidrs
        ]
        seen = {item.addresses for item in declared}
        told_apart = [
            endpoint for bits in self.address_groups if (endpoint := self.addresses_of(bits)).addresses not in seen
        ]
        return (*pods, *declared, *told_apart)

    @cached_property
    def address_groups(self) -> tuple[int, ...]:
        """The addresses, as bits, in sets that every ipBlock has all or none of."""
        population = self.population
        changes: dict[int, int] = {}
        for number, block in enumerate(population.all_blocks):
            for interval in (block.cidr, *block.excepted):
                for at in (interval.first, interval.last + 1):
                    changes[at] = changes.get(at, 0) ^ (1 << number)
        groups: dict[int, list[int]] = {}
        active = 0
        for number, start in enumerate(population.starts, population.first_address):
            active ^= changes.get(start, 0)
            groups.setdefault(active, []).append(number)
        return tuple(bits_of(numbers) for numbers in groups.values())

    def addresses_of(self, bits: int) -> Endpoint:
        """One endpoint for a set of addresses."""
        population = self.population
        return addresses_endpoint(population.intervals_in(bits), population.outside)

    def ends(self, bits: int) -> tuple[Endpoint, ...]:
        """The endpoints of a bit set; its addresses are one endpoint."""
        pods = tuple(map(self.population.endpoint, members(bits & ~self.population.addresses)))
        return (*pods, self.addresses_of(bits)) if bits & self.population.addresses else pods

    def bits(self, endpoint: Endpoint) -> int:
        """The numbers of an endpoint: one for pods, those of its ranges for addresses.

        Raises:
            KeyError: it is none of this overlay, or its ranges begin or end where nothing told addresses apart.
        """
        if endpoint.type is not EndpointKind.ADDRESSES:
            return 1 << self.population.number_of[endpoint.key]
        found = 0
        for interval in endpoint.addresses:
            found |= self.population.range_bits(interval)
        return found

    def allowed(self, source: Endpoint, destination: Endpoint) -> PortSet:
        """The ports that surely work; for addresses, on every one of them."""
        return self.allowed_bounds(source, destination)[0]

    def allowed_bounds(self, source: Endpoint, destination: Endpoint) -> tuple[PortSet, PortSet]:
        """The ports that surely work (with every address), and those that possibly work (with any address)."""
        surely, possibly = PortTable.ALL, PortTable.NONE
        for one in members(self.bits(source)):
            for other in members(self.bits(destination)):
                surely = self.table.intersection(surely, self.number_between(one, other, is_certain=True))
                possibly = self.table.union(possibly, self.number_between(one, other, is_certain=False))
        return self.table.sets[surely], self.table.sets[possibly]

    def side_bounds(self, direction: Direction, source: Endpoint, destination: Endpoint) -> tuple[PortSet, PortSet]:
        """``allowed_bounds`` of one direction alone: of the source's egress, or of the destination's ingress."""
        surely, possibly = PortTable.ALL, PortTable.NONE
        for one in members(self.bits(source)):
            for other in members(self.bits(destination)):
                surely = self.table.intersection(surely, self._side(direction, one, other, is_certain=True))
                possibly = self.table.union(possibly, self._side(direction, one, other, is_certain=False))
        return self.table.sets[surely], self.table.sets[possibly]

    def _side(self, direction: Direction, source: int, destination: int, *, is_certain: bool) -> int:
        side = self.sides[direction]
        number, other = (source, destination) if direction == "egress" else (destination, source)
        return self._on(side.surely(number) if is_certain else side.possibly(number), other)

    def number_between(self, source: int, destination: int, *, is_certain: bool) -> int:
        """The number of the port set that surely, or else possibly, works between two numbers."""
        if source == destination:
            return PortTable.ALL
        return self.table.intersection(
            self._side("egress", source, destination, is_certain=is_certain),
            self._side("ingress", source, destination, is_certain=is_certain),
        )

    def _on(self, grants: Grants, other: int) -> int:
        found = PortTable.NONE
        for ports, bits in grants.items():
            if bits >> other & 1:
                found = self.table.union(found, ports)
        return found

    def rows(self, *, possibly: bool = False) -> Iterator[Row]:
        """Everything allowed (surely, or else possibly), grouped: each pair of different ends is in one row at most.

        Pairs of ends that are both not in Git are left out, and no pair of a pod with itself is meant.
        """
        for reach in rows_of(self, possibly=possibly):
            yield Row(self, reach)
