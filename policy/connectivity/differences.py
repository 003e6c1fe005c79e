"""What one end is granted beyond what it is granted elsewhere."""

from __future__ import annotations

from collections.abc import Mapping

from policy.connectivity.addresses import NO_ADDRESSES, AddressSet, common, minus, union
from policy.connectivity.ports import PortTable
from policy.connectivity.sides import NOTHING, Grants


def beyond(grants: Grants, stated: Grants, table: PortTable, own: int) -> Grants:
    """The grants without what is stated; ``own`` are pods (bits) that do not count."""
    addresses = NOTHING.addresses
    if grants.addresses and grants.addresses != stated.addresses:
        addresses = _addresses_beyond(grants.addresses, stated.addresses, table)
    if grants.each is None:
        return Grants(_sets_beyond(grants.pods, stated.pods, table, own), addresses)
    each: dict[int, int] = {}
    for other, ports in grants.each.items():
        known = stated.on(other, table)
        if known != ports and (rest := table.difference(ports, known)) and not own >> other & 1:
            each[other] = rest
    return Grants(None, addresses, each)


def _sets_beyond(granted: Mapping[int, int], stated: Mapping[int, int], table: PortTable, own: int) -> dict[int, int]:
    left: dict[int, int] = {}
    for ports, others in granted.items():
        uncounted = others & own
        parts = [(ports, others ^ uncounted if uncounted else others)]
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
        for part, bits in parts:
            if bits:
                left[part] = left[part] | bits if part in left else bits
    return left


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
