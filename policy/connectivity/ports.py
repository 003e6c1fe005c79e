"""Sets of ports: what a connection may use.

A set is canonical, so that equal sets are equal tuples: ranges of one protocol are disjoint, not adjacent, sorted, and
the protocols stand in the order of ``PROTOCOLS``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

PROTOCOLS = ("TCP", "UDP", "SCTP")
FIRST_PORT, LAST_PORT = 1, 65535
_ORDER = {protocol: number for number, protocol in enumerate(PROTOCOLS)}


class PortRange(NamedTuple):
    """Ports ``first`` to ``last``, inclusive, of one protocol."""

    protocol: str
    first: int
    last: int

    def __str__(self) -> str:
        if (self.first, self.last) == (FIRST_PORT, LAST_PORT):
            return self.protocol
        return f"{self.protocol} {self.first}" + (f"-{self.last}" if self.last != self.first else "")


PortSet = tuple[PortRange, ...]
NO_PORTS: PortSet = ()
ALL_PORTS: PortSet = tuple(PortRange(protocol, FIRST_PORT, LAST_PORT) for protocol in PROTOCOLS)


def port_set(ranges: Iterable[PortRange]) -> PortSet:
    """The canonical set of all ports of the ranges."""
    listed = tuple(ranges)
    if len(listed) < 2:
        return listed
    merged: list[PortRange] = []
    for one in sorted(listed, key=lambda item: (_ORDER[item.protocol], item.first, item.last)):
        if merged and merged[-1].protocol == one.protocol and one.first <= merged[-1].last + 1:
            if one.last > merged[-1].last:
                merged[-1] = merged[-1]._replace(last=one.last)
        else:
            merged.append(one)
    return tuple(merged)


DNS_PORTS: PortSet = port_set(PortRange(protocol, 53, 53) for protocol in ("TCP", "UDP"))
"""Resolvers ask over UDP and, where the answer is long, over TCP (RFC 7766)."""


def intersection(some: PortSet, others: PortSet) -> PortSet:
    """The ports that are in both sets."""
    if some == ALL_PORTS:
        return others
    return port_set(
        PortRange(one.protocol, max(one.first, other.first), min(one.last, other.last))
        for one in some
        for other in others
        if one.protocol == other.protocol and one.first <= other.last and other.first <= one.last
    )


def difference(some: PortSet, others: PortSet) -> PortSet:
    """The ports of the first set that are not in the second."""
    left: list[PortRange] = []
    for one in some:
        first = one.first
        for other in others:
            if other.protocol != one.protocol or other.last < first or other.first > one.last:
                continue
            if other.first > first:
                left.append(PortRange(one.protocol, first, other.first - 1))
            first = other.last + 1
        if first <= one.last:
            left.append(PortRange(one.protocol, first, one.last))
    return tuple(left)


def described(ports: PortSet) -> str:
    """``TCP 80, UDP 53``, ``TCP 8000-8100``, ``UDP`` for every port of a protocol, ``all`` for every port there is."""
    if ports == ALL_PORTS:
        return "all"
    return ", ".join(map(str, ports)) or "none"


class PortTable:
    """Port sets as small numbers, so that what combines two of them is worked out once.

    ``NONE`` and ``ALL`` are the empty set and the whole one.
    """

    NONE, ALL = 0, 1

    def __init__(self) -> None:
        self.sets: list[PortSet] = [NO_PORTS, ALL_PORTS]
        self._numbers: dict[PortSet, int] = {NO_PORTS: 0, ALL_PORTS: 1}
        self._singles: dict[tuple[str, int], int] = {}
        self._unions: dict[tuple[int, int], int] = {}
        self._intersections: dict[tuple[int, int], int] = {}
        self._differences: dict[tuple[int, int], int] = {}

    def number(self, ports: PortSet) -> int:
        """The number of a canonical set."""
        found = self._numbers.get(ports)
        if found is None:
            found = self._numbers[ports] = len(self.sets)
            self.sets.append(ports)
        return found

    def single(self, protocol: str, port: int) -> int:
        """The number of the set of one port."""
        found = self._singles.get((protocol, port))
        if found is None:
            found = self._singles[protocol, port] = self.number((PortRange(protocol, port, port),))
        return found

    def union(self, one: int, other: int) -> int:
        if one == other or not other:
            return one
        if not one or other == self.ALL:
            return other
        if one == self.ALL:
            return one
        key = (one, other) if one < other else (other, one)
        found = self._unions.get(key)
        if found is None:
            found = self._unions[key] = self.number(port_set((*self.sets[one], *self.sets[other])))
        return found

    def intersection(self, one: int, other: int) -> int:
        if one == other or other == self.ALL:
            return one
        if one == self.ALL or not one or not other:
            return other if one == self.ALL else 0
        key = (one, other) if one < other else (other, one)
        found = self._intersections.get(key)
        if found is None:
            found = self._intersections[key] = self.number(intersection(self.sets[one], self.sets[other]))
        return found

    def difference(self, one: int, other: int) -> int:
        if one == other or other == self.ALL:
            return 0
        if not one or not other:
            return one
        found = self._differences.get((one, other))
        if found is None:
            found = self._differences[one, other] = self.number(difference(self.sets[one], self.sets[other]))
        return found
