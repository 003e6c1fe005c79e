"""Everything that is allowed, as few rows: sources that reach the same destinations on the same ports are one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from policy.connectivity.bits import bits_of, first, members
from policy.connectivity.ports import PortTable

if TYPE_CHECKING:
    from policy.connectivity.matrix import Connectivity

_FEW = 64
"""Up to so many destinations are asked one by one; beyond, it costs less to transpose."""

Grants = Mapping[int, int]
"""What one end may do: number of a port set -> the other ends, as bits. Port sets may overlap."""


class Reach(NamedTuple):
    """Sources and destinations as bits, and the number of a port set."""

    sources: int
    destinations: int
    ports: int


def rows_of(connectivity: Connectivity, *, possibly: bool) -> Iterator[Reach]:
    """The rows, each pair in one of them at most; pairs of which neither is in Git are left out."""
    population = connectivity.population
    in_git = (1 << population.in_git) - 1
    egress = connectivity.sides["egress"]
    meet = _Meeting(connectivity, possibly=possibly)
    by_row: dict[tuple[tuple[int, int], ...], list[int]] = {}
    for source, bits in _sources(connectivity, meet):
        sent = egress.possibly(source) if possibly else egress.surely(source)
        row = meet(sent, source, population.everyone if source < population.in_git else in_git)
        if row:
            by_row.setdefault(tuple(sorted(row.items())), []).append(bits)
    for key, sources in by_row.items():
        together = 0
        for bits in sources:
            together |= bits
        for ports, destinations in key:
            if together != destinations or together.bit_count() > 1:
                yield Reach(together, destinations, ports)


def _sources(connectivity: Connectivity, meet: _Meeting) -> Iterator[tuple[int, int]]:
    """A number to ask about, and all numbers that it stands for: addresses that the same destinations admit are one."""
    population = connectivity.population
    for number in range(population.first_address):
        yield number, 1 << number
    alike: dict[tuple[int, ...], list[int]] = {}
    for bits in connectivity.address_groups:
        alike.setdefault(meet.admitting(first(bits)), []).append(bits)
    for groups in alike.values():
        together = 0
        for bits in groups:
            together |= bits
        yield first(groups[0]), together


class _Meeting:
    """What a source sends and its destinations accept.

    A source of few destinations asks each of them. For the others the ingress is transposed, once: by the sets of
    sources that some destinations admit on the same ports.
    """

    def __init__(self, connectivity: Connectivity, *, possibly: bool) -> None:
        self._connectivity, self._table = connectivity, connectivity.table
        self._side, self._possibly = connectivity.sides["ingress"], possibly
        self._known: dict[tuple[object, ...], dict[int, int]] = {}

    def __call__(self, sent: Grants, source: int, asked: int) -> dict[int, int]:
        reached = 0
        for destinations in sent.values():
            reached |= destinations
        reached &= asked
        if reached.bit_count() <= _FEW:
            return self._one_by_one(sent, source, reached)
        admitting = self._admitting.get(source, [])
        key = (id(sent), asked, *map(id, admitting))
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = _disjoint(self._transposed(sent, admitting, asked), self._table)
        return found

    def admitting(self, source: int) -> tuple[int, ...]:
        """By what destinations admit a source: the same for sources that may reach the same ones on the same ports."""
        return tuple(map(id, self._admitting.get(source, ())))

    def _accepted(self, destination: int) -> Grants:
        return self._side.possibly(destination) if self._possibly else self._side.surely(destination)

    def _one_by_one(self, sent: Grants, source: int, reached: int) -> dict[int, int]:
        table = self._table
        found: dict[int, int] = {}
        for destination in members(reached):
            going = coming = PortTable.NONE
            for ports, destinations in sent.items():
                if destinations >> destination & 1:
                    going = table.union(going, ports)
            for ports, sources in self._accepted(destination).items():
                if sources >> source & 1:
                    coming = table.union(coming, ports)
            both = table.intersection(going, coming)
            if both:
                found[both] = found.get(both, 0) | 1 << destination
        return found

    def _transposed(self, sent: Grants, admitting: list[list[tuple[int, int]]], asked: int) -> dict[int, int]:
        found: dict[int, int] = {}
        for ports, destinations in sent.items():
            destinations &= asked
            for accepted in (self._open, *admitting):
                for others, accepting in accepted:
                    both = destinations & accepting
                    if both:
                        number = self._table.intersection(ports, others)
                        if number:
                            found[number] = found.get(number, 0) | both
        return found

    @cached_property
    def _open(self) -> list[tuple[int, int]]:
        """Who accepts everything from everybody."""
        side = self._side
        bits = self._connectivity.population.everyone & ~side.isolated & ~(0 if self._possibly else side.doubtful)
        return [(PortTable.ALL, bits)]

    @cached_property
    def _admitting(self) -> dict[int, list[list[tuple[int, int]]]]:
        """For each source: port sets and the destinations that admit it, by the set of sources that they admit."""
        columns: dict[int, dict[int, list[int]]] = {}
        for destination in members(self._side.ruled & ~self._open[0][1]):
            for ports, sources in self._accepted(destination).items():
                columns.setdefault(sources, {}).setdefault(ports, []).append(destination)
        found: dict[int, list[list[tuple[int, int]]]] = {}
        population = self._connectivity.population
        asked = population.everyone ^ population.addresses
        asked |= bits_of(first(bits) for bits in self._connectivity.address_groups)
        for sources, by_ports in columns.items():
            accepted = [(ports, bits_of(numbers)) for ports, numbers in by_ports.items()]
            for source in members(sources & asked):
                found.setdefault(source, []).append(accepted)
        return found


def _disjoint(row: dict[int, int], table: PortTable) -> dict[int, int]:
    """The row with each destination in one port set alone: the union of those that it was in."""
    together = count = 0
    for destinations in row.values():
        together |= destinations
        count += destinations.bit_count()
    if together.bit_count() == count:
        return row
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
