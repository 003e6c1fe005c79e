"""Sets of addresses on one line of integers: IPv4, then IPv6, so that one set holds both families."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from functools import cache, partial

from policy.patterns import Pattern

V4_END = 1 << 32
V6 = 1 << 128
"""Where IPv6 begins: ``::`` is this number. Between the families is a gap, so that none of their ranges meet."""
_OCTETS = tuple({str(number): number << shift for number in range(256)} for shift in (24, 16, 8, 0))
"""By place: the number that an octet stands for there."""
_HOSTS = {str(bits): (1 << (32 - bits)) - 1 for bits in range(33)}
_HOSTS_V6 = {str(bits): (1 << (128 - bits)) - 1 for bits in range(129)}
"""By the length of a prefix: the bits that it leaves to hosts."""
_LENGTH = Pattern(r"[0-9]{1,3}")
_V4 = Pattern(r"([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})/([0-9]{1,2})")

AddressSet = tuple[int, ...]
"""The numbers at which a set begins and ends, in turn, ascending: ``(first, end)`` is a range, ``end`` not in it.

No number stands twice, so that equal sets are equal tuples.
"""
NO_ADDRESSES: AddressSet = ()
EVERY_V4: AddressSet = (0, V4_END)
EVERY_ADDRESS: AddressSet = (*EVERY_V4, V6, V6 << 1)
PRIVATE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
"""Where pods live, if nothing says where: RFC 1918, RFC 6598, RFC 4193."""


def address_text(number: int) -> str:
    """An address as one writes it."""
    if number < V6:
        return f"{number >> 24}.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    from ipaddress import IPv6Address  # only reports need it

    return str(IPv6Address(number - V6))


def ranges(addresses: AddressSet) -> Iterator[tuple[int, int]]:
    """Each range of a set, in order."""
    return zip(addresses[::2], addresses[1::2], strict=True)


def texts(addresses: AddressSet) -> list[str]:
    """Each range as a CIDR where it is one, else as ``first-last``."""
    return [_text(first, end) for first, end in ranges(addresses)]


def _text(first: int, end: int) -> str:
    size = end - first
    if size & (size - 1) == 0 and first % size == 0:
        return f"{address_text(first)}/{(128 if first >= V6 else 32) - size.bit_length() + 1}"
    return f"{address_text(first)}-{address_text(end - 1)}"


def size(addresses: AddressSet) -> int:
    """How many addresses a set has."""
    return sum(addresses[1::2]) - sum(addresses[::2])


def range_of(cidr: str) -> AddressSet:
    """The addresses of a CIDR, which are one range.

    Raises:
        ValueError: it is none.
    """
    if ":" in cidr:
        return _range_v6(cidr)
    text, _, bits = cidr.partition("/")
    first, second, third, fourth = _OCTETS
    try:  # as nearly all of them are written
        one, two, three, four = text.split(".")
        number, host = first[one] | second[two] | third[three] | fourth[four], _HOSTS[bits]
    except (KeyError, ValueError):
        return _range_v4(cidr)
    last = number | host
    return last ^ host, last + 1


def _range_v4(cidr: str) -> AddressSet:
    """With zeros before numbers, which count for nothing; whatever else it is, it is no CIDR."""
    match = _V4.fullmatch(cidr)
    if match is None:
        raise ValueError(f"{cidr} is no CIDR")
    numbers = [int(part) for part in match.groups()]
    if max(numbers[:4]) > 255 or numbers[4] > 32:
        raise ValueError(f"{cidr} is no CIDR")
    size = 1 << (32 - numbers[4])
    first = (numbers[0] << 24 | numbers[1] << 16 | numbers[2] << 8 | numbers[3]) & -size
    return first, first + size


@cache
def _from_text() -> Callable[[str], bytes]:
    from socket import AF_INET6, inet_pton  # only IPv6 needs it

    return partial(inet_pton, AF_INET6)


def _range_v6(cidr: str) -> AddressSet:
    text, _, bits = cidr.partition("/")
    host = _HOSTS_V6.get(bits)
    if host is None:
        if not _LENGTH.fullmatch(bits) or int(bits) > 128:
            raise ValueError(f"{cidr} is no CIDR")
        host = _HOSTS_V6[str(int(bits))]
    try:
        last = V6 | int.from_bytes(_from_text()(text), "big") | host
    except (OSError, UnicodeError, ValueError):  # ValueError: a null character
        raise ValueError(f"{cidr} is no CIDR") from None
    return last ^ host, last + 1


def joined(parts: Iterable[tuple[int, ...]]) -> AddressSet:
    """The addresses of ranges that may overlap, in any order."""
    found: list[int] = []
    end = -1
    for part in sorted(parts):
        first, after = part
        if first > end:
            found += part
            end = after
        elif after > end:
            found[-1] = end = after
    return tuple(found)


def united(sets: Iterable[AddressSet]) -> AddressSet:
    """The addresses of any of the sets."""
    return joined(one for addresses in sets for one in ranges(addresses))


def union(some: AddressSet, others: AddressSet) -> AddressSet:
    """The addresses of either set."""
    if not others or some == others:
        return some
    return united((some, others)) if some else others


def common(some: AddressSet, others: AddressSet) -> AddressSet:
    """The addresses that are in both sets."""
    if some is others or not some or not others:
        return some if some is others else ()
    found: list[int] = []
    one = other = 0
    while one < len(some) and other < len(others):
        first, end = max(some[one], others[other]), min(some[one + 1], others[other + 1])
        if first < end:
            found += (first, end)
        if some[one + 1] < others[other + 1]:
            one += 2
        else:
            other += 2
    return tuple(found)


def minus(some: AddressSet, others: AddressSet) -> AddressSet:
    """The addresses of the first set that are not in the second."""
    if not some or not others:
        return some
    if some == others:
        return ()
    found: list[int] = []
    at = 0
    for first, end in ranges(some):
        while at < len(others) and others[at + 1] <= first:
            at += 2
        start, cut = first, at
        while cut < len(others) and others[cut] < end:
            if others[cut] > start:
                found += (start, others[cut])
            start = others[cut + 1]
            cut += 2
        if start < end:
            found += (start, end)
    return tuple(found)


def without(whole: AddressSet, cuts: Iterable[AddressSet]) -> list[AddressSet]:
    """The ranges that are left of a range without parts of it, which are in order and may overlap."""
    found: list[AddressSet] = []
    start, end = whole
    for first, after in cuts:
        if first > start:
            found.append((start, first))
        if after > start:
            start = after
    if start < end:
        found.append((start, end))
    return found


def holds_address(addresses: AddressSet, number: int) -> bool:
    """Whether an address, as a number, is in a set."""
    return bool(bisect_right(addresses, number) & 1)


def has_some(addresses: AddressSet, others: AddressSet) -> bool:
    """Whether a set has some of the addresses of another."""
    for first, end in ranges(others):
        at = bisect_right(addresses, first)
        if at & 1 or (at < len(addresses) and addresses[at] < end):
            return True
    return False


def has_all(addresses: AddressSet, others: AddressSet) -> bool:
    """Whether a set has all of the addresses of another."""
    for first, end in ranges(others):
        at = bisect_right(addresses, first)
        if not at & 1 or addresses[at] < end:
            return False
    return True
