"""Sets as integers, against Python's own sets, where they are empty, dense, sparse and wide."""

from __future__ import annotations

import random

import pytest

from policy.connectivity.bits import bits_of, few_members, first, members

from .few import few_are

SETS = {
    "empty": (),
    "one": (0,),
    "one far out": (9_999,),
    "a byte": tuple(range(8)),
    "the edges of bytes": (7, 8, 15, 16, 63, 64),
    "dense and far out": tuple(range(4_000, 4_100)),
    "two in a wide set": (3, 9_999),
    "just sparse enough to be picked": (0, 127),
    "not quite so sparse": (0, 126),
}


@pytest.mark.parametrize("numbers", SETS.values(), ids=SETS)
def test_a_set_holds_its_numbers(numbers: tuple[int, ...]) -> None:
    bits = sum(1 << number for number in numbers)
    assert bits_of(reversed(numbers)) == bits
    assert list(members(bits)) == list(numbers)
    assert not numbers or first(bits) == numbers[0]


def test_random_sets() -> None:
    chance = random.Random(0)
    for _ in range(2_000):
        width = chance.choice((1, 9, 64, 130, 1_000, 20_000))
        numbers = sorted({chance.randrange(width) for _ in range(chance.choice((1, 2, 5, 40, 300)))})
        assert list(members(bits_of(numbers))) == numbers


def test_a_few_are_told_one_by_one() -> None:
    chance = random.Random(0)
    for most in (0, 1, 4, 5, 64):
        with few_are(most):
            for count in (0, 1, 3, 4, 5, 6, 63, 64, 65, 300):
                numbers = set(chance.sample(range(1_000), count))
                found = few_members(bits_of(numbers))
                assert (found is None) == (count > most)
                assert found is None or (set(found) == numbers and len(found) == count)
