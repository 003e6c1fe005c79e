"""What one end is granted beyond what it is granted elsewhere."""

from __future__ import annotations

from collections.abc import Mapping

from policy.connectivity.addresses import NO_ADDRESSES, AddressSet, common, minus, union
from policy.connectivity.bits import few_members
from policy.connectivity.ports import PortTable
from policy.connectivity.sides import NOTHING, Grants, sets_of


class Among:
    """Some pods, the only ones of interest; what of a set is within them is worked out once for many ends."""

    def __init__(self, bits: int) -> None:
        self.bits = bits
        self._within: dict[int, tuple[int, int]] = {}
        few = few_members(bits)
        self._few = None if few is None else frozenset(few)

    def within(self, others: int) -> int:
        """Those of a set; the same object for the same one."""
        found = self._within.get(id(others))
        if found is None:
            found = self._within[id(others)] = others, others & self.bits
        return found[1]

    def of(self, each: Mapping[int, int]) -> Mapping[int, int]:
        """Those of some pods, with a port set each, that are among these."""
        if self._few is None:
            return {other: ports for other, ports in each.items() if self.bits >> other & 1}
        if self._few.isdisjoint(each):
            return NOTHING.each
        return {other: ports for other, ports in each.items() if other in self._few}


def beyond(grants: Grants, stated: Grants, table: PortTable, own: int, among: Among | None = None) -> Grants:
    """The grants without what is stated; ``own`` are pods (bits) that do not count, nor do those not ``among`` some."""
    addresses = NOTHING.addresses
    if not stated.addresses:
        addresses = grants.addresses
    elif grants.addresses and grants.addresses != stated.addresses:
        addresses = _addresses_beyond(grants.addresses, stated.addresses, table)
    each: dict[int, int] = {}
    for other, ports in (among.of(grants.each) if among else grants.each).items():
        known = stated.on(other, table)
        if known != ports and (rest := table.difference(ports, known)) and not own >> other & 1:
            each[other] = rest
    sets = NOTHING.sets
    if grants.sets and among is None:
        sets = _sets_beyond(grants.sets, stated.pods, table, own)
    elif grants.sets and among is not None:
        within = {ports: found for ports, others in grants.sets.items() if (found := among.within(others))}
        if within:
            counted = among.of(stated.each)
            sets = _sets_beyond(within, sets_of(counted, stated.sets) if counted else stated.sets, table, own)
    return Grants(sets, addresses, each)


def _sets_beyond(
    granted: Mapping[int, int], stated: Mapping[int, int], table: PortTable, own: int
) -> Mapping[int, int]:
    left: dict[int, int] = {}
    for ports, others in granted.items():
        uncounted = others & own
        counted = others ^ uncounted if uncounted else others
        for part, bits in _parts_beyond(ports, counted, stated, table) if stated else ((ports, counted),):
            if bits:
                left[part] = left[part] | bits if part in left else bits
    return left


def _parts_beyond(ports: int, others: int, stated: Mapping[int, int], table: PortTable) -> list[tuple[int, int]]:
    parts = [(ports, others)]
    for known, ends in stated.items():
        for _ in range(len(parts)):
            part, bits = parts.pop(0)
            both = bits & ends
            if both:
                rest = table.difference(part, known)
                if rest:
                    parts.append((rest, both))
                bits ^= both
            if bits:
                parts.append((part, bits))
    return parts


def _addresses_beyond(
    granted: Mapping[int, AddressSet], stated: Mapping[int, AddressSet], table: PortTable
) -> Mapping[int, AddressSet]:
    found: dict[int, AddressSet] = {}
    for ports, others in granted.items():
        parts = [(ports, others)]
        for known, ends in stated.items():
            left: list[tuple[int, AddressSet]] = []
            for part, some in parts:
                both = common(some, ends)
                if both and (rest := table.difference(part, known)):
                    left.append((rest, both))
                if outside := minus(some, both):
                    left.append((part, outside))
            parts = left
        for part, some in parts:
            found[part] = union(found.get(part, NO_ADDRESSES), some)
    return found
