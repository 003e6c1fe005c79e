"""Everything that is allowed, as few rows: sources that reach the same destinations on the same ports are one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise

import msgspec

from policy.connectivity.addresses import V6, AddressSet, Interval, common, merged, minus
from policy.connectivity.bits import bits_of, members
from policy.connectivity.policies import Direction
from policy.connectivity.population import Population
from policy.connectivity.ports import PortTable
from policy.connectivity.selections import Ends
from policy.connectivity.sides import Grants, Side

_FEW = 64
"""Up to so many sources of a destination keep what they are admitted to on their own; more share it."""

_Columns = tuple[tuple[int, int], ...]
"""Port sets, and the destinations (bits) that admit some sources on them."""


class Reach(msgspec.Struct, frozen=True):
    """Sources and destinations, and the number of a port set."""

    sources: Ends
    destinations: Ends
    ports: int


def rows_of(
    population: Population, sides: Mapping[Direction, Side], table: PortTable, *, possibly: bool
) -> Iterator[Reach]:
    """The rows, each pair in one of them at most; pairs of which neither is in Git are left out."""
    in_git = (1 << population.in_git) - 1
    egress = sides["egress"]
    meet = _Meeting(sides["ingress"], population, table, possibly=possibly)
    by_row: dict[object, tuple[list[int], Mapping[int, int], Mapping[int, AddressSet]]] = {}
    for source in range(population.size):
        sent = egress.granted(source, possibly=possibly)
        row = meet(sent.pods, source, None if source < population.in_git else in_git)
        addresses: Mapping[int, AddressSet] = {}
        if sent.addresses and source < population.in_git:
            addresses = _apart(sent.addresses, table)
        if row or addresses:
            key = (_key(row), _key(addresses) if addresses else ())
            by_row.setdefault(key, ([], row, addresses))[0].append(source)  # asked once: to hash bits takes long
    for numbers, row, addresses in by_row.values():
        sources = Ends(bits_of(numbers))
        for ports in sorted(row.keys() | addresses.keys()) if addresses else row:
            destinations = Ends(row.get(ports, 0), addresses.get(ports, ()))
            if destinations.addresses or destinations.pods != sources.pods or len(numbers) > 1:
                yield Reach(sources, destinations, ports)
    yield from _from_addresses(sides["ingress"], population, table, possibly=possibly)


class _Meeting:
    """What a source sends and its destinations accept: the ingress is transposed, once.

    What few sources are admitted to is kept for each of them; what many are admitted to is shared between them, by the
    sets of sources that some destinations admit on the same ports.
    """

    def __init__(self, side: Side, population: Population, table: PortTable, *, possibly: bool) -> None:
        self._side, self._table, self._possibly = side, table, possibly
        self._few: dict[int, dict[int, int]] = {}
        self._many: dict[int, list[_Columns]] = {}
        self._known: dict[tuple[int, ...], Mapping[int, int]] = {}
        self._open = population.everyone & ~side.isolated & ~(0 if possibly else side.doubtful)
        shared: dict[int, dict[int, list[int]]] = {}
        for destination in members(side.ruled & ~self._open):
            bit = 1 << destination
            for ports, sources in side.granted(destination, possibly=possibly).pods.items():
                if sources.bit_count() > _FEW:
                    shared.setdefault(sources, {}).setdefault(ports, []).append(destination)
                else:
                    self._admit(sources, ports, bit)
        for sources, by_ports in shared.items():
            columns = tuple((ports, bits_of(numbers)) for ports, numbers in by_ports.items())
            for source in members(sources):
                self._many.setdefault(source, []).append(columns)

    def _admit(self, sources: int, ports: int, destination: int) -> None:
        rows = self._few
        for source in members(sources):
            row = rows.get(source)
            if row is None:
                rows[source] = {ports: destination}
            elif ports in row:
                row[ports] |= destination
            else:
                row[ports] = destination

    def __call__(self, sent: Mapping[int, int], source: int, asked: int | None) -> Mapping[int, int]:
        """Each port set with the destinations reached on exactly these ports; ``asked`` None asks for all."""
        if not sent:
            return {}
        few, many = self._few.get(source), self._many.get(source, ())
        if few is not None and asked is None and few == sent and (len(few) == 1 or _is_disjoint(few)):
            return few  # all that is sent is admitted, and others can add nothing
        if many and (reached := _all_of(sent, asked)).bit_count() <= _FEW:
            return self._one_by_one(sent, source, reached)
        if few:
            return self._met(sent, (*(few.items()),), many, asked)
        key = (id(sent), -1 if asked is None else asked, *map(id, many))
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._met(sent, (), many, asked)
        return found

    def _one_by_one(self, sent: Mapping[int, int], source: int, reached: int) -> dict[int, int]:
        """By asking each destination: where there are few, and the source shares what it is admitted to."""
        table = self._table
        found: dict[int, int] = {}
        for destination in members(reached):
            going = PortTable.NONE
            for ports, destinations in sent.items():
                if destinations >> destination & 1:
                    going = table.union(going, ports)
            coming = self._side.granted(destination, possibly=self._possibly).on(source, table)
            both = table.intersection(going, coming)
            if both:
                found[both] = found.get(both, 0) | 1 << destination
        return found

    def _met(
        self, sent: Mapping[int, int], few: _Columns, many: Iterable[_Columns], asked: int | None
    ) -> Mapping[int, int]:
        found: dict[int, int] = {}
        for ports, destinations in sent.items():
            if asked is not None:
                destinations &= asked
            for columns in (((PortTable.ALL, self._open),), few, *many):
                for others, accepting in columns:
                    both = destinations & accepting
                    if both and (number := self._table.intersection(ports, others)):
                        found[number] = found.get(number, 0) | both
        return disjoint(found, self._table)


def _key(row: Mapping[int, object]) -> tuple[object, ...]:
    return tuple(row.items()) if len(row) == 1 else tuple(sorted(row.items()))


def _all_of(sent: Mapping[int, int], asked: int | None) -> int:
    reached = 0
    for destinations in sent.values():
        reached |= destinations
    return reached if asked is None else reached & asked


def _is_disjoint(row: Mapping[int, int]) -> bool:
    together = 0
    for destinations in row.values():
        if together & destinations:
            return False
        together |= destinations
    return True


def disjoint(row: Mapping[int, int], table: PortTable) -> Mapping[int, int]:
    """The row with each destination in one port set alone: the union of those that it was in."""
    if len(row) < 2 or _is_disjoint(row):
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


def _apart(granted: Mapping[int, AddressSet], table: PortTable) -> dict[int, AddressSet]:
    """The same, with each address in one port set alone."""
    if len(granted) == 1:
        return dict(granted)
    parts: dict[int, AddressSet] = {}
    for ports, addresses in granted.items():
        left = addresses
        for others, known in tuple(parts.items()):
            both = common(known, left)
            union = table.union(ports, others)
            if both:
                left = minus(left, both)
            if both and union != others:
                parts[others] = minus(parts[others], both)
                parts[union] = merged((*parts.get(union, ()), *both))
        if left:
            parts[ports] = merged((*parts.get(ports, ()), *left))
    return {ports: addresses for ports, addresses in parts.items() if addresses}


def _from_addresses(side: Side, population: Population, table: PortTable, *, possibly: bool) -> Iterator[Reach]:
    """The rows whose sources are addresses: those that the same pods in Git admit on the same ports are one."""
    admitting: dict[int, tuple[Grants, list[int]]] = {}
    for destination in range(population.in_git):
        accepted = side.granted(destination, possibly=possibly)
        if accepted.addresses:
            admitting.setdefault(id(accepted), (accepted, []))[1].append(destination)
    sets: dict[AddressSet, list[tuple[int, int]]] = {}
    for accepted, numbers in admitting.values():
        for ports, addresses in _apart(accepted.addresses, table).items():
            sets.setdefault(addresses, []).append((ports, bits_of(numbers)))
    by_row: dict[tuple[tuple[int, int], ...], list[AddressSet]] = {}
    for row, sources in _swept(sets):
        by_row.setdefault(row, []).append(sources)
    for row, parts in by_row.items():
        together = Ends(0, merged(one for part in parts for one in part))
        for ports, destinations in row:
            yield Reach(together, Ends(destinations), ports)


def _swept(sets: Mapping[AddressSet, Iterable[tuple[int, int]]]) -> Iterator[tuple[_Columns, AddressSet]]:
    """Runs once over the address space: each stretch with what the sets that hold it are there for, joined by ports."""
    changes: dict[int, list[tuple[int, int]]] = {}
    for addresses, columns in sets.items():
        for one in addresses:
            changes.setdefault(one.first, []).extend(columns)
            changes.setdefault(one.last + 1, []).extend(columns)
    cuts = sorted({*changes, V6} if changes else ())
    state: dict[int, int] = {}
    for first, end in pairwise(cuts):
        for ports, bits in changes.get(first, ()):
            left = state.get(ports, 0) ^ bits
            if left:
                state[ports] = left
            else:
                del state[ports]
        if state:
            yield tuple(sorted(state.items())), (Interval(first, end - 1),)


def groups_of(sets: Iterable[AddressSet], everything: AddressSet) -> Iterator[AddressSet]:
    """The addresses in groups: of each of the sets, a group is a part or it is not in it."""
    numbered = {addresses: [(0, 2 << number)] for number, addresses in enumerate(sets)}
    numbered[everything] = [*numbered.get(everything, ()), (0, 1)]
    found: dict[_Columns, list[AddressSet]] = {}
    for row, part in _swept(numbered):
        found.setdefault(row, []).append(part)
    for parts in found.values():
        yield merged(one for part in parts for one in part)
