"""Everything that is allowed, as few rows: sources that reach the same destinations on the same ports are one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from policy.connectivity.bits import bits_of, first, members
from policy.connectivity.ports import PortTable

if TYPE_CHECKING:
    from policy.connectivity.matrix import Connectivity

Grants = Mapping[int, int]
"""What one end may do: number of a port set -> the other ends, as bits. Port sets may overlap."""


class Reach(NamedTuple):
    """Sources and destinations as bits, and the number of a port set."""

    sources: int
    destinations: int
    ports: int


def rows_of(connectivity: Connectivity, *, possibly: bool) -> Iterator[Reach]:
    """The rows, each pair in one of them at most; pairs of which neither is in Git are left out."""
    population, table = connectivity.population, connectivity.table
    in_git = (1 << population.in_git) - 1
    by_row: dict[tuple[tuple[int, int], ...], list[int]] = {}
    accepted = _Accepted(connectivity, possibly=possibly)
    egress = connectivity.sides["egress"]
    for source, bits in _sources(connectivity):
        sent = egress.possibly(source) if possibly else egress.surely(source)
        row = _disjoint(_meet(sent, accepted(source), table), table)
        mine = population.everyone if source < population.in_git else in_git
        key = tuple(sorted((ports, found & mine) for ports, found in row.items() if found & mine))
        by_row.setdefault(key, []).append(bits)
    for key, sources in by_row.items():
        together = 0
        for bits in sources:
            together |= bits
        for ports, destinations in key:
            if together != destinations or together.bit_count() > 1:
                yield Reach(together, destinations, ports)


def _sources(connectivity: Connectivity) -> Iterator[tuple[int, int]]:
    """A number to ask about, and all numbers that it stands for."""
    population = connectivity.population
    for number in range(population.first_address):
        yield number, 1 << number
    for bits in connectivity.address_groups:
        yield first(bits), bits


class _Accepted:
    """What destinations accept, seen from the sources: the ingress grants, transposed."""

    def __init__(self, connectivity: Connectivity, *, possibly: bool) -> None:
        side, population = connectivity.sides["ingress"], connectivity.population
        self._open = population.everyone & ~side.isolated & ~(0 if possibly else side.doubtful)
        columns: dict[tuple[int, int], int] = {}
        for destination in members(side.ruled):
            if self._open >> destination & 1:
                continue
            for ports, sources in (side.possibly(destination) if possibly else side.surely(destination)).items():
                columns[sources, ports] = columns.get((sources, ports), 0) | 1 << destination
        self._by_sources: dict[int, list[tuple[int, int]]] = {}
        for (sources, ports), destinations in columns.items():
            self._by_sources.setdefault(sources, []).append((ports, destinations))
        self._admitting: dict[int, list[int]] = {}
        self._known: dict[tuple[int, ...], Grants] = {}
        asked = bits_of(number for number, _ in _sources(connectivity))
        for sources in self._by_sources:
            for source in members(sources & asked):
                self._admitting.setdefault(source, []).append(sources)

    def __call__(self, source: int) -> Grants:
        admitting = self._admitting.get(source, ())
        key = tuple(map(id, admitting))
        found = self._known.get(key)
        if found is None:
            row = {PortTable.ALL: self._open} if self._open else {}
            for sources in admitting:
                for ports, destinations in self._by_sources[sources]:
                    row[ports] = row.get(ports, 0) | destinations
            found = self._known[key] = row
        return found


def _meet(sent: Grants, accepted: Grants, table: PortTable) -> dict[int, int]:
    """What is both sent and accepted."""
    found: dict[int, int] = {}
    for ports, destinations in sent.items():
        for others, accepting in accepted.items():
            both = destinations & accepting
            if both:
                number = table.intersection(ports, others)
                if number:
                    found[number] = found.get(number, 0) | both
    return found


def _disjoint(row: dict[int, int], table: PortTable) -> dict[int, int]:
    """The row with each destination in one port set alone: the union of those that it was in."""
    parts: dict[int, int] = {}
    for ports, destinations in row.items():
        left = destinations
        for others, known in tuple(parts.items()):
            both = known & left
            if both:
                left &= ~both
                union = table.union(ports, others)
                if union != others:
                    parts[others] ^= both
                    parts[union] = parts.get(union, 0) | both
        if left:
            parts[ports] = parts.get(ports, 0) | left
    return {ports: bits for ports, bits in parts.items() if bits}
