"""Sets of addresses as ranges, against Python's own sets."""

from __future__ import annotations

import itertools
import random

import pytest

from policy.connectivity.addresses import (
    EVERY_ADDRESS,
    V4_END,
    V6,
    AddressSet,
    common,
    has_all,
    has_some,
    holds_address,
    joined,
    minus,
    range_of,
    ranges,
    size,
    texts,
    union,
    united,
    without,
)

WORLD = range(24)


def numbers(addresses: AddressSet) -> set[int]:
    return {number for first, end in ranges(addresses) for number in range(first, end)}


def some(chance: random.Random) -> AddressSet:
    return joined(some_range(chance) for _ in range(chance.randrange(5)))


def some_range(chance: random.Random) -> AddressSet:
    first, last = sorted((chance.choice(WORLD), chance.choice(WORLD)))
    return first, last + 1


def is_canonical(addresses: AddressSet) -> bool:
    """Whether it ascends, so that no two ranges overlap or touch, and each range has its end."""
    return len(addresses) % 2 == 0 and all(one < other for one, other in itertools.pairwise(addresses))


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
        assert has_some(one, other) == bool(mine & theirs), (one, other)
        assert has_all(one, other) == (theirs <= mine), (one, other)
        assert size(one) == len(mine)


def test_parts_of_a_range_that_overlap_are_left_out_of_it() -> None:
    chance = random.Random(1)
    for _ in range(1_000):
        whole = some_range(chance)
        within = [part for _ in range(chance.randrange(4)) if (part := common(whole, some_range(chance)))]
        left = without(whole, sorted(within))
        assert numbers(united(left)) == numbers(whole) - numbers(united(within)), (whole, within)
        assert is_canonical(tuple(itertools.chain(*left)))


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
    assert range_of(cidr) == (first, first + size)


@pytest.mark.parametrize(
    "text",
    ["", "::", "::1/129", "::1/-1", "::1/ 64", "::1/", "fe80::1%eth0/64", "1.2.3.4", "1.2.3.256/32", "x/8", "\0/1"],
)
def test_what_is_no_cidr_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no CIDR"):
        range_of(text)


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
    assert has_some(range_of(cidr), range_of("10.0.0.0/8")) is is_any
    assert has_all(range_of(cidr), range_of("10.0.0.0/8")) is (cidr == "0.0.0.0/0")


def test_a_gap_is_no_part_of_a_set() -> None:
    around = minus(range_of("0.0.0.0/0"), range_of("10.0.0.0/8"))
    assert not has_some(around, range_of("10.1.0.0/16"))
    assert has_some(around, united(map(range_of, ("10.1.0.0/16", "11.0.0.0/16"))))


def test_the_families_do_not_meet() -> None:
    both = union(range_of("0.0.0.0/0"), range_of("::/0"))
    assert both == EVERY_ADDRESS
    assert texts(both) == ["0.0.0.0/0", "::/0"]
    assert texts(minus(both, (5, V6 + 7))) == ["0.0.0.0-0.0.0.4", f"::7-{'ffff:' * 7}ffff"]
    assert V4_END < V6


def test_a_range_that_is_no_cidr_is_told_by_its_ends() -> None:
    assert texts((8, 12, 16, 17)) == ["0.0.0.8/30", "0.0.0.16/32"]
    assert texts((18, 22, V6 + 4, V6 + 8)) == ["0.0.0.18-0.0.0.21", "::4/126"]
