"""Everything that is allowed, as few rows: sources that reach the same destinations on the same ports are one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

import msgspec

from policy.connectivity.addresses import AddressSet, common, minus, union, united
from policy.connectivity.bits import are_few, bits_of, few_members, members
from policy.connectivity.policies import Direction
from policy.connectivity.population import Population
from policy.connectivity.ports import PortTable
from policy.connectivity.selections import Ends, Group
from policy.connectivity.sides import Grants, Side, sets_of

_Columns = tuple[tuple[int, int], ...]
"""Port sets, and the destinations (bits) that admit some sources on them."""


class Reach(msgspec.Struct, frozen=True, gc=False):
    """Sources and destinations, and the number of a port set."""

    sources: Group
    destinations: Group
    ports: int


def rows_of(
    population: Population, sides: Mapping[Direction, Side], table: PortTable, *, possibly: bool
) -> Iterator[Reach]:
    """The rows, each pair in one of them at most; pairs of which neither is in Git are left out."""
    for numbers, met, addresses in _alike(_by_source(population, sides, table, possibly=possibly)):
        sources = Group(numbers)
        if met.sets is None:
            each = _by_ports(met.each)
            for ports, few in each.items():
                if ports not in addresses and (few != numbers or len(numbers) > 1):
                    yield Reach(sources, Group(few), ports)
            for ports, some in addresses.items():
                pods = bits_of(each[ports]) if ports in each else 0
                yield Reach(sources, Group(None, Ends(pods, some)), ports)
            continue
        for ports in sorted(met.sets.keys() | addresses.keys()):
            destinations = Ends(met.sets.get(ports, 0), addresses.get(ports, ()))
            if destinations.addresses or destinations.pods != sources.ends.pods or len(numbers) > 1:
                yield Reach(sources, Group(None, destinations), ports)
    yield from _from_addresses(sides["ingress"], population, table, possibly=possibly)


def _alike(
    reached: Iterable[tuple[int, _Met, Mapping[int, AddressSet]]],
) -> Iterable[tuple[list[int], _Met, Mapping[int, AddressSet]]]:
    """Sources that reach the same, together; those that reach nothing are left out."""
    found: dict[object, tuple[list[int], _Met, Mapping[int, AddressSet]]] = {}
    by_identity: dict[int, tuple[list[int], _Met]] = {}  # to hash bits takes long
    for source, met, addresses in reached:
        is_shared = met.sets is not None and not addresses
        same = by_identity.get(id(met)) if is_shared else None
        if same is not None:
            same[0].append(source)
            continue
        key: object = met.each if met.sets is None else ("sets", *sorted(met.sets.items()))
        if addresses:
            key = (key, tuple(addresses.items()) if len(addresses) == 1 else tuple(sorted(addresses.items())))
        if not key:
            continue
        known = found.get(key)
        if known is None:
            known = found[key] = [source], met, addresses
        else:
            known[0].append(source)
        if is_shared:
            by_identity[id(met)] = known[0], met
    return found.values()


def _by_ports(each: Iterable[tuple[int, int]]) -> Mapping[int, list[int]]:
    """Numbers, with a port set each, by port set."""
    found: dict[int, list[int]] = {}
    for number, ports in each:
        known = found.get(ports)
        if known is None:
            found[ports] = [number]
        else:
            known.append(number)
    return found


def _by_source(
    population: Population, sides: Mapping[Direction, Side], table: PortTable, *, possibly: bool
) -> Iterator[tuple[int, _Met, Mapping[int, AddressSet]]]:
    """Each source with the pods and the addresses that it reaches."""
    every = sides["egress"].every[possibly]
    told = {source: one_by_one(sent.pods, table) for source, sent in enumerate(every) if sent.sets}
    wide = [source for source, each in told.items() if each is None]
    meet = _Meeting(sides["ingress"], population, table, wide, possibly=possibly)
    for source, sent in enumerate(every):
        each = told[source] if sent.sets else sent.each
        met = meet.asking(each, source) if each is not None else meet.transposed(sent.pods, source)
        has_addresses = sent.addresses and source < population.in_git
        yield source, met, _apart(sent.addresses, table) if has_addresses else {}


def one_by_one(row: Mapping[int, int], table: PortTable) -> dict[int, int] | None:
    """The other ends of a row, each with its port set; None where they are too many."""
    found: dict[int, int] = {}
    for ports, others in row.items():
        numbers = few_members(others)
        if numbers is None:
            return None
        for number in numbers:
            known = found.get(number)
            found[number] = ports if known is None else table.union(known, ports)
        if not are_few(len(found)):
            return None
    return found


class _Met(msgspec.Struct, frozen=True, eq=False, gc=False):
    """What a source reaches: a few destinations in order, with the port set of each, or by port set as bits."""

    each: tuple[tuple[int, int], ...]
    sets: Mapping[int, int] | None = None


class _Meeting:
    """What a source sends and its destinations accept.

    Where a source sends to few, each of them is asked. For the others, those of ``wide``, the ingress is transposed:
    what few of them are admitted to is kept for each; what many are admitted to is shared between them, by the sets of
    sources that some destinations admit on the same ports.
    """

    def __init__(
        self, side: Side, population: Population, table: PortTable, wide: Sequence[int], *, possibly: bool
    ) -> None:
        self._side, self._population, self._table = side, population, table
        self._accepted = side.every[possibly]
        self._few: dict[int, dict[int, int]] = {}
        self._many: dict[int, list[_Columns]] = {}
        self._known: dict[tuple[int, ...], _Met] = {}
        self._open = population.everyone & ~side.isolated & ~(0 if possibly else side.doubtful)
        if wide:
            self._transpose(wide)

    def _transpose(self, wide: Sequence[int]) -> None:
        all_wide, each_wide = bits_of(wide), frozenset(wide)
        shared: dict[int, dict[int, list[int]]] = {}
        by_identity: dict[int, dict[int, list[int]]] = {}  # to hash bits takes long
        for destination in members(self._side.ruled & ~self._open):
            accepted = self._accepted[destination]
            for source, ports in accepted.each.items():
                if source in each_wide:
                    self._admit((source,), ports, 1 << destination)
            for ports, sources in accepted.sets.items():
                by_ports = by_identity.get(id(sources))
                if by_ports is None:
                    admitted = sources & all_wide
                    numbers = few_members(admitted)
                    if numbers is not None and admitted != all_wide:
                        self._admit(numbers, ports, 1 << destination)
                        continue
                    by_ports = by_identity[id(sources)] = shared.setdefault(admitted, {})
                by_ports.setdefault(ports, []).append(destination)
        for sources, by_ports in shared.items():
            columns = tuple((ports, bits_of(numbers)) for ports, numbers in by_ports.items())
            for source in members(sources):
                self._many.setdefault(source, []).append(columns)

    def _admit(self, sources: Iterable[int], ports: int, destination: int) -> None:
        rows = self._few
        for source in sources:
            row = rows.get(source)
            if row is None:
                rows[source] = {ports: destination}
            elif ports in row:
                row[ports] |= destination
            else:
                row[ports] = destination

    def asking(self, each: Mapping[int, int], source: int) -> _Met:
        """What a source reaches that sends to a few destinations, on a port set each."""
        union, intersection = self._table.union, self._table.intersection
        every, bit = self._accepted, 0
        found: list[tuple[int, int]] = []
        for destination, ports in each.items():
            accepted = every[destination]
            coming = accepted.each.get(source, PortTable.NONE)
            if coming != ports and accepted.sets:
                bit = bit or 1 << source
                for others, sources in accepted.sets.items():
                    if sources & bit:
                        coming = union(coming, others)
            both = ports if coming == ports else intersection(ports, coming)
            if both:
                found.append((destination, both))
        if source >= self._population.in_git:
            found = [item for item in found if item[0] < self._population.in_git]
        found.sort()
        return _Met(tuple(found)) if are_few(len(found)) else _Met((), sets_of(dict(found)))

    def transposed(self, sent: Mapping[int, int], source: int) -> _Met:
        """What a source reaches that sends to many."""
        asked = None if source < self._population.in_git else (1 << self._population.in_git) - 1
        few, many = self._few.get(source), self._many.get(source, ())
        key = (id(sent), -1 if asked is None else 0, *map(id, many))
        found = None if few else self._known.get(key)
        if found is None:
            row = self._met(sent, (*(few.items()),) if few else (), many, asked)
            each = one_by_one(row, self._table)
            found = _Met((), row) if each is None else _Met(tuple(sorted(each.items())))
            if not few:
                self._known[key] = found
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


def _apart(granted: Mapping[int, AddressSet], table: PortTable) -> Mapping[int, AddressSet]:
    """The same, with each address in one port set alone."""
    if len(granted) == 1:
        return granted
    parts: dict[int, AddressSet] = {}
    for ports, addresses in granted.items():
        left = addresses
        for others, known in tuple(parts.items()):
            both = common(known, left)
            joined = table.union(ports, others)
            if both:
                left = minus(left, both)
            if both and joined != others:
                parts[others] = minus(parts[others], both)
                parts[joined] = union(parts.get(joined, ()), both)
        if left:
            parts[ports] = union(parts.get(ports, ()), left)
    return {ports: addresses for ports, addresses in parts.items() if addresses}


def _from_addresses(side: Side, population: Population, table: PortTable, *, possibly: bool) -> Iterator[Reach]:
    """The rows whose sources are addresses: those that the same pods in Git admit on the same ports are one."""
    sets = _admitted(side.every[possibly][: population.in_git], table)
    if len(sets) == 1:  # as where all that come from outside may come from anywhere
        for addresses, by_ports in sets.items():
            together = Group(None, Ends(0, addresses))
            for ports, numbers in sorted(by_ports.items()):
                yield Reach(together, Group(numbers), ports)
        return
    columns = {some: [(ports, bits_of(found)) for ports, found in each.items()] for some, each in sets.items()}
    by_row: dict[_Columns, list[AddressSet]] = {}
    for row, sources in _swept(columns):
        by_row.setdefault(row, []).append(sources)
    for row, parts in by_row.items():
        together = Group(None, Ends(0, united(parts)))
        for ports, destinations in row:
            yield Reach(together, Group(None, Ends(destinations)), ports)


def _admitted(every: Iterable[Grants], table: PortTable) -> Mapping[AddressSet, Mapping[int, Sequence[int]]]:
    """The addresses that destinations admit, by port set with the numbers of the destinations."""
    admitting: dict[int, tuple[Grants, list[int]]] = {}
    for destination, accepted in enumerate(every):
        if accepted.addresses:
            admitting.setdefault(id(accepted), (accepted, []))[1].append(destination)
    found: dict[AddressSet, dict[int, list[int]]] = {}
    for accepted, numbers in admitting.values():
        for ports, addresses in _apart(accepted.addresses, table).items():
            found.setdefault(addresses, {}).setdefault(ports, []).extend(numbers)
    return found


def _swept(sets: Mapping[AddressSet, Iterable[tuple[int, int]]]) -> Iterator[tuple[_Columns, AddressSet]]:
    """Runs once over the address space: each stretch with what the sets that hold it are there for, joined by ports."""
    changes: dict[int, list[tuple[int, int]]] = {}
    for addresses, columns in sets.items():
        for bound in addresses:
            changes.setdefault(bound, []).extend(columns)
    state: dict[int, int] = {}
    for first, end in pairwise(sorted(changes)):
        for ports, bits in changes[first]:
            left = state.get(ports, 0) ^ bits
            if left:
                state[ports] = left
            else:
                del state[ports]
        if state:
            yield tuple(sorted(state.items())), (first, end)


def groups_of(sets: Iterable[AddressSet], everything: AddressSet) -> Iterator[AddressSet]:
    """The addresses in groups: of each of the sets, a group is a part or it is not in it."""
    numbered = {addresses: [(0, 2 << number)] for number, addresses in enumerate(sets)}
    numbered[everything] = [*numbered.get(everything, ()), (0, 1)]
    found: dict[_Columns, list[AddressSet]] = {}
    for row, part in _swept(numbered):
        found.setdefault(row, []).append(part)
    for parts in found.values():
        yield united(parts)
