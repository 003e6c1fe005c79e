"""Our verdicts on kube-linter's own test manifests: the same, or listed with a reason that still holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from policy.rules import RULES
from tests.peers.fixtures import REPOSITORY, Fixture, files, found_in, listed, page

FIXTURES = listed()
FILES = files()


@pytest.mark.parametrize("fixture", FIXTURES, ids=lambda fixture: fixture.fixture)
def test_a_fixture_is_judged_by_rules_or_has_a_reason_why_not(fixture: Fixture) -> None:
    assert bool(fixture.rules) != bool(fixture.no_rule)
    ids = {rule.id for rule in RULES}
    assert set(fixture.rules) <= ids
    assert not set(fixture.until) & ids, "there is a rule now: write the entry anew"
    assert not fixture.no_rule or not fixture.disagree


def test_no_fixture_twice() -> None:
    names = [fixture.fixture for fixture in FIXTURES]

    assert names == sorted(set(names))


def test_every_manifest_is_listed() -> None:
    if not FILES:
        pytest.skip("the manifests of kube-linter are not at hand: POLICY_CASES names their folder")

    assert {fixture.fixture for fixture in FIXTURES} == set(FILES)


@pytest.mark.parametrize(
    "fixture", [fixture for fixture in FIXTURES if fixture.rules], ids=lambda fixture: fixture.fixture
)
def test_our_verdict_is_theirs_but_for_what_is_listed(fixture: Fixture, tmp_path: Path) -> None:
    if fixture.fixture not in FILES:
        pytest.skip("the manifests of kube-linter are not at hand: POLICY_CASES names their folder")
    found = found_in(FILES[fixture.fixture], fixture, tmp_path)

    assert found ^ set(fixture.fire) == set(fixture.disagree)


def test_the_page_is_fresh() -> None:
    written = (REPOSITORY / "docs" / "kube-linter.md").read_text(encoding="utf-8")

    assert written == page(), "python -m tests.peers.fixtures writes it anew"
