"""Every overlay of this repository against every rule: one test each, so that a red test names both."""

from __future__ import annotations

import datetime
from functools import cache
from pathlib import Path

import pytest

from policy.engine import check
from policy.reports import text
from policy.result import Result
from policy.rules import RULES
from policy.rules.rule import Rule
from policy.settings import Settings, load_settings
from policy.targets import targets

REPOSITORY = Path(__file__).parent.parent
OVERLAYS = sorted(path.name for path in (REPOSITORY / "overlays").iterdir() if path.is_dir())


@cache
def settings() -> Settings:
    return load_settings(REPOSITORY / "policy.toml", RULES)


@cache
def result() -> Result:
    today = datetime.datetime.now(datetime.UTC).date()
    return check(targets((), settings()), settings(), RULES, today=today)


def test_policy_toml_names_every_overlay() -> None:
    assert sorted(settings().environments) == OVERLAYS


@pytest.mark.parametrize("overlay", OVERLAYS)
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_overlay_satisfies(rule: Rule, overlay: str) -> None:
    assert settings().rule(rule, overlay).enabled, f"policy.toml switches {rule.id} off for {overlay}"

    mine = [finding for finding in result().findings if finding.rule == rule.id and overlay in finding.overlays]

    assert not mine, "\n" + "\n".join(f"{finding.place}: {finding.message}" for finding in mine)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_overlay_is_compared_with_the_schemas_of_every_supported_version(overlay: str) -> None:
    mine = next(each for each in result().overlays if each.name == overlay)

    assert mine.schema_versions == settings().kubernetes
    assert mine.objects > 0


def test_everything_could_be_judged() -> None:
    assert not result().all_errors
    assert not result().skipped, text.render(result(), root=REPOSITORY, color=False)


def test_exceptions_are_few_and_still_needed() -> None:
    stale = [finding for finding in result().findings if finding.rule == "exception-stale"]

    assert not stale
    assert all(item.reason and item.owner for item in result().accepted)
