"""Sets of addresses as ranges, against Python's own sets around the border between IPv4 and IPv6."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable

import pytest

from policy.connectivity.addresses import (
    V6,
    AddressSet,
    Interval,
    common,
    holds_address,
    interval_of,
    merged,
    minus,
    union,
    without,
)
from policy.connectivity.selections import has_any, holds

WORLD = range(V6 - 12, V6 + 12)


def numbers(addresses: Iterable[Interval]) -> set[int]:
    return {number for one in addresses for number in range(one.first, one.last + 1)}


def some(chance: random.Random) -> AddressSet:
    found: list[Interval] = []
    for _ in range(chance.randrange(5)):
        first, last = sorted((chance.choice(WORLD), chance.choice(WORLD)))
        found.extend(Interval(first, last).by_family())
    return merged(found)


def is_canonical(addresses: AddressSet) -> bool:
    """Sorted, each within its family, and neither touching nor overlapping the next of that family."""
    apart = all(one.last + 1 < other.first or other.first == V6 for one, other in itertools.pairwise(addresses))
    return apart and list(addresses) == sorted(addresses) and all(len(one.by_family()) == 1 for one in addresses)


def test_what_is_combined_is_what_sets_are_and_canonical() -> None:
    chance = random.Random(0)
    for _ in range(3_000):
        one, other = some(chance), some(chance)
        mine, theirs = numbers(one), numbers(other)
        for found, wanted in (
            (union(one, other), mine | theirs),
            (common(one, other), mine & theirs),
            (minus(one, other), mine - theirs),
        ):
            assert numbers(found) == wanted, (one, other)
            assert is_canonical(found), (one, other, found)
        assert {number for number in WORLD if holds_address(one, number)} == mine
        for part in one:
            assert numbers(without(part, reversed(other))) == numbers([part]) - theirs


@pytest.mark.parametrize(
    ("cidr", "first", "size"),
    [
        ("10.1.2.3/8", 10 << 24, 1 << 24),
        ("::/0", V6, 1 << 128),
        ("::1/128", V6 + 1, 1),
        ("2001:db8::7/32", V6 + (0x20010DB8 << 96), 1 << 96),
        ("::ffff:1.2.3.4/128", V6 + (0xFFFF << 32) + 0x01020304, 1),
    ],
)
def test_a_cidr_is_its_addresses(cidr: str, first: int, size: int) -> None:
    assert interval_of(cidr) == Interval(first, first + size - 1)


@pytest.mark.parametrize(
    "text",
    ["", "::", "::1/129", "::1/-1", "::1/ 64", "::1/", "fe80::1%eth0/64", "1.2.3.4", "1.2.3.256/32", "x/8", "\0/1"],
)
def test_what_is_no_cidr_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no CIDR"):
        interval_of(text)


@pytest.mark.parametrize(
    ("cidr", "is_any"),
    [
        ("10.0.0.0/32", True),
        ("10.255.255.255/32", True),
        ("9.255.255.255/32", False),
        ("11.0.0.0/32", False),
        ("0.0.0.0/0", True),
    ],
)
def test_the_first_and_the_last_address_of_a_range_count(cidr: str, *, is_any: bool) -> None:
    assert has_any((interval_of(cidr),), (interval_of("10.0.0.0/8"),)) is is_any
    assert holds((interval_of(cidr),), (interval_of("10.0.0.0/8"),)) == (cidr == "0.0.0.0/0", is_any)


def test_a_gap_is_no_part_of_a_set() -> None:
    around = without(interval_of("0.0.0.0/0"), [interval_of("10.0.0.0/8")])
    assert not has_any(around, (interval_of("10.1.0.0/16"),))
    assert has_any(around, (interval_of("10.1.0.0/16"), interval_of("11.0.0.0/16")))
