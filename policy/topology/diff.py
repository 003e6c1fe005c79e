"""``policy topology diff``: what one overlay allows and another does not.

Workloads are the same if they have the same name; the namespace counts only where a name stands in several, since
overlays differ in it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from policy.connectivity.addresses import AddressSet, holds_address, joined, ranges
from policy.connectivity.bits import bits_of, members
from policy.connectivity.endpoints import Endpoint, EndpointKind
from policy.connectivity.matrix import Connectivity
from policy.connectivity.ports import NO_PORTS, PortSet, described, difference
from policy.connectivity.topology import Outside
from policy.reports.plain import json_text, one_line
from policy.topology.formats import connections
from policy.topology.names import names, of_addresses
from policy.topology.picture import Arrow, NodeKind, picture
from policy.topology.reading import Side
from policy.topology.show import connectivity_of


@dataclass(frozen=True, slots=True)
class Only:
    """What only one side has: workloads and connections, sorted."""

    workloads: tuple[str, ...]
    arrows: tuple[Arrow, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """What is no longer there, and what is new."""

    removed: Only
    added: Only

    @property
    def is_any(self) -> bool:
        return any((*self.removed.workloads, *self.removed.arrows, *self.added.workloads, *self.added.arrows))


@dataclass
class _Reach:
    """What ends reach, by name: pods as bits of their numbers, addresses in disjoint ranges."""

    pods: dict[str, list[tuple[int, PortSet]]] = field(default_factory=lambda: defaultdict(list))
    to_addresses: dict[str, list[tuple[AddressSet, PortSet]]] = field(default_factory=lambda: defaultdict(list))
    from_addresses: dict[str, list[tuple[AddressSet, PortSet]]] = field(default_factory=lambda: defaultdict(list))


class _Names:
    """The pods of both sides under their common names, numbered, and what is outside of either."""

    def __init__(self, one: Connectivity, other: Connectivity) -> None:
        self.called = names(one.endpoints, other.endpoints)
        ends = [item for side in (one, other) for item in side.endpoints if item.type is not EndpointKind.ADDRESSES]
        self.kinds = {self.called(item): NodeKind.WORKLOAD if item.is_in_git else NodeKind.OUTSIDE for item in ends}
        self.all = tuple(self.kinds)
        self.number = {name: number for number, name in enumerate(self.all)}
        self.outside = tuple(
            {item.name: item for side in (one, other) for item in side.population.outside if item.cidrs}.values()
        )

    def workloads(self, connectivity: Connectivity) -> set[str]:
        return {self.called(item) for item in connectivity.endpoints if item.is_in_git}


def compare(before: Side, after: Side) -> Difference:
    """What the policies of the two allow differently."""
    one, other = connectivity_of(before), connectivity_of(after)
    known = _Names(one, other)
    old, new = known.workloads(one), known.workloads(other)
    removed, added = _both_bounds(one, other, known), _both_bounds(other, one, known)
    return Difference(Only(tuple(sorted(old - new)), removed), Only(tuple(sorted(new - old)), added))


def _both_bounds(one: Connectivity, other: Connectivity, known: _Names) -> tuple[Arrow, ...]:
    """The connections that only the first allows: for certain, and besides those that it may allow."""
    certain, possible = (
        set(_only(_reach(one, known, possibly=bound), _reach(other, known, possibly=bound), known))
        for bound in (False, True)
    )
    perhaps = {replace(arrow, is_certain=False) for arrow in possible - certain}
    return picture(known.kinds, certain | perhaps).arrows


def _reach(connectivity: Connectivity, known: _Names, *, possibly: bool) -> _Reach:
    reach = _Reach()
    for row in connectivity.rows(possibly=possibly):
        sources = list(_pods(row.sources, known.called))
        destinations = list(_pods(row.destinations, known.called))
        bits = bits_of(known.number[name] for name in destinations)
        for source in sources:
            own = 1 << known.number[source]
            reach.pods[source].append((bits & ~own, row.ports))
            reach.to_addresses[source].extend((one, row.ports) for one in _ranges(row.destinations))
        for destination in destinations:
            reach.from_addresses[destination].extend((one, row.ports) for one in _ranges(row.sources))
    return reach


def _pods(ends: Sequence[Endpoint], called: Callable[[Endpoint], str]) -> Iterator[str]:
    return (called(item) for item in ends if item.type is not EndpointKind.ADDRESSES)


def _ranges(ends: Sequence[Endpoint]) -> Iterator[AddressSet]:
    return (one for item in ends for one in ranges(item.addresses))


def _only(one: _Reach, other: _Reach, known: _Names) -> Iterator[Arrow]:
    for source, granted in one.pods.items():
        theirs = other.pods.get(source, [])
        if sorted(granted) != sorted(theirs):
            for bits, ports in granted:
                for left, more in _beyond(bits, ports, theirs):
                    yield from (Arrow(source, known.all[number], described(more)) for number in members(left))
    for name, text in _only_addresses(one.to_addresses, other.to_addresses, known.outside):
        yield from (Arrow(name, addresses, ports) for addresses, ports in text)
    for name, text in _only_addresses(one.from_addresses, other.from_addresses, known.outside):
        yield from (Arrow(addresses, name, ports) for addresses, ports in text)


def _beyond(bits: int, ports: PortSet, theirs: Sequence[tuple[int, PortSet]]) -> Iterator[tuple[int, PortSet]]:
    """The ends, as bits, that have ports beyond those that the other side has for them."""
    left = bits
    for others, allowed in theirs:
        common = bits & others
        left &= ~others
        more = difference(ports, allowed) if common else NO_PORTS
        if more:
            yield common, more
    if left:
        yield left, ports


def _only_addresses(
    mine: Mapping[str, Sequence[tuple[AddressSet, PortSet]]],
    theirs: Mapping[str, Sequence[tuple[AddressSet, PortSet]]],
    outside: Sequence[Outside],
) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """For each pod what the addresses are called, and the ports, that only the first side has."""
    for name, granted in mine.items():
        allowed = theirs.get(name, ())
        if sorted(granted) == sorted(allowed):
            continue
        cuts = sorted({cut for one, _ in (*granted, *allowed) for cut in one})
        found: dict[PortSet, list[AddressSet]] = defaultdict(list)
        for first, end in pairwise(cuts):
            more = difference(_at(granted, first), _at(allowed, first))
            if more:
                found[more].append((first, end))
        named = ((text, ports) for ports, parts in found.items() for text in of_addresses(joined(parts), outside))
        yield name, [(text, described(ports)) for text, ports in named]


def _at(granted: Sequence[tuple[AddressSet, PortSet]], address: int) -> PortSet:
    return next((ports for one, ports in granted if holds_address(one, address)), NO_PORTS)


def text(found: Difference) -> str:
    """A line for each connection: ``-`` only the first allows it, ``+`` only the second; workloads come first."""
    lines = [f"- workload {name}" for name in found.removed.workloads]
    lines += [f"+ workload {name}" for name in found.added.workloads]
    marked = [(arrow, "-") for arrow in found.removed.arrows] + [(arrow, "+") for arrow in found.added.arrows]
    lines += [
        f"{mark} {arrow}"
        for arrow, mark in sorted(marked, key=lambda item: (item[0].source, item[0].destination, item[1]))
    ]
    return "".join(one_line(line) + "\n" for line in lines)


def json(found: Difference) -> str:
    """``removed`` and ``added``, each with its ``workloads`` and ``connections``."""
    return json_text(
        {
            name: {"workloads": list(only.workloads), "connections": connections(only.arrows)}
            for name, only in (("removed", found.removed), ("added", found.added))
        }
    )
