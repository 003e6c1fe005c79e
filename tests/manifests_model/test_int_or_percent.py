"""Numbers of pods, and percentages of them."""

from __future__ import annotations

import pytest

from policy.manifests.int_or_percent import scaled


@pytest.mark.parametrize(
    ("value", "total", "up", "down"),
    [
        (3, 10, 3, 3),
        (0, 10, 0, 0),
        ("25%", 4, 1, 1),
        ("25%", 5, 2, 1),
        ("25%", 1, 1, 0),
        ("0%", 7, 0, 0),
        ("100%", 7, 7, 7),
        ("150%", 3, 5, 4),
        ("25%", 0, 0, 0),
        (-1, 10, None, None),
        ("3", 10, None, None),
        ("25 %", 10, None, None),
    ],
)
def test_scaled(value: int | str, total: int, up: int | None, down: int | None) -> None:
    assert scaled(value, total, round_up=True) == up
    assert scaled(value, total, round_up=False) == down
