"""The allowed connections in the line format of np-guard's netpol-analyzer, so that both tools can be compared.

``source => destination : connections``, sorted; denied pairs, pairs of the same workload and pairs of addresses are
left out. That tool's readings differ from ours in some points, and this listing follows it: pods have the labels of
their template and no other, pods on the host's network are pods like others, an ipBlock never matches a pod, only IPv4
is listed, pods of one owner are one workload, and what an Ingress or a Route leads to is reached from
``{ingress-controller}`` on ports that the pods declare.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from policy.connectivity.addresses import address_text, has_all
from policy.connectivity.endpoints import Endpoint, EndpointKind
from policy.connectivity.matrix import Connectivity
from policy.connectivity.ports import (
    ALL_PORTS,
    NO_PORTS,
    PortRange,
    PortSet,
    intersection,
    port_set,
)
from policy.connectivity.selections import NP_GUARD
from policy.connectivity.topology import Outside
from policy.findings import Place
from policy.manifests.index import Index
from policy.manifests.ingresses import backends
from policy.manifests.pod_spec import IntOrString
from policy.manifests.ports import target_port
from policy.manifests.resources import Ingress, Service
from policy.manifests.workloads import Workload

_CONTROLLER = Outside("{ingress-controller}", "ingress-controller-ns", {}, (), (), Place("", 1))


def listing(index: Index) -> str:
    """One line for each pair that may connect."""
    connectivity = Connectivity(index, (_CONTROLLER,), profile=NP_GUARD)
    lines: dict[tuple[str, str], PortSet] = {}
    for row in connectivity.rows():
        for source in _pods(row.sources):
            for destination in _pods(row.destinations):
                _add(lines, _name(source), _name(destination), row.ports)
        for source in _pods(row.sources):
            for name in _ranges(row.destinations, connectivity):
                _add(lines, _name(source), name, row.ports)
        for destination in _pods(row.destinations):
            for name in _ranges(row.sources, connectivity):
                _add(lines, name, _name(destination), row.ports)
    for destination, ports in _from_controller(index, connectivity):
        _add(lines, _CONTROLLER.name, _name(destination), ports)
    return "".join(f"{source} => {end} : {_connections(ports)}\n" for (source, end), ports in sorted(lines.items()))


def _add(lines: dict[tuple[str, str], PortSet], source: str, destination: str, ports: PortSet) -> None:
    if source != destination and ports:
        lines[source, destination] = port_set((*lines.get((source, destination), NO_PORTS), *ports))


def _pods(ends: Sequence[Endpoint]) -> Iterator[Endpoint]:
    return (item for item in ends if item.is_in_git)


def _name(item: Endpoint) -> str:
    return f"{item.namespace}/{item.name}[{item.kind}]"


def _ranges(ends: Sequence[Endpoint], connectivity: Connectivity) -> Iterator[str]:
    """The ranges of addresses as every ipBlock cuts them."""
    for item in ends:
        if item.type is EndpointKind.ADDRESSES:
            for cell in connectivity.population.cells:
                if has_all(item.addresses, cell):
                    first, end = cell
                    yield f"{address_text(first)}-{address_text(end - 1)}[External]"


def _from_controller(index: Index, connectivity: Connectivity) -> Iterator[tuple[Endpoint, PortSet]]:
    by_workload = {id(item.workload): item for item in connectivity.endpoints if item.is_in_git}
    controller = next(item for item in connectivity.endpoints if item.outside is _CONTROLLER)
    for workload, ports in _exposed(index):
        endpoint = by_workload[id(workload)]
        yield endpoint, intersection(ports, connectivity.allowed(controller, endpoint))


def _exposed(index: Index) -> Iterator[tuple[Workload, PortSet]]:
    """The workloads behind every Ingress and Route, with the ports they lead to."""
    for ingress in index.all(Ingress):
        for backend in backends(ingress):
            if backend.service:
                yield from _behind(index, ingress.namespace, backend.service, backend.port)
    for resource in index.resources:
        if resource.ref.kind == "Route" and resource.group == "route.openshift.io":
            spec = _mapping(resource.raw.get("spec"))
            alternates = spec.get("alternateBackends")
            port = _mapping(spec.get("port")).get("targetPort")
            for target in [spec.get("to"), *(alternates if isinstance(alternates, list) else [])]:
                yield from _behind(
                    index, resource.ref.namespace, str(_mapping(target).get("name")), port, is_target=True
                )


def _behind(
    index: Index, namespace: str, name: str, port: IntOrString | None, *, is_target: bool = False
) -> Iterator[tuple[Workload, PortSet]]:
    """The pods of a Service, with the ports that they declare of those that a port of the Service means.

    ``is_target`` says that the port may also be that of the pods, as in a Route.
    """
    service = index.find(Service, namespace, name)
    if service is None:
        return
    for stated in service.spec.ports or ():
        if port is None or port in (stated.port, stated.name) or (is_target and port == stated.target):
            for workload in index.pods_of(service):
                found = target_port(workload, stated.target, stated.transport)
                if found is not None:
                    yield workload, (PortRange(found.transport, found.container_port, found.container_port),)


def _connections(ports: PortSet) -> str:
    """``TCP 80,8000-8100,UDP 53``: protocols in the order of the alphabet."""
    if ports == ALL_PORTS:
        return "All Connections"
    parts = []
    for protocol, ranges in groupby(sorted(ports), key=lambda one: one.protocol):
        numbers = (f"{one.first}" if one.first == one.last else f"{one.first}-{one.last}" for one in ranges)
        parts.append(f"{protocol} {','.join(numbers)}")
    return ",".join(parts)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
