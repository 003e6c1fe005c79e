"""Sets of small integers as Python integers: bit n says that n is in the set."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

FEW = 64
"""Up to so many members are told one by one; more are a set."""

_PICKED = 4
"""So many members are picked before the others are counted, since to count takes longer than to pick one."""


def members(bits: int) -> Iterable[int]:
    """The numbers in the set, ascending."""
    found: list[int] = []
    left = bits
    while left:
        if len(found) == _PICKED and left.bit_count() * 64 > left.bit_length():
            return _members(bits)
        last = left.bit_length() - 1  # from the last, which shortens what is left
        found.append(last)
        left ^= 1 << last
    found.reverse()
    return found


def are_few(count: int) -> bool:
    """Whether so many numbers are told one by one."""
    return count <= FEW


def few_members(bits: int) -> Sequence[int] | None:
    """The numbers in the set, in whatever order, if they are few."""
    found: list[int] = []
    left = bits
    while left:
        if (len(found) == _PICKED or len(found) == FEW) and left.bit_count() + len(found) > FEW:
            return None
        last = left.bit_length() - 1
        found.append(last)
        left ^= 1 << last
    return found


def _members(bits: int) -> Iterator[int]:
    """By bytes, as picking one number at a time costs the whole length each time."""
    skip = ((bits & -bits).bit_length() - 1) // 8
    bits >>= skip * 8
    for offset, byte in enumerate(bits.to_bytes((bits.bit_length() + 7) // 8, "little"), skip):
        if byte:
            start = offset * 8
            for bit in _BITS[byte]:
                yield start + bit


def bits_of(numbers: Iterable[int]) -> int:
    """The set of the numbers."""
    listed = numbers if isinstance(numbers, list) else list(numbers)
    if len(listed) <= 4:
        bits = 0
        for number in listed:
            bits |= 1 << number
        return bits
    array = bytearray(max(listed) // 8 + 1)
    for number in listed:
        array[number >> 3] |= 1 << (number & 7)
    return int.from_bytes(array, "little")


def first(bits: int) -> int:
    """The smallest number of a set that is not empty."""
    return (bits & -bits).bit_length() - 1


_BITS = tuple(tuple(bit for bit in range(8) if byte >> bit & 1) for byte in range(256))
