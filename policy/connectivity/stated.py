"""The flows of topology.yaml as sets, seen from either end.

What is declared outside as addresses means the addresses that are not the cluster's: a flow to ``0.0.0.0/0`` does not
permit the declared network of the pods, and does not need the networks of pods, Services and nodes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property

import msgspec

from policy.connectivity.addresses import NO_ADDRESSES, AddressSet, Interval, holds_address, interval_of, minus, union
from policy.connectivity.bits import bits_of, members
from policy.connectivity.endpoints import Endpoint
from policy.connectivity.matrix import Connectivity
from policy.connectivity.ports import PROTOCOLS, PortRange, PortSet, port_set
from policy.connectivity.selections import Ends
from policy.connectivity.sides import NOTHING, End, Grants
from policy.connectivity.topology import Flow, FlowEnd, FlowPort, Outside, Topology
from policy.manifests.ports import target_port
from policy.manifests.workloads import Workload


class Granted:
    """What the contract grants each end: by the number of a pod, and the number of a port set, the other ends."""

    def __init__(self) -> None:
        self.pods: dict[int, dict[int, int]] = {}
        self.addresses: dict[int, dict[int, AddressSet]] = {}

    def add(self, ends: Iterable[int], ports: int, others: Ends) -> None:
        """Grants the same to each of the ends."""
        pods, addresses = others.pods, others.addresses
        granted = self.pods
        for number in ends if pods else ():
            row = granted.get(number)
            if row is None:
                granted[number] = {ports: pods}
            elif ports in row:
                row[ports] |= pods
            else:
                row[ports] = pods
        if not addresses:
            return
        for number in ends:
            to = self.addresses.setdefault(number, {})
            to[ports] = union(to.get(ports, NO_ADDRESSES), addresses)

    def of(self, number: int) -> Grants:
        """What is granted to an end."""
        pods, addresses = self.pods.get(number), self.addresses.get(number)
        if pods is None and addresses is None:
            return NOTHING
        return Grants(pods or NOTHING.pods, addresses or NOTHING.addresses)

    @property
    def numbers(self) -> Iterable[int]:
        """The ends to which something is granted."""
        return self.pods.keys() | self.addresses.keys() if self.addresses else self.pods


class UnknownEnd(msgspec.Struct, frozen=True):
    """What is named, by a flow or as silent, and is neither in the overlay nor outside."""

    end: FlowEnd


class UnknownPort(msgspec.Struct, frozen=True):
    """A flow that names a port which a destination does not have."""

    flow: Flow
    port: FlowPort
    destination: Endpoint


class _Ends(msgspec.Struct, frozen=True, gc=False):
    """An end of a flow: what it permits, and what must work; one object where both are the same.

    ``numbers`` are those of the pods of either, where somebody had them at hand.
    """

    permitted: Ends
    required: Ends
    numbers: Sequence[int] | None = None


_NOBODY = _Ends(Ends(0), Ends(0))


class _Ported(msgspec.Struct, frozen=True):
    """A port set by its number, and the destinations (bits) that it holds for."""

    ports: int
    holders: int


class _Together(msgspec.Struct, frozen=True):
    """Flows that state the same destinations and ports, and the sources of each."""

    flows: list[Flow]
    sources: list[_Ends]
    destinations: _Ends
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
        self.out_permitted, self.in_permitted = Granted(), Granted()
        self.out_required, self.in_required = self.out_permitted, self.in_permitted
        self._population, self._table = connectivity.population, connectivity.table
        self._named: list[int] = []
        self._resolved: dict[tuple[str, str, str], _Ends] = {}
        self._named_ports: dict[object, int] = {}
        self._stated = tuple(self._resolve_all(topology.flows))
        self._grant(self.out_permitted, self.in_permitted, permitted=True)
        both = ((each.permitted, each.required) for each in self._resolved.values())
        if any(permitted is not required and permitted != required for permitted, required in both):
            self.out_required, self.in_required = Granted(), Granted()
            self._grant(self.out_required, self.in_required, permitted=False)
        self._ends(topology.silent)
        self.unknown_ends.sort(key=lambda item: item.end.place)
        self.unknown_ports.sort(key=lambda item: item.port.place)

    def _resolve_all(self, flows: Iterable[Flow]) -> Iterator[_Together]:
        """The flows by what stands behind the arrow; that and what stands before it is resolved once for each text."""
        groups: dict[str, tuple[list[Flow], list[_Ends]]] = {}
        known: dict[str, _Ends] = {}
        for flow in flows:
            before, _, behind = flow.text.partition("->")
            sources = known.get(before)
            if sources is None:
                unknown = len(self.unknown_ends)
                sources = self._ends(flow.sources)
                if len(self.unknown_ends) == unknown:  # else every mention of what there is not is told
                    known[before] = sources
            group = groups.get(behind)
            if group is None:
                groups[behind] = [flow], [sources]
            else:
                group[0].append(flow)
                group[1].append(sources)
        for group in groups.values():
            yield self._together(*group)

    def _together(self, flows: list[Flow], sources: list[_Ends]) -> _Together:
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
            together = sources[0] if len(sources) == 1 else _all(sources)
            for ported in stated.ports:
                is_whole = ported.holders is to.pods
                held = to.pods if is_whole else to.pods & ported.holders
                others = to if is_whole else Ends(held, to.addresses)
                for each, some in zip(stated.sources, sources, strict=True):
                    if some.pods:
                        numbers = members(some.pods) if each.numbers is None else each.numbers
                        outgoing.add(numbers, ported.ports, others)
                if held:
                    numbers = stated.destinations.numbers if is_whole else None
                    incoming.add(members(held) if numbers is None else numbers, ported.ports, together)

    @property
    def unknown_bits(self) -> int:
        """The workloads that no flow names and that are not silent; ``*`` names nobody."""
        return ((1 << self._population.in_git) - 1) & ~bits_of(self._named)

    @property
    def unknown_workloads(self) -> tuple[Workload, ...]:
        """The workloads of ``unknown_bits``."""
        found = (self._population.endpoint(number).workload for number in members(self.unknown_bits))
        return tuple(workload for workload in found if workload is not None)

    def _ends(self, ends: tuple[FlowEnd, ...]) -> _Ends:
        together: _Ends | None = None
        resolved = self._resolved
        for end in ends:
            key = (end.namespace, end.kind, end.name)
            found = resolved.get(key)
            if found is None:
                found = resolved[key] = self._resolve(end)
            if found is _NOBODY:
                self.unknown_ends.append(UnknownEnd(end))
            together = found if together is None else _joined(together, found)
        return together or _NOBODY

    def _resolve(self, end: FlowEnd) -> _Ends:
        population = self._population
        if end.is_every:
            in_git = (1 << population.in_git) - 1
            return _Ends(Ends(in_git | population.unlisted_beside_workloads), Ends(in_git))
        outside = self._outside(end)
        if outside is not None and outside.cidrs:
            return self._addresses(outside)
        if outside is not None:
            bits = 1 << population.number_of[id(outside)]
            unlisted = population.unlisted_in(outside.namespace) if not outside.labels else 0
            return _Ends(Ends(bits | unlisted), Ends(bits))
        numbers = [
            number
            for number in self._by_name.get(end.name, ())
            if end.namespace in ("", population.namespaces[number])
            and end.kind in ("", population.workload(number).kind)
        ]
        self._named += numbers
        found = Ends(bits_of(numbers))
        return _Ends(found, found, numbers) if numbers else _NOBODY

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
        return self._addresses(outside).required.addresses

    def _addresses(self, outside: Outside) -> _Ends:
        cluster = self.topology.cluster
        permitted = required = NO_ADDRESSES
        for cidr in outside.cidrs:
            interval = interval_of(str(cidr))
            permitted = union(permitted, (interval,))
            required = union(required, (interval,))
            for network in (*cluster.pods, *cluster.services, *cluster.nodes):
                part = interval_of(str(network))
                if interval.first <= part.first and part.last <= interval.last and part != interval:
                    required = minus(required, (part,))
                    permitted = minus(permitted, (part,)) if network in cluster.pods else permitted
        return _Ends(Ends(0, permitted), Ends(0, required))

    def _ported(self, flow: Flow, ends: _Ends) -> tuple[list[_Ported], list[tuple[int, int]]]:
        """Each port set of a flow with its destinations; and which of its ports which destinations lack."""
        numeric: list[FlowPort] = []
        found: dict[int, int] = {}
        lacking: list[tuple[int, int]] = []
        pods = ends.permitted.pods
        if ends.required is not ends.permitted:
            pods |= ends.required.pods
        for position, port in enumerate(flow.ports):
            if not port.name and not port.of_service:
                numeric.append(port)
            else:
                for number in members(pods) if ends.numbers is None else ends.numbers:
                    resolved = self._resolved_port(port, number)
                    if resolved:
                        found[resolved] = found.get(resolved, 0) | 1 << number
                    else:
                        lacking.append((position, number))
        if len(found) == 1 and not lacking:
            found = dict.fromkeys(found, pods)
        ported = [_Ported(ports, holders) for ports, holders in found.items()]
        if numeric:
            ports = self._table.number(port_set(each for port in numeric for each in _ranges(port)))
            ported.insert(0, _Ported(ports, self._population.everyone))
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
        for stated in self._with_addresses if isinstance(source, Interval) else self._by_source.get(source, ()):
            if not _has(stated.destinations.required, destination):
                continue
            if any(
                self._table.intersection(each.ports, ports)
                for each in stated.ports
                if isinstance(destination, Interval) or each.holders >> destination & 1
            ):
                both = zip(stated.flows, stated.sources, strict=True)
                found.extend(flow for flow, sources in both if _has(sources.required, source))
        return min(found, key=lambda flow: flow.place)

    @cached_property
    def _by_source(self) -> Mapping[int, Sequence[_Together]]:
        found: dict[int, list[_Together]] = {}
        for stated in self._stated:
            pods = 0
            for each in stated.sources:
                pods |= each.required.pods
            for number in members(pods):
                found.setdefault(number, []).append(stated)
        return found

    @cached_property
    def _with_addresses(self) -> Sequence[_Together]:
        return [stated for stated in self._stated if any(each.required.addresses for each in stated.sources)]


def _has(ends: Ends, end: End) -> bool:
    if isinstance(end, int):
        return bool(ends.pods >> end & 1)
    return holds_address(ends.addresses, end.first)


def _all(ends: Iterable[Ends]) -> Ends:
    pods, addresses = 0, NO_ADDRESSES
    for each in ends:
        pods |= each.pods
        if each.addresses:
            addresses = union(addresses, each.addresses)
    return Ends(pods, addresses)


def _joined(one: _Ends, other: _Ends) -> _Ends:
    return _Ends(_both(one.permitted, other.permitted), _both(one.required, other.required))


def _both(one: Ends, other: Ends) -> Ends:
    return Ends(one.pods | other.pods, union(one.addresses, other.addresses))


def _ranges(port: FlowPort) -> Iterator[PortRange]:
    for protocol in (port.protocol,) if port.protocol else PROTOCOLS:
        yield PortRange(protocol, port.first, port.last)
