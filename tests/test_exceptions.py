"""Which exception accepts a finding, until which day, and which of them are no longer needed."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from policy.engine import check
from policy.result import Result
from policy.rules import RULES
from policy.settings import load_settings
from policy.targets import targets

POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {containers: [{name: app, image: app:1}]}\n"
CHOSEN = [rule for rule in RULES if rule.id in ("image-pinned", "exception-stale")]
DAY = datetime.date(2027, 3, 31)


def run(folder: Path, today: datetime.date, *entries: tuple[str, datetime.date]) -> Result:
    """Checks a pod whose image is not pinned, with exceptions for those objects until those days."""
    (folder / "web.yaml").write_text(POD, encoding="utf-8")
    (folder / "policy.toml").write_text(
        "".join(
            f'[[exception]]\nrule = "image-pinned"\nobject = "{name}"\nreason = "r"\nowner = "o"\nexpires = {day}\n'
            for name, day in entries
        ),
        encoding="utf-8",
    )
    settings = load_settings(folder / "policy.toml", RULES)
    return check(targets([str(folder / "web.yaml")], settings), settings, CHOSEN, today=today)


@pytest.mark.parametrize(("days", "accepted"), [(-1, 1), (0, 1), (1, 0)])
def test_the_day_itself_still_counts(days: int, accepted: int, tmp_path: Path) -> None:
    result = run(tmp_path, DAY + datetime.timedelta(days), ("Pod/web", DAY))

    assert len(result.accepted) == accepted
    assert [finding.note for finding in result.findings] == ["its exception expired on 2027-03-31 (o)"][accepted:]


@pytest.mark.parametrize("order", [1, -1])
def test_one_that_still_counts_wins_over_one_that_has_expired(order: int, tmp_path: Path) -> None:
    expired, live = DAY - datetime.timedelta(1), DAY + datetime.timedelta(1)

    result = run(tmp_path, DAY, *[("Pod/*", expired), ("Pod/web", live)][::order])

    assert [item.expires for item in result.accepted] == [live]
    assert not result.findings


def test_of_two_that_count_the_first_is_told_and_neither_is_stale(tmp_path: Path) -> None:
    later = DAY + datetime.timedelta(1)

    result = run(tmp_path, DAY, ("Pod/*", DAY), ("Pod/web", later), ("Pod/gone", later))

    assert [item.expires for item in result.accepted] == [DAY]
    assert [(finding.rule, finding.place.line) for finding in result.findings] == [("exception-stale", 13)]
