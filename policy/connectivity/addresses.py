"""Address ranges on one line of integers: IPv4, then IPv6, so that a range is two numbers in either family."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from policy.patterns import Pattern

V6 = 1 << 32
"""Where IPv6 begins: ``::`` is this number."""
END = V6 + (1 << 128)
_V4 = Pattern(r"(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})/(\d{1,2})")


class Interval(NamedTuple):
    """Addresses ``first`` to ``last``, inclusive, of one family."""

    first: int
    last: int

    def __str__(self) -> str:
        """As CIDRs where that is one, else ``first-last``."""
        size = self.last - self.first + 1
        if size & (size - 1) == 0 and (self.first - (V6 if self.is_v6 else 0)) % size == 0:
            return f"{address_text(self.first)}/{(128 if self.is_v6 else 32) - size.bit_length() + 1}"
        return f"{address_text(self.first)}-{address_text(self.last)}"

    def by_family(self) -> tuple[Interval, ...]:
        """Its IPv4 and its IPv6 part, where it runs from the one into the other."""
        if self.first < V6 <= self.last:
            return Interval(self.first, V6 - 1), Interval(V6, self.last)
        return (self,)

    @property
    def is_v6(self) -> bool:
        return self.first >= V6


EVERY_ADDRESS = (Interval(0, V6 - 1), Interval(V6, END - 1))
PRIVATE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
"""Where pods live, if nothing says where: RFC 1918, RFC 6598, RFC 4193."""


def address_text(number: int) -> str:
    if number < V6:
        return f"{number >> 24}.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    from ipaddress import IPv6Address  # only reports need it

    return str(IPv6Address(number - V6))


@lru_cache(maxsize=1 << 16)
def interval_of(cidr: str) -> Interval:
    """The addresses of a CIDR.

    Raises:
        ValueError: it is none.
    """
    match = _V4.fullmatch(cidr)
    if match is None:
        from ipaddress import IPv6Network  # only IPv6 needs it

        if "/" not in cidr:
            raise ValueError(f"{cidr} is no CIDR")
        network = IPv6Network(cidr, strict=False)
        first = V6 + int(network.network_address)
        return Interval(first, first + network.num_addresses - 1)
    numbers = [int(part) for part in match.groups()]
    if max(numbers[:4]) > 255 or numbers[4] > 32:
        raise ValueError(f"{cidr} is no CIDR")
    size = 1 << (32 - numbers[4])
    first = (numbers[0] << 24 | numbers[1] << 16 | numbers[2] << 8 | numbers[3]) & -size
    return Interval(first, first + size - 1)


def merged(intervals: Iterable[Interval]) -> tuple[Interval, ...]:
    """Sorted, disjoint and not adjacent, within their families."""
    found: list[Interval] = []
    for one in sorted(intervals):
        if found and one.first <= found[-1].last + 1 and one.is_v6 == found[-1].is_v6:
            if one.last > found[-1].last:
                found[-1] = Interval(found[-1].first, one.last)
        else:
            found.append(one)
    return tuple(found)


def without(interval: Interval, others: Iterable[Interval]) -> tuple[Interval, ...]:
    """What is left of an interval; ``others`` in any order."""
    left: list[Interval] = []
    first = interval.first
    for other in merged(others):
        if other.last < first or other.first > interval.last:
            continue
        if other.first > first:
            left.append(Interval(first, other.first - 1))
        first = other.last + 1
    if first <= interval.last:
        left.append(Interval(first, interval.last))
    return tuple(left)
