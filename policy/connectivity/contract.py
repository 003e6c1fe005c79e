"""topology.yaml against the policies: what is possible and not stated, and what is stated and does not work.

A leak is judged by what is *possibly* allowed, a broken flow by what *surely* is. Both sides of a connection are held
against the contract on their own, as sets: only what is too much on both sides is a leak, so that the one side need
never be transposed.

What is declared outside as addresses means the addresses that are not the cluster's: a flow to ``0.0.0.0/0`` does not
permit the declared network of the pods, and does not need the networks of pods, Services and nodes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from policy.connectivity.addresses import interval_of
from policy.connectivity.bits import bits_of, first, members
from policy.connectivity.endpoints import Endpoint
from policy.connectivity.matrix import Connectivity, Side
from policy.connectivity.policies import CompiledRule, Direction
from policy.connectivity.ports import PortRange, PortSet, PortTable, port_set
from policy.connectivity.rows import Grants
from policy.connectivity.topology import Flow, FlowEnd, FlowPort, Outside, Topology
from policy.findings import Field
from policy.manifests.ports import target_port
from policy.manifests.workloads import Workload

_Granted = dict[int, dict[int, int]]
"""Number of an end -> what the contract grants it."""


@dataclass(frozen=True, slots=True)
class Leak:
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
    def at(self) -> Field | None:
        return self.by.at if self.by else None

    @property
    def end(self) -> Endpoint:
        """The end whose policies let it through."""
        return self.destination if self.direction == "ingress" else self.source

    @property
    def other(self) -> Endpoint:
        return self.source if self.direction == "ingress" else self.destination


@dataclass(frozen=True, slots=True)
class Broken:
    """A connection that a flow states and that does not surely work; ``sides`` are those that refuse it, and what."""

    flow: Flow
    source: Endpoint
    destination: Endpoint
    sides: Mapping[Direction, PortSet]

    def end(self, direction: Direction) -> Endpoint:
        return self.source if direction == "egress" else self.destination


@dataclass(frozen=True, slots=True)
class UnknownEnd:
    """A flow that names what is neither in the overlay nor outside."""

    flow: Flow
    end: FlowEnd


@dataclass(frozen=True, slots=True)
class UnknownPort:
    """A flow that names a port which a destination does not have."""

    flow: Flow
    port: FlowPort
    destination: Endpoint


class _Pair(NamedTuple):
    source: int
    destination: int
    ports: int


@dataclass
class _Contract:
    """The flows as sets, from either end."""

    out_permitted: _Granted = field(default_factory=dict)
    in_permitted: _Granted = field(default_factory=dict)
    out_required: _Granted = field(default_factory=dict)
    in_required: _Granted = field(default_factory=dict)


class _Ends(NamedTuple):
    """An end of a flow, as bits: what it permits, and what must work."""

    permitted: int
    required: int


class Proof:
    """The contract held against the policies of one overlay; everything is worked out when it is asked for."""

    def __init__(self, connectivity: Connectivity, topology: Topology) -> None:
        self.connectivity, self.topology = connectivity, topology
        self.unknown_ends: list[UnknownEnd] = []
        self.unknown_ports: list[UnknownPort] = []
        self._population, self._table = connectivity.population, connectivity.table
        self._named = 0
        self._contract = _Contract()
        self._resolved: dict[FlowEnd, _Ends] = {}
        self._ports: dict[tuple[FlowPort, ...], list[tuple[int, int]] | None] = {}
        for flow in topology.flows:
            self._state(flow)

    @cached_property
    def unknown_workloads(self) -> tuple[Workload, ...]:
        """The workloads that no flow names (``*`` names nobody)."""
        missing = ((1 << self._population.in_git) - 1) & ~self._named
        return tuple(
            workload
            for number in members(missing)
            if (workload := self._population.endpoint(number).workload) is not None
        )

    # the flows as sets

    def _state(self, flow: Flow) -> None:
        sources = self._ends(flow, flow.sources)
        destinations = self._ends(flow, flow.destinations)
        pods = (1 << self._population.first_address) - 1
        contract = self._contract
        for ports, holders in self._numbers(flow, destinations.permitted | destinations.required):
            to = _Ends(destinations.permitted & holders, destinations.required & holders)
            for number in members(sources.permitted & pods):
                _add(contract.out_permitted, number, ports, to.permitted)
            for number in members(sources.required & pods):
                _add(contract.out_required, number, ports, to.required)
            for number in members(to.permitted & pods):
                _add(contract.in_permitted, number, ports, sources.permitted)
            for number in members(to.required & pods):
                _add(contract.in_required, number, ports, sources.required)

    def _ends(self, flow: Flow, ends: tuple[FlowEnd, ...]) -> _Ends:
        permitted = required = 0
        for end in ends:
            found = self._resolved.get(end)
            if found is None:
                found = self._resolved[end] = self._resolve(end)
            if not found.permitted and not found.required:
                self.unknown_ends.append(UnknownEnd(flow, end))
            permitted |= found.permitted
            required |= found.required
        return _Ends(permitted, required)

    def _resolve(self, end: FlowEnd) -> _Ends:
        population = self._population
        in_git = (1 << population.in_git) - 1
        if end.is_every:
            return _Ends(in_git | population.unlisted_beside_workloads, in_git)
        outside = self.topology.outside.get(end.name) if not end.namespace and not end.kind else None
        if outside is not None and outside.cidrs:
            return self._addresses(outside)
        if outside is not None:
            bits = 1 << population.number_of[id(outside)]
            return _Ends(bits | (population.unlisted_in(outside.namespace) if not outside.labels else 0), bits)
        bits = bits_of(
            number
            for number in self._by_name.get(end.name, ())
            if end.kind in ("", (item := population.endpoint(number)).kind) and end.namespace in ("", item.namespace)
        )
        self._named |= bits
        return _Ends(bits, bits)

    @cached_property
    def _by_name(self) -> Mapping[str, list[int]]:
        found: dict[str, list[int]] = {}
        for number in range(self._population.in_git):
            found.setdefault(self._population.endpoint(number).name, []).append(number)
        return found

    def _addresses(self, outside: Outside) -> _Ends:
        population, cluster = self._population, self.topology.cluster
        permitted = required = 0
        for cidr in outside.cidrs:
            interval = interval_of(str(cidr))
            own = population.range_bits(interval)
            permitted |= own
            required |= own
            for network in (*cluster.pods, *cluster.services, *cluster.nodes):
                part = interval_of(str(network))
                if interval.first <= part.first and part.last <= interval.last and part != interval:
                    required &= ~population.range_bits(part)
                    permitted &= ~population.range_bits(part) if network in cluster.pods else -1
        return _Ends(permitted, required)

    def _numbers(self, flow: Flow, destinations: int) -> Iterator[tuple[int, int]]:
        """Each port set of a flow with the destinations (bits) that it holds for."""
        everyone = self._population.everyone
        numeric = [port for port in flow.ports if not port.name and not port.of_service]
        if numeric:
            yield self._table.number(port_set(each for port in numeric for each in _ranges(port))), everyone
        by_ports: dict[int, list[int]] = {}
        for port in flow.ports:
            if port.name or port.of_service:
                for number in members(destinations & ((1 << self._population.first_address) - 1)):
                    ports = self._resolved_port(port, self._population.endpoint(number))
                    if ports:
                        by_ports.setdefault(self._table.number(ports), []).append(number)
                    else:
                        self.unknown_ports.append(UnknownPort(flow, port, self._population.endpoint(number)))
        for ports_number, numbers in by_ports.items():
            yield ports_number, bits_of(numbers)

    def _resolved_port(self, port: FlowPort, destination: Endpoint) -> PortSet:
        if port.of_service:
            return self._service_port(port, destination)
        bit = 1 << self._population.number_of[destination.key] if destination.workload or destination.outside else 0
        return port_set(
            PortRange(protocol, number, number)
            for (protocol, name), numbers in self._population.named_ports.items()
            if name == port.name and port.protocol in ("", protocol)
            for number, holders in numbers.items()
            if holders & bit
        )

    def _service_port(self, port: FlowPort, destination: Endpoint) -> PortSet:
        found: list[PortRange] = []
        workload = destination.workload
        for service in self.connectivity.index.services_of(workload) if workload else ():
            for each in service.spec.ports or ():
                if port.protocol not in ("", each.transport) or (port.name or port.first) not in (each.name, each.port):
                    continue
                declared = target_port(workload, each.target, each.transport) if workload else None
                target = declared.container_port if declared else each.target
                if isinstance(target, int):
                    found.append(PortRange(each.transport, target, target))
        return port_set(found)

    # what is too much

    def excess(self, side: Side, number: int, grants: Grants) -> dict[int, int]:
        """What an end is granted beyond the contract, itself left out."""
        stated = self._contract.out_permitted if side.direction == "egress" else self._contract.in_permitted
        return _minus(grants, stated.get(number, {}), self._table, 1 << number)

    @cached_property
    def leaks(self) -> tuple[Leak, ...]:
        """Everything possible that no flow states, one for each rule (or end without a policy) that lets it through."""
        grouped: dict[object, list[_Pair]] = {}
        blamed: dict[object, tuple[Direction, CompiledRule | None]] = {}
        for pair, direction in self._leaking():
            rule = self._rule(direction, pair)
            end = pair.destination if direction == "ingress" else pair.source
            key = (id(rule.policy), direction, rule.position) if rule else (direction, end)
            blamed[key] = direction, rule
            grouped.setdefault(key, []).append(pair)
        return tuple(self._leak(*blamed[key], pairs) for key, pairs in grouped.items())

    def _leak(self, direction: Direction, rule: CompiledRule | None, pairs: list[_Pair]) -> Leak:
        pair = min(pairs, key=lambda item: (item.source, item.destination))
        other: Direction = "ingress" if direction == "egress" else "egress"
        shown = self._population.endpoint
        ends = {
            tuple(min(number, self._population.first_address) for number in (item.source, item.destination))
            for item in pairs
        }
        source, destination = shown(pair.source), shown(pair.destination)
        if pair.source >= self._population.first_address:
            source = self._together(item.source for item in pairs if item.destination == pair.destination)
        if pair.destination >= self._population.first_address:
            destination = self._together(item.destination for item in pairs if item.source == pair.source)
        ports = self._table.sets[pair.ports]
        return Leak(source, destination, ports, direction, rule, self._rule(other, pair), len(ends))

    def _together(self, numbers: Iterator[int]) -> Endpoint:
        return self.connectivity.addresses_of(bits_of(numbers))

    def _leaking(self) -> Iterator[tuple[_Pair, Direction]]:
        """Each leaking pair, and the side to blame: the one that isolates; the destination's, where both do."""
        population = self._population
        egress, ingress = self.connectivity.sides["egress"], self.connectivity.sides["ingress"]
        in_git = (1 << population.in_git) - 1
        pods = (1 << population.first_address) - 1
        sent = {number: self.excess(egress, number, egress.possibly(number)) for number in members(egress.isolated)}
        sending = bits_of(number for number, row in sent.items() if row)
        for destination in members(ingress.isolated):
            row = self.excess(ingress, destination, ingress.possibly(destination))
            asked = population.everyone if destination < population.in_git else in_git
            for ports, sources in row.items():
                for source in members(sources & asked & (~egress.isolated | sending)):
                    both = ports if source not in sent else self._both(ports, sent[source], destination)
                    if both:
                        yield _Pair(source, destination, both), "ingress"
        open_destinations = population.everyone & ~ingress.isolated
        for source, row in sent.items():
            asked = population.everyone if source < population.in_git else in_git
            for ports, destinations in row.items():
                for destination in members(destinations & asked & open_destinations):
                    yield _Pair(source, destination, ports), "egress"
        yield from self._between_open(pods & ~egress.isolated, pods & ~ingress.isolated)

    def _both(self, ports: int, row: Grants, destination: int) -> int:
        found = PortTable.NONE
        for others, destinations in row.items():
            if destinations >> destination & 1:
                found = self._table.union(found, self._table.intersection(ports, others))
        return found

    def _between_open(self, sources: int, destinations: int) -> Iterator[tuple[_Pair, Direction]]:
        """One leak for each end that no policy isolates and that meets another such end: to expand all says no more."""
        population = self._population
        in_git = (1 << population.in_git) - 1
        egress, ingress = self.connectivity.sides["egress"], self.connectivity.sides["ingress"]
        for destination in members(destinations & in_git):
            row = self.excess(ingress, destination, ingress.open)
            for ports, others in row.items():
                found = others & (sources | population.addresses)
                if found:
                    yield _Pair(first(found), destination, ports), "ingress"
                    break
        for source in members(sources & in_git):
            row = self.excess(egress, source, egress.open)
            for ports, others in row.items():
                found = others & ((destinations & ~in_git) | population.addresses)
                if found:
                    yield _Pair(source, first(found), ports), "egress"
                    break

    def _rule(self, direction: Direction, pair: _Pair) -> CompiledRule | None:
        """The first rule that possibly lets a pair through."""
        number, other = (pair.source, pair.destination) if direction == "egress" else (pair.destination, pair.source)
        return next(self.rules_for(direction, number, other, pair.ports, pair.destination), None)

    def rules_for(
        self, direction: Direction, number: int, other: int, ports: int, destination: int
    ) -> Iterator[CompiledRule]:
        """The rules for an end that possibly let some of the ports through to or from another end."""
        for policy in self.connectivity.sides[direction].policies(number):
            for rule in policy.rules.get(direction, ()):
                if rule.peers.possibly >> other & 1 and any(
                    holders >> destination & 1 and self._table.intersection(granted, ports)
                    for granted, holders in rule.ports
                ):
                    yield rule

    # what does not work

    @cached_property
    def broken(self) -> tuple[Broken, ...]:
        """Each stated connection that does not surely work, in the order of the flows."""
        missing: dict[tuple[int, int], dict[Direction, int]] = {}
        sides = self.connectivity.sides
        stated: tuple[tuple[Direction, _Granted], ...] = (
            ("egress", self._contract.out_required),
            ("ingress", self._contract.in_required),
        )
        for direction, granted in stated:
            for number, wanted in granted.items():
                lacking = _minus(wanted, sides[direction].surely(number), self._table, 1 << number)
                for ports, others in lacking.items():
                    for other in self._ends_apart(others):
                        key = (number, other) if direction == "egress" else (other, number)
                        known = missing.setdefault(key, {})
                        known[direction] = self._table.union(known.get(direction, 0), ports)
        found = [
            Broken(
                self._flow_of(source, destination),
                self._population.endpoint(source),
                self._population.endpoint(destination),
                {direction: self._table.sets[ports] for direction, ports in refused.items()},
            )
            for (source, destination), refused in missing.items()
        ]
        return tuple(sorted(found, key=lambda item: item.flow.place))

    def _ends_apart(self, bits: int) -> Iterator[int]:
        """The pods, and one for all addresses."""
        yield from members(bits & ~self._population.addresses)
        if bits & self._population.addresses:
            yield first(bits & self._population.addresses)

    def _flow_of(self, source: int, destination: int) -> Flow:
        for flow in self.topology.flows:
            sources, destinations = (
                _any(self._resolved[end].required for end in ends) for ends in (flow.sources, flow.destinations)
            )
            if sources >> source & 1 and destinations >> destination & 1:
                return flow
        raise LookupError(f"no flow from {source} to {destination}")


def _any(sets: Iterator[int]) -> int:
    found = 0
    for bits in sets:
        found |= bits
    return found


def _add(granted: _Granted, number: int, ports: int, others: int) -> None:
    if others:
        row = granted.setdefault(number, {})
        row[ports] = row.get(ports, 0) | others


def _ranges(port: FlowPort) -> Iterator[PortRange]:
    for protocol in (port.protocol,) if port.protocol else ("TCP", "UDP", "SCTP"):
        yield PortRange(protocol, port.first, port.last)


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
