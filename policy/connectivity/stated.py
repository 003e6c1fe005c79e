"""The flows of topology.yaml as sets, seen from either end.

What is declared outside as addresses means the addresses that are not the cluster's: a flow to ``0.0.0.0/0`` does not
permit the declared network of the pods, and does not need the networks of pods, Services and nodes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from functools import cached_property

import msgspec

from policy.connectivity.addresses import NO_ADDRESSES, AddressSet, has_all, holds_address, minus, range_of, union
from policy.connectivity.bits import are_few, bits_of, members
from policy.connectivity.endpoints import Endpoint
from policy.connectivity.granted import NOBODY, Bounds, Granted, together
from policy.connectivity.matrix import Connectivity
from policy.connectivity.ports import PROTOCOLS, PortRange, PortSet, port_set
from policy.connectivity.selections import Ends, Group, group_of
from policy.connectivity.sides import End
from policy.connectivity.topology import Flow, FlowEnd, FlowPort, Outside, Topology
from policy.manifests.ports import target_port
from policy.manifests.workloads import Workload


class UnknownEnd(msgspec.Struct, frozen=True):
    """What is named, by a flow or as silent, and is neither in the overlay nor outside."""

    end: FlowEnd


class UnknownPort(msgspec.Struct, frozen=True):
    """A flow that names a port which a destination does not have."""

    flow: Flow
    port: FlowPort
    destination: Endpoint


class _Ported(msgspec.Struct, frozen=True):
    """A port set by its number, and the destinations that it holds for; None where that is all of the flow's."""

    ports: int
    holders: Set[int] | None


class _Together(msgspec.Struct, frozen=True):
    """Flows that state the same destinations and ports, and the sources of each."""

    flows: list[Flow]
    sources: list[Bounds]
    destinations: Bounds
    ports: Sequence[_Ported]


class Stated:
    """The contract over the numbers of a population.

    ``out_permitted`` is what each source may do, ``out_required`` what must work for it; ``in_`` the same, seen from
    the destinations. Addresses have no policies and so are other ends only.
    """

    def __init__(self, connectivity: Connectivity, topology: Topology) -> None:
        self.connectivity, self.topology = connectivity, topology
        self.unknown_ends: list[UnknownEnd] = []
        self.unknown_ports: list[UnknownPort] = []
        self._population, self._table = connectivity.population, connectivity.table
        self.out_permitted, self.in_permitted = Granted(self._table), Granted(self._table)
        self.out_required, self.in_required = self.out_permitted, self.in_permitted
        self._named: list[int] = []
        self._resolved: dict[tuple[str, str, str], Bounds] = {}
        self._single: dict[int, Bounds] = {}
        self._named_ports: dict[object, int] = {}
        self._stated = tuple(self._resolve_all(topology.flows))
        self._grant(self.out_permitted, self.in_permitted, permitted=True)
        both = ((each.permitted, each.required) for each in self._resolved.values())
        if any(permitted is not required and permitted.ends != required.ends for permitted, required in both):
            self.out_required, self.in_required = Granted(self._table), Granted(self._table)
            self._grant(self.out_required, self.in_required, permitted=False)
        self.itself: dict[int, list[tuple[int, Flow]]] = {}
        """By number: the port sets on which the pods of a workload talk to each other, and the flows that state it."""
        for number, ports, flow in self._among_themselves():
            self.itself.setdefault(number, []).append((ports, flow))
        self._ends(topology.silent)
        self.unknown_ends.sort(key=lambda item: item.end.place.start)
        self.unknown_ports.sort(key=lambda item: item.port.place.start)

    def _resolve_all(self, flows: Iterable[Flow]) -> Iterator[_Together]:
        """The flows by what stands behind the arrow; that and what stands before it is resolved once for each text."""
        groups: dict[str, tuple[list[Flow], list[Bounds]]] = {}
        known: dict[str, Bounds] = {}
        for flow in flows:
            sources = known.get(flow.before)
            if sources is None:
                unknown = len(self.unknown_ends)
                sources = self._ends(flow.sources)
                if len(self.unknown_ends) == unknown:  # else every mention of what there is not is told
                    known[flow.before] = sources
            group = groups.get(flow.behind)
            if group is None:
                groups[flow.behind] = [flow], [sources]
            else:
                group[0].append(flow)
                group[1].append(sources)
        for group in groups.values():
            yield self._together(*group)

    def _together(self, flows: list[Flow], sources: list[Bounds]) -> _Together:
        """Flows whose texts are the same behind the arrow."""
        unknown = len(self.unknown_ends)
        destinations = self._ends(flows[0].destinations)
        if len(self.unknown_ends) > unknown:
            for flow in flows[1:]:
                self._ends(flow.destinations)
        ports, lacking = self._ported(flows[0], destinations)
        for position, number in lacking:
            end = self._population.endpoint(number)
            self.unknown_ports.extend(UnknownPort(flow, flow.ports[position], end) for flow in flows)
        return _Together(flows, sources, destinations, ports)

    def _grant(self, outgoing: Granted, incoming: Granted, *, permitted: bool) -> None:
        """Adds the flows to what is granted to their sources, and to what is granted to their destinations."""
        for stated in self._stated:
            to = stated.destinations.permitted if permitted else stated.destinations.required
            sources = [each.permitted if permitted else each.required for each in stated.sources]
            callers = together(sources)
            for ported in stated.ports:
                others = to if ported.holders is None else to.holding(ported.holders)
                for some in sources:
                    if some.has_pods:
                        outgoing.add(some.members, ported.ports, others)
                if others.has_pods:
                    incoming.add(others.members, ported.ports, callers)

    def _among_themselves(self) -> Iterator[tuple[int, int, Flow]]:
        """The flows from a workload to itself alone; a list that has a workload on both sides means the others.

        A single pod reaches itself.
        """
        for stated in self._stated:
            if stated.destinations not in stated.sources:  # by identity: the same workload is one object
                continue
            only = stated.destinations.required.only
            if only is None or not self._population.has_pods_besides(only):
                continue
            for flow, sources in zip(stated.flows, stated.sources, strict=True):
                if sources is stated.destinations:
                    ports = 0
                    for each in stated.ports:
                        ports = self._table.union(ports, each.ports)
                    yield only, ports, flow

    @property
    def unknown_bits(self) -> int:
        """The workloads that no flow names and that are not silent; ``*`` names nobody."""
        return ((1 << self._population.in_git) - 1) & ~bits_of(self._named)

    @property
    def unknown_workloads(self) -> tuple[Workload, ...]:
        """The workloads of ``unknown_bits``."""
        found = (self._population.endpoint(number).workload for number in members(self.unknown_bits))
        return tuple(workload for workload in found if workload is not None)

    def _ends(self, ends: tuple[FlowEnd, ...]) -> Bounds:
        joined: Bounds | None = None
        resolved = self._resolved
        for end in ends:
            key = (end.namespace, end.kind, end.name)
            found = resolved.get(key)
            if found is None:
                found = resolved[key] = self._resolve(end)
            if found is NOBODY:
                self.unknown_ends.append(UnknownEnd(end))
            joined = found if joined is None else joined.joined(found)
        return joined or NOBODY

    def _resolve(self, end: FlowEnd) -> Bounds:
        population = self._population
        if end.is_every:
            in_git = (1 << population.in_git) - 1
            return Bounds(group_of(in_git | population.unlisted_beside_workloads), group_of(in_git))
        outside = self._outside(end)
        if outside is not None and outside.cidrs:
            return self._addresses(outside)
        if outside is not None:
            bits = 1 << population.number_of[id(outside)]
            unlisted = population.unlisted_in(outside.namespace) if not outside.labels else 0
            return Bounds(group_of(bits | unlisted), group_of(bits))
        numbers = [
            number
            for number in self._by_name.get(end.name, ())
            if end.namespace in ("", population.namespaces[number])
            and (not end.kind or end.kind == population.workload(number).kind)
        ]
        if not numbers:
            return NOBODY
        self._named += numbers
        known = self._single.get(numbers[0]) if len(numbers) == 1 else None
        if known is None:
            found = Group(numbers) if are_few(len(numbers)) else group_of(bits_of(numbers))
            known = Bounds(found, found)
            if len(numbers) == 1:
                self._single[numbers[0]] = known
        return known

    @cached_property
    def _by_name(self) -> Mapping[str, Sequence[int]]:
        """The numbers of the workloads with a name."""
        found: dict[str, list[int]] = {}
        for number in range(self._population.in_git):
            name = self._population.workload(number).resource.ref.name
            known = found.get(name)
            if known is None:
                found[name] = [number]
            else:
                known.append(number)
        return found

    def ranges_of(self, ends: Iterable[FlowEnd]) -> Iterator[Outside]:
        """Those of the ends that are declared address ranges."""
        for end in ends:
            outside = self._outside(end)
            if outside is not None and outside.cidrs:
                yield outside

    def _outside(self, end: FlowEnd) -> Outside | None:
        return self.topology.outside.get(end.name) if not end.namespace and not end.kind else None

    def required_of(self, outside: Outside) -> AddressSet:
        """The addresses of an outside that a flow with it needs."""
        return self._addresses(outside).required.ends.addresses

    def _addresses(self, outside: Outside) -> Bounds:
        cluster = self.topology.cluster
        permitted = required = NO_ADDRESSES
        for cidr in outside.cidrs:
            whole = range_of(str(cidr))
            permitted, required = union(permitted, whole), union(required, whole)
            for network in (*cluster.pods, *cluster.services, *cluster.nodes):
                part = range_of(str(network))
                if part != whole and has_all(whole, part):
                    required = minus(required, part)
                    permitted = minus(permitted, part) if network in cluster.pods else permitted
        return Bounds(Group(None, Ends(0, permitted)), Group(None, Ends(0, required)))

    def _ported(self, flow: Flow, ends: Bounds) -> tuple[list[_Ported], list[tuple[int, int]]]:
        """Each port set of a flow with its destinations; and which of its ports which destinations lack."""
        numeric: list[FlowPort] = []
        found: dict[int, list[int]] = {}
        lacking: list[tuple[int, int]] = []
        pods = dict.fromkeys(ends.permitted.members)  # among them are all of those that are required
        for position, port in enumerate(flow.ports):
            if not port.name and not port.of_service:
                numeric.append(port)
            else:
                for number in pods:
                    resolved = self._resolved_port(port, number)
                    if resolved:
                        found.setdefault(resolved, []).append(number)
                    else:
                        lacking.append((position, number))
        is_alike = len(found) == 1 and not lacking
        ported = [_Ported(ports, None if is_alike else frozenset(holders)) for ports, holders in found.items()]
        if numeric:
            ports = self._table.number(port_set(each for port in numeric for each in _ranges(port)))
            ported.insert(0, _Ported(ports, None))
        return ported, lacking

    def _resolved_port(self, port: FlowPort, destination: int) -> int:
        """The number of the port set that a name, or the port of a Service, means at a destination."""
        if port.of_service:
            return self._table.number(self._service_port(port, self._population.endpoint(destination)))
        own = self._population.own_ports(destination)
        key = (id(own), port.name, port.protocol)
        found = self._named_ports.get(key)
        if found is None:
            named = (
                PortRange(protocol, number, number)
                for (protocol, name), numbers in own.items()
                if name == port.name and port.protocol in ("", protocol)
                for number in numbers
            )
            found = self._named_ports[key] = self._table.number(port_set(named))
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

    def flow_of(self, source: End, destination: End, ports: int) -> Flow:
        """The first flow that needs some of the ports from the one to the other."""
        found: list[Flow] = []
        for stated in self._by_source.get(source, ()) if isinstance(source, int) else self._with_addresses:
            if not _has(stated.destinations.required.ends, destination):
                continue
            if any(
                self._table.intersection(each.ports, ports)
                for each in stated.ports
                if not isinstance(destination, int) or each.holders is None or destination in each.holders
            ):
                both = zip(stated.flows, stated.sources, strict=True)
                found.extend(flow for flow, sources in both if _has(sources.required.ends, source))
        return min(found, key=lambda flow: flow.place.start)

    @cached_property
    def _by_source(self) -> Mapping[int, Sequence[_Together]]:
        found: dict[int, list[_Together]] = {}
        for stated in self._stated:
            pods = 0
            for each in stated.sources:
                pods |= each.required.ends.pods
            for number in members(pods):
                found.setdefault(number, []).append(stated)
        return found

    @cached_property
    def _with_addresses(self) -> Sequence[_Together]:
        return [stated for stated in self._stated if any(each.required.ends.addresses for each in stated.sources)]


def _has(ends: Ends, end: End) -> bool:
    if isinstance(end, int):
        return bool(ends.pods >> end & 1)
    return holds_address(ends.addresses, end[0])


def _ranges(port: FlowPort) -> Iterator[PortRange]:
    for protocol in (port.protocol,) if port.protocol else PROTOCOLS:
        yield PortRange(protocol, port.first, port.last)
