"""The flows of topology.yaml as sets, seen from either end.

What is declared outside as addresses means the addresses that are not the cluster's: a flow to ``0.0.0.0/0`` does not
permit the declared network of the pods, and does not need the networks of pods, Services and nodes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import NamedTuple

import msgspec

from policy.connectivity.addresses import interval_of
from policy.connectivity.bits import bits_of, members
from policy.connectivity.endpoints import Endpoint
from policy.connectivity.matrix import Connectivity
from policy.connectivity.ports import PROTOCOLS, PortRange, PortSet, port_set
from policy.connectivity.topology import Flow, FlowEnd, FlowPort, Outside, Topology
from policy.manifests.ports import target_port
from policy.manifests.workloads import Workload

Granted = dict[int, dict[int, int]]
"""Number of an end -> number of a port set -> the other ends, as bits."""


class UnknownEnd(msgspec.Struct, frozen=True):
    """What is named, by a flow or as silent, and is neither in the overlay nor outside."""

    end: FlowEnd


class UnknownPort(msgspec.Struct, frozen=True):
    """A flow that names a port which a destination does not have."""

    flow: Flow
    port: FlowPort
    destination: Endpoint


class _Ends(NamedTuple):
    """An end of a flow, as bits: what it permits, and what must work."""

    permitted: int
    required: int


class Stated:
    """The contract over the numbers of a population.

    ``out_permitted`` is what each source may do, ``out_required`` what must work for it; ``in_`` the same, seen from
    the destinations. Addresses have no policies and so are other ends only.
    """

    def __init__(self, connectivity: Connectivity, topology: Topology) -> None:
        self.connectivity, self.topology = connectivity, topology
        self.unknown_ends: list[UnknownEnd] = []
        self.unknown_ports: list[UnknownPort] = []
        self.out_permitted: Granted = {}
        self.in_permitted: Granted = {}
        self.out_required: Granted = {}
        self.in_required: Granted = {}
        self._population, self._table = connectivity.population, connectivity.table
        self._pods = (1 << self._population.first_address) - 1
        self._named = 0
        self._resolved: dict[tuple[str, str, str], _Ends] = {}
        self._named_ports: dict[tuple[tuple[str, int], ...], int] = {}
        self._stated: list[tuple[Flow, int, int, int]] = []
        ends = (end for flow in topology.flows for some in (flow.sources, flow.destinations) for end in some)
        self._is_exact = all(each.permitted == each.required for each in map(self._end, ends))
        if self._is_exact:  # what is permitted is then what must work
            self.out_required, self.in_required = self.out_permitted, self.in_permitted
        for flow in topology.flows:
            self._state(flow)
        self._ends(topology.silent)

    @property
    def unknown_bits(self) -> int:
        """The workloads that no flow names and that are not silent; ``*`` names nobody."""
        return ((1 << self._population.in_git) - 1) & ~self._named

    @property
    def unknown_workloads(self) -> tuple[Workload, ...]:
        """The workloads of ``unknown_bits``."""
        found = (self._population.endpoint(number).workload for number in members(self.unknown_bits))
        return tuple(workload for workload in found if workload is not None)

    def _state(self, flow: Flow) -> None:
        sources = self._ends(flow.sources)
        destinations = self._ends(flow.destinations)
        for ports, holders in self._numbers(flow, destinations.permitted | destinations.required):
            to = _Ends(destinations.permitted & holders, destinations.required & holders)
            self._stated.append((flow, sources.required, to.required, ports))
            for number in members(sources.permitted & self._pods):
                _add(self.out_permitted, number, ports, to.permitted)
            for number in members(to.permitted & self._pods):
                _add(self.in_permitted, number, ports, sources.permitted)
            if self._is_exact:
                continue
            for number in members(sources.required & self._pods):
                _add(self.out_required, number, ports, to.required)
            for number in members(to.required & self._pods):
                _add(self.in_required, number, ports, sources.required)

    def _ends(self, ends: tuple[FlowEnd, ...]) -> _Ends:
        permitted = required = 0
        for end in ends:
            found = self._end(end)
            if len(ends) == 1 and found.required:
                return found
            if not found.permitted and not found.required:
                self.unknown_ends.append(UnknownEnd(end))
            permitted |= found.permitted
            required |= found.required
        return _Ends(permitted, required)

    def _end(self, end: FlowEnd) -> _Ends:
        key = (end.namespace, end.kind, end.name)
        found = self._resolved.get(key)
        if found is None:
            found = self._resolved[key] = self._resolve(end)
        return found

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

    def required_of(self, outside: Outside) -> int:
        """The addresses (bits) of an outside that a flow with it needs."""
        return self._addresses(outside).required

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
                for number in members(destinations & self._pods):
                    ports = self._resolved_port(port, number)
                    if ports:
                        by_ports.setdefault(ports, []).append(number)
                    else:
                        self.unknown_ports.append(UnknownPort(flow, port, self._population.endpoint(number)))
        for ports, numbers in by_ports.items():
            yield ports, bits_of(numbers)

    def _resolved_port(self, port: FlowPort, destination: int) -> int:
        """The number of the port set that a name, or the port of a Service, means at a destination."""
        if port.of_service:
            return self._table.number(self._service_port(port, self._population.endpoint(destination)))
        wanted, protocol = port.name, port.protocol
        named = tuple(
            (own, number)
            for (own, name), numbers in self._population.own_ports(destination).items()
            if name == wanted and protocol in ("", own)
            for number in numbers
        )
        found = self._named_ports.get(named)
        if found is None:
            found = self._table.number(port_set(PortRange(own, number, number) for own, number in named))
            self._named_ports[named] = found
        return found

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

    def flow_of(self, source: int, destination: int, ports: int) -> Flow:
        """The first flow that needs some of the ports from the one to the other."""
        for flow, sources, destinations, stated in self._stated:
            if sources >> source & 1 and destinations >> destination & 1 and self._table.intersection(stated, ports):
                return flow
        raise LookupError(f"no flow from {source} to {destination}")


def _add(granted: Granted, number: int, ports: int, others: int) -> None:
    if others:
        row = granted.get(number)
        if row is None:
            granted[number] = {ports: others}
        else:
            row[ports] = row.get(ports, 0) | others


def _ranges(port: FlowPort) -> Iterator[PortRange]:
    for protocol in (port.protocol,) if port.protocol else PROTOCOLS:
        yield PortRange(protocol, port.first, port.last)
