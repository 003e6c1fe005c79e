"""Reads topology.yaml; what it holds, and how it is written, is in ``policy.connectivity.topology``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from ipaddress import ip_network
from pathlib import Path
from sys import intern

from policy.connectivity.topology import (
    EVERY,
    FIRST_PORT,
    LAST_PORT,
    PROTOCOLS,
    Cluster,
    Flow,
    FlowEnd,
    FlowPort,
    NamedPort,
    Network,
    Outside,
    Topology,
)
from policy.errors import PolicyError, SettingsError, SourceError
from policy.findings import Place
from policy.kustomize.marks import List, Map, Mark, Node, Scalar, Source, present
from policy.kustomize.parse import block_shift, decode, parse
from policy.manifests.names import nearest
from policy.manifests.ports import port_problem

_TABLES = ("outside", "cluster", "flows", "silent")
_OUTSIDE = ("namespace", "labels", "cidrs", "ports", "namespaceLabels")
_CLUSTER = ("pods", "services", "nodes")
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
_KIND = re.compile(r"[A-Z][A-Za-z]*")
_PORT = re.compile(r"(?:(?P<protocol>[A-Z]+)\s+)?(?P<service>service/)?(?P<port>\S+)")
_FLOW = 'a flow is written "source -> destination : port"'


def load_topology(file: Path, name: str | None = None) -> Topology:
    """Reads a topology.yaml; ``name`` is what places and errors call it, else its path.

    Raises:
        SettingsError: it cannot be read, is no YAML, or says something that cannot be understood.
    """
    name = name or str(file)
    try:
        text = decode(file.read_bytes(), name)
        parsed = parse(text, Source(name))
    except OSError as error:
        raise SettingsError(f"cannot be read: {error.strerror}", file=name) from error
    except SourceError as error:
        raise SettingsError(error.message, file=name, line=error.line) from error
    for duplicate in parsed.duplicate_keys:
        message = f"{duplicate.key} stands here a second time, first in line {duplicate.first.line}"
        raise SettingsError(message, file=name, line=duplicate.place.line)
    roots = list(parsed.roots)
    if len(roots) != 1:
        raise SettingsError(f"holds {len(roots) or 'no'} documents, where one is read", file=name)
    return _Reader(name, text).topology(roots[0])


def parse_port(text: str, place: Place) -> FlowPort:
    """A port as flows state it.

    Raises:
        ValueError: it is none; the message says why.
    """
    if text == "all":
        return FlowPort("", "", FIRST_PORT, LAST_PORT, of_service=False, place=place)
    if text in PROTOCOLS:
        return FlowPort(text, "", FIRST_PORT, LAST_PORT, of_service=False, place=place)
    match = _PORT.fullmatch(text)
    if match is None:
        raise ValueError(f'{text!r} is no port: write "http", "8080", "TCP 5432", "TCP 8000-8100" or "all"')
    protocol, port, of_service = match["protocol"] or "", match["port"], bool(match["service"])
    if protocol and protocol not in PROTOCOLS:
        raise ValueError(f"{protocol} is no protocol; there are {', '.join(PROTOCOLS)}")
    first, _, last = port.partition("-")
    if first.isdecimal() and (last.isdecimal() or not last) and port.isascii():
        return _numbered(protocol, int(first), int(last or first), of_service=of_service, place=place)
    if port.upper() in PROTOCOLS:
        raise ValueError(f"a protocol stands before its port, in capitals: not {text!r}")
    if problem := port_problem(port):
        raise ValueError(f"{text!r} is no port: {problem}")
    return FlowPort(protocol, port, 0, 0, of_service=of_service, place=place)


def _numbered(protocol: str, first: int, last: int, *, of_service: bool, place: Place) -> FlowPort:
    if not FIRST_PORT <= first <= last <= LAST_PORT:
        raise ValueError(f"ports are numbers from {FIRST_PORT} to {LAST_PORT}, and a range goes up")
    if of_service and first != last:
        raise ValueError("a Service has single ports: state each of them, or the range of its pods' ports")
    return FlowPort(protocol or "TCP", "", first, last, of_service=of_service, place=place)


class _Reader:
    def __init__(self, file: str, text: str) -> None:
        self._file, self._lines = file, text.split("\n")

    def topology(self, root: Node) -> Topology:
        table = self._map(root, "topology.yaml")
        self._known(table, _TABLES, "topology.yaml")
        if "flows" not in table.fields:
            raise SettingsError("there is no list of flows", file=self._file)
        outside = {
            name: self._outside(name, node) for name, node in self._fields(table.fields.get("outside"), "outside")
        }
        flows = self._flows(table, outside)
        silent = tuple(self._silent(table.fields.get("silent"), outside, flows))
        return Topology(self._file, outside, self._cluster(table.fields.get("cluster")), flows, silent)

    def _outside(self, name: str, node: Node) -> Outside:
        table = self._map(node, f"outside {name}")
        if not _NAME.fullmatch(name):
            raise self._error(f"{name!r} is no name: lower case letters, digits, - and .", table)
        self._known(table, _OUTSIDE, f"outside {name}")
        namespace = self._string(table.fields.get("namespace"), f"the namespace of {name}")
        labels = self._labels(table.fields.get("labels"), name)
        of_namespace = self._labels(table.fields.get("namespaceLabels"), f"the namespace of {name}")
        cidrs = self._networks(table.fields.get("cidrs"), f"the cidrs of {name}")
        ports = tuple(self._named_ports(table.fields.get("ports"), name))
        if cidrs and (namespace or labels or ports or of_namespace):
            raise self._error(f"outside {name} is either addresses (cidrs) or pods (namespace, labels, ports)", table)
        if not cidrs and not namespace:
            raise self._error(f"outside {name} needs a namespace, or cidrs", table)
        return Outside(name, namespace or None, labels, cidrs, ports, table.mark.place, of_namespace)

    def _labels(self, node: Node | None, owner: str) -> Mapping[str, str]:
        return {
            key: self._string(value, f"label {key} of {owner}") or ""
            for key, value in self._fields(node, f"the labels of {owner}")
        }

    def _named_ports(self, node: Node | None, outside: str) -> Iterator[NamedPort]:
        for name, value in self._fields(node, f"the ports of {outside}"):
            if problem := port_problem(name):
                raise self._error(f"port {name} of {outside}: {problem}", value)
            for text, place in self._parts(value, self._string(value, f"port {name} of {outside}") or ""):
                port = self._port(text, place)
                if not port.protocol or port.name or port.of_service or port.first != port.last:
                    raise self._at(place, f'port {name} of {outside} needs a protocol and a number, like "UDP 53"')
                yield NamedPort(name, port.protocol, port.first)

    def _cluster(self, node: Node | None) -> Cluster:
        if present(node) is None:
            return Cluster()
        table = self._map(node, "cluster")
        self._known(table, _CLUSTER, "cluster")
        pods, services, nodes = (self._networks(table.fields.get(name), f"{name} of the cluster") for name in _CLUSTER)
        return Cluster(pods, services, nodes)

    def _networks(self, node: Node | None, what: str) -> tuple[Network, ...]:
        items = self._list(node, what)
        return tuple(self._network(item, self._string(item, f"each of {what}") or "") for item in items)

    def _network(self, node: Node, text: str) -> Network:
        try:
            network = ip_network(text, strict=False)
        except ValueError:
            raise self._error(f"{text!r} is no address range like 10.0.0.0/8 or 2001:db8::/32", node) from None
        if text != text.strip() or "/" not in text or str(network.network_address) != _address(text):
            raise self._error(f"{text} is not how the range is written: {network}", node)
        return network

    def _flows(self, table: Map, outside: Mapping[str, Outside]) -> tuple[Flow, ...]:
        flows = tuple(self._flow(item) for item in self._list(table.fields["flows"], "flows"))
        seen: dict[tuple[FlowEnd, FlowEnd, FlowPort], int] = {}
        for flow in flows:
            for source, destination, port in _single(flow):
                key = (source, destination, port)
                if key in seen:
                    message = f"{source} -> {destination} : {port} is stated already in line {seen[key]}"
                    raise self._at(flow.place, message)
                seen[key] = flow.place.line
                self._resolvable(destination, port, outside)
        return flows

    def _silent(self, node: Node | None, outside: Mapping[str, Outside], flows: tuple[Flow, ...]) -> Iterator[FlowEnd]:
        stated = {end: flow for flow in flows for end in (*flow.sources, *flow.destinations)}
        for item in self._list(node, "silent"):
            end = self._end(self._string(item, "each of silent") or "", item.mark.place)
            if end.is_every or (end.name in outside and not end.namespace and not end.kind):
                raise self._error(f"{end} is no workload: silent are single workloads of Git", item)
            if end in stated:
                raise self._error(
                    f"{end} is not silent: line {stated[end].place.line} states {stated[end].text!r}", item
                )
            yield end

    def _resolvable(self, end: FlowEnd, port: FlowPort, outside: Mapping[str, Outside]) -> None:
        """What is not in Git has the ports that topology.yaml states and no Service."""
        found = outside.get(end.name) if not end.namespace and not end.kind else None
        if found is None:
            return
        if port.of_service:
            raise self._at(port.place, f"{end} is not in Git and so has no Service: state the port of its pods")
        names = [each.name for each in found.ports if port.protocol in ("", each.protocol)]
        if port.name and port.name not in names:
            near = nearest(port.name, names)
            message = f"{end} has no port {port}{near + ' Else' if near else ':'} state a protocol and a number"
            raise self._at(port.place, message + (", or the port under outside" if found.namespace else ""))

    def _flow(self, node: Node) -> Flow:
        if isinstance(node, Map):
            raise self._error(f"{_FLOW}, with the quotes: without them YAML reads a mapping", node)
        text = self._string(node, "a flow")
        assert isinstance(node, Scalar)
        ends, colon, ports = (text or "").partition(" : ")
        sources, arrow, destinations = ends.partition("->")
        if not colon or not arrow or "->" in destinations:
            raise self._error(f"{_FLOW}, not {text!r}", node)
        after_arrow, after_colon = len(sources) + len(arrow), len(ends) + len(colon)
        return Flow(
            tuple(self._end(*part) for part in self._parts(node, sources)),
            tuple(self._end(*part) for part in self._parts(node, destinations, after_arrow)),
            tuple(self._port(*part) for part in self._parts(node, ports, after_colon)),
            node.mark.place,
            text or "",
            intern(sources.strip()),
            intern((text or "")[after_arrow:].strip()),
        )

    def _parts(self, node: Node, text: str, start: int = 0) -> Iterator[tuple[str, Place]]:
        """The parts of a comma-separated list within a scalar, each with its place."""
        assert isinstance(node, Scalar)
        shift = block_shift(node, self._lines)
        for part in text.split(","):
            stripped = part.strip()
            if not stripped:
                raise self._error(f"{node.text!r} has nothing where a name or a port belongs", node)
            if shift.fixed is None:
                column = shift.columns + start + len(part) - len(part.lstrip()) + 1
                place = Place(self._file, shift.lines + 1, column, column + len(stripped))
            else:
                place = node.mark.place
            yield stripped, place
            start += len(part) + 1

    def _end(self, text: str, place: Place) -> FlowEnd:
        *before, name = text.split("/")
        kind = before.pop() if before and _KIND.fullmatch(before[-1]) else ""
        namespace = before.pop() if before else ""
        is_every = name == EVERY and not kind
        if before or (not is_every and not _NAME.fullmatch(name)) or (namespace and not _NAME.fullmatch(namespace)):
            raise self._at(place, f"{text!r} is no name of a workload: name, namespace/name or Kind/name")
        if is_every and namespace:
            raise self._at(place, f"{EVERY} is every workload, of whatever namespace; there is no {text}")
        return FlowEnd(name, namespace, kind, place)

    def _port(self, text: str, place: Place) -> FlowPort:
        try:
            return parse_port(text, place)
        except ValueError as error:
            raise self._at(place, str(error)) from error

    def _known(self, table: Map, known: tuple[str, ...], what: str) -> None:
        for key, node in table.fields.items():
            if key not in known:
                raise self._error(f"unknown key {key} in {what}{nearest(key, known)}", node)

    def _map(self, node: Node | None, what: str) -> Map:
        if not isinstance(node, Map):
            raise self._error(f"{what} must be a mapping", node)
        return node

    def _fields(self, node: Node | None, what: str) -> Iterator[tuple[str, Node]]:
        if present(node) is not None:
            yield from self._map(node, what).fields.items()

    def _list(self, node: Node | None, what: str) -> list[Node]:
        if present(node) is None:
            return []
        if not isinstance(node, List):
            raise self._error(f"{what} must be a list", node)
        return node.items

    def _string(self, node: Node | None, what: str) -> str | None:
        """The text of a scalar that is a string; None where it is absent."""
        if node is None:
            return None
        if not isinstance(node, Scalar) or not isinstance(node.value, str) or not node.value:
            raise self._error(f"{what} must be a string", node)
        return node.value

    def _error(self, message: str, node: Node | None) -> PolicyError:
        mark: Mark | None = node.mark if node is not None else None
        return SettingsError(message, file=self._file, line=mark.line if mark else None)

    def _at(self, place: Place, message: str) -> PolicyError:
        return SettingsError(message, file=self._file, line=place.line)


def _address(cidr: str) -> str:
    """The address of a range as Python writes it, so that other spellings of IPv6 are taken too."""
    address = ip_network(cidr.partition("/")[0])
    return str(address.network_address)


def _single(flow: Flow) -> Iterator[tuple[FlowEnd, FlowEnd, FlowPort]]:
    for source in flow.sources:
        for destination in flow.destinations:
            yield from ((source, destination, port) for port in flow.ports)
