"""The ends of flows, and what flows grant to each end.

Where the other ends are a few pods, as they are in nearly all flows, they are told one by one, else as bits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from policy.connectivity.addresses import NO_ADDRESSES, AddressSet, union
from policy.connectivity.bits import are_few
from policy.connectivity.ports import PortTable
from policy.connectivity.selections import Ends, Group
from policy.connectivity.sides import NOTHING, Grants


def together(groups: Sequence[Group]) -> Group:
    """Whoever is in one of the groups."""
    if len(groups) == 1:
        return groups[0]
    numbers: list[int] = []
    for each in groups:
        if each.numbers is None or not are_few(len(numbers) + len(each.numbers)):
            break
        numbers += each.numbers
    else:
        return Group(list(dict.fromkeys(numbers)))
    pods, addresses = 0, NO_ADDRESSES
    for each in groups:
        pods |= each.ends.pods
        addresses = union(addresses, each.ends.addresses)
    return Group(None, Ends(pods, addresses))


class Bounds(msgspec.Struct, frozen=True, eq=False, gc=False):
    """An end of a flow: what it permits, and what must work; one object where both are the same."""

    permitted: Group
    required: Group

    def joined(self, other: Bounds) -> Bounds:
        """Either of both ends."""
        permitted = together((self.permitted, other.permitted))
        if self.permitted is self.required and other.permitted is other.required:
            return Bounds(permitted, permitted)
        return Bounds(permitted, together((self.required, other.required)))


NOBODY = Bounds(Group(()), Group(()))


_NOTHING: Mapping[int, int] = {}


class Granted:
    """What the contract grants each end: by the number of a pod, and the number of a port set, the other ends."""

    def __init__(self, table: PortTable) -> None:
        self._table = table
        self._each: dict[int, dict[int, int]] = {}
        self._sets: dict[int, dict[int, int]] = {}
        self.addresses: dict[int, dict[int, AddressSet]] = {}

    def add(self, ends: Iterable[int], ports: int, others: Group) -> None:
        """Grants the same to each of the ends."""
        few = others.numbers
        if few is None:
            self._add_set(ends, ports, others.ends)
            return
        granted = self._each
        for number in ends if few else ():
            row = granted.get(number)
            if row is None:
                granted[number] = dict.fromkeys(few, ports)
                continue
            for other in few:
                row[other] = self._table.union(row[other], ports) if other in row else ports

    def _add_set(self, ends: Iterable[int], ports: int, others: Ends) -> None:
        for number in ends:
            if others.pods:
                row = self._sets.setdefault(number, {})
                row[ports] = row[ports] | others.pods if ports in row else others.pods
            if others.addresses:
                to = self.addresses.setdefault(number, {})
                to[ports] = union(to.get(ports, NO_ADDRESSES), others.addresses)

    def is_alike(self, number: int, grants: Grants) -> bool:
        """Whether an end is granted the same, written alike; what is not may be the same all the same."""
        return (
            self._each.get(number, _NOTHING) == grants.each
            and self._sets.get(number, _NOTHING) == grants.sets
            and self.addresses.get(number, NOTHING.addresses) == grants.addresses
        )

    def of(self, number: int) -> Grants:
        """What is granted to an end."""
        each, sets = self._each.get(number, _NOTHING), self._sets.get(number, _NOTHING)
        return Grants(sets, self.addresses.get(number, NOTHING.addresses), each)

    @property
    def numbers(self) -> Iterable[int]:
        """The ends to which something is granted."""
        return self._each.keys() | self._sets.keys() | self.addresses.keys()
