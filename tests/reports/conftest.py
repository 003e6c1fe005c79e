"""One small repository with every kind of result, checked once by the real tools."""

from __future__ import annotations

import datetime
import shutil
from pathlib import Path

import pytest

from policy.engine import check
from policy.reports import Run
from policy.rules import RULES
from policy.rules.rule import Rule
from policy.settings import load_settings
from policy.targets import targets

TODAY = datetime.date(2026, 1, 15)
RULE_IDS = (
    *("readiness-probe-set", "startup-probe-set", "quota-fits-peak", "read-only-root", "image-pinned"),
    *("exception-stale", "schema-valid", "key-unique"),
)
"""Few rules, so that a new one does not change how this repository is reported."""


def rules() -> list[Rule]:
    return [rule for rule in RULES if rule.id in RULE_IDS]


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy that is a repository of its own."""
    root = tmp_path_factory.mktemp("reports") / "repository"
    shutil.copytree(Path(__file__).parent / "repository", root)
    (root / ".git").mkdir()
    return root


@pytest.fixture(scope="session")
def checked(repository: Path) -> Run:
    """The run of all its environments: errors, warnings, a skip, what could not run, an accepted and an expired one."""
    settings = load_settings(repository / "policy.toml", RULES)
    chosen = rules()
    result = check(targets((), settings), settings, chosen, today=TODAY)
    return Run(
        result=result,
        rules=chosen,
        root=repository,
        is_enabled=lambda rule, overlay: settings.rule(rule, overlay).enabled,
        kustomizations=frozenset({"dev", "prod", "broken"}),
        rule_pages="https://policy.example/rules/",
        source="https://github.example/shop/gitops/blob/main/",
    )


@pytest.fixture
def run(checked: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The run, as seen from the root of its repository."""
    monkeypatch.chdir(checked.root)
    return checked
