"""Address ranges on one line of integers: IPv4, then IPv6, so that a range is two numbers in either family."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable
from functools import cache, partial
from typing import NamedTuple

from policy.patterns import Pattern

V6 = 1 << 32
"""Where IPv6 begins: ``::`` is this number."""
END = V6 + (1 << 128)
_OCTETS = tuple({str(number): number << shift for number in range(256)} for shift in (24, 16, 8, 0))
"""By place: the number that an octet stands for there."""
_HOSTS = {str(bits): (1 << (32 - bits)) - 1 for bits in range(33)}
_HOSTS_V6 = {str(bits): (1 << (128 - bits)) - 1 for bits in range(129)}
"""By the length of a prefix: the bits that it leaves to hosts."""
_LENGTH = Pattern(r"[0-9]{1,3}")
_V4 = Pattern(r"([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})/([0-9]{1,2})")


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


_interval: Callable[[tuple[int, int]], Interval] = partial(tuple.__new__, Interval)  # takes half of what it takes else

AddressSet = tuple[Interval, ...]
"""Canonical, so that equal sets are equal tuples: sorted, disjoint, not adjacent; none holds both families."""
NO_ADDRESSES: AddressSet = ()
EVERY_ADDRESS: AddressSet = (Interval(0, V6 - 1), Interval(V6, END - 1))
PRIVATE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
"""Where pods live, if nothing says where: RFC 1918, RFC 6598, RFC 4193."""


def address_text(number: int) -> str:
    if number < V6:
        return f"{number >> 24}.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    from ipaddress import IPv6Address  # only reports need it

    return str(IPv6Address(number - V6))


def interval_of(cidr: str) -> Interval:
    """The addresses of a CIDR.

    Raises:
        ValueError: it is none.
    """
    if ":" in cidr:
        return _interval_v6(cidr)
    text, _, bits = cidr.partition("/")
    first, second, third, fourth = _OCTETS
    try:  # as nearly all of them are written
        one, two, three, four = text.split(".")
        number, host = first[one] | second[two] | third[three] | fourth[four], _HOSTS[bits]
    except (KeyError, ValueError):
        return _interval_v4(cidr)
    last = number | host
    return _interval((last ^ host, last))


def _interval_v4(cidr: str) -> Interval:
    """With zeros before numbers, which count for nothing; whatever else it is, it is no CIDR."""
    match = _V4.fullmatch(cidr)
    if match is None:
        raise ValueError(f"{cidr} is no CIDR")
    numbers = [int(part) for part in match.groups()]
    if max(numbers[:4]) > 255 or numbers[4] > 32:
        raise ValueError(f"{cidr} is no CIDR")
    size = 1 << (32 - numbers[4])
    first = (numbers[0] << 24 | numbers[1] << 16 | numbers[2] << 8 | numbers[3]) & -size
    return Interval(first, first + size - 1)


@cache
def _from_text() -> Callable[[str], bytes]:
    from socket import AF_INET6, inet_pton  # only IPv6 needs it

    return partial(inet_pton, AF_INET6)


def _interval_v6(cidr: str) -> Interval:
    text, _, bits = cidr.partition("/")
    host = _HOSTS_V6.get(bits)
    if host is None:
        if not _LENGTH.fullmatch(bits) or int(bits) > 128:
            raise ValueError(f"{cidr} is no CIDR")
        host = _HOSTS_V6[str(int(bits))]
    try:
        last = int.from_bytes(_from_text()(text), "big") | host
    except (OSError, UnicodeError, ValueError):  # ValueError: a null character
        raise ValueError(f"{cidr} is no CIDR") from None
    return _interval((V6 + (last ^ host), V6 + last))


def merged(intervals: Iterable[Interval]) -> AddressSet:
    """Sorted, disjoint and not adjacent, within their families."""
    found: list[Interval] = []
    end = -1
    for one in sorted(intervals):
        first, last = one
        if found and (first <= end or (first == end + 1 and first != V6)):
            if last > end:
                found[-1] = _interval((found[-1][0], last))
                end = last
        else:
            found.append(one)
            end = last
    return tuple(found)


def union(some: AddressSet, others: AddressSet) -> AddressSet:
    """The addresses of either set."""
    if not others or some == others:
        return some
    return merged((*some, *others)) if some else others


def common(some: AddressSet, others: AddressSet) -> AddressSet:
    """The addresses that are in both sets."""
    if some is others or not some or not others:
        return some if some is others else ()
    found: list[Interval] = []
    one = other = 0
    while one < len(some) and other < len(others):
        first, last = some[one]
        start, end = others[other]
        if first <= end and start <= last:
            found.append(_interval((max(start, first), min(end, last))))
        if last < end:
            one += 1
        else:
            other += 1
    return tuple(found)


def minus(some: AddressSet, others: AddressSet) -> AddressSet:
    """The addresses of the first set that are not in the second."""
    if not some or not others:
        return some
    if some == others:
        return ()
    found: list[Interval] = []
    other = 0
    for first, last in some:
        while other < len(others) and others[other].last < first:
            other += 1
        start, at = first, other
        while at < len(others) and others[at].first <= last:
            if others[at].first > start:
                found.append(_interval((start, others[at].first - 1)))
            start = others[at].last + 1
            at += 1
        if start <= last:
            found.append(_interval((start, last)))
    return tuple(found)


def holds_address(addresses: AddressSet, number: int) -> bool:
    """Whether an address, as a number, is in a set."""
    at = bisect_right(addresses, number, key=_first) - 1
    return at >= 0 and number <= addresses[at].last


def without(interval: Interval, others: Iterable[Interval]) -> AddressSet:
    """What is left of an interval; ``others`` in any order."""
    found: list[Interval] = []
    start, end = interval
    for first, last in sorted(others):
        if first > end:
            break
        if first > start:
            found.append(_interval((start, first - 1)))
        if last >= start:
            start = last + 1
    if start <= end:
        found.append(_interval((start, end)))
    return tuple(found)


def _first(interval: Interval) -> int:
    return interval.first
