"""Every rule is listed, documented, and proven by cases that pass and cases that fail."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from pathlib import Path

import pytest

import policy.rules
from policy.rules import RULES
from policy.rules.rule import Rule
from tests.rules.harness import CASES, Case, cases_of, run_case

ALL_CASES = [(rule, case) for rule in RULES for case in cases_of(rule)]


@pytest.mark.parametrize(("rule", "case"), ALL_CASES, ids=[f"{rule.id}: {case.name}" for rule, case in ALL_CASES])
def test_a_case_has_exactly_the_findings_it_names(rule: Rule, case: Case, tmp_path: Path) -> None:
    findings, skipped = run_case(rule, case, tmp_path)

    assert findings == case.findings
    assert skipped == case.skipped


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_rule_has_a_case_that_passes_and_one_that_fails(rule: Rule) -> None:
    cases = cases_of(rule)

    assert any(not case.findings and not case.skipped for case in cases), "no case passes"
    assert any(case.findings for case in cases), "no case fails"
    names = [case.name for case in cases]
    assert len(names) == len(set(names)), "two cases share a name"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_rule_has_a_page(rule: Rule) -> None:
    page = rule.page

    assert rule.summary.endswith("."), "the first line says in one sentence what must be true"
    assert "\n\nWhy: " in page
    assert "\n\nFix: " in page
    assert "\n\nBad:\n\n```yaml\n" in page
    assert "\n\nGood:\n\n```yaml\n" in page


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_rule_is_named_like_its_module(rule: Rule) -> None:
    assert rule.check.__module__ == f"policy.rules.{rule.family}.{rule.id.replace('-', '_')}"


def test_every_module_is_in_the_list_and_no_id_twice() -> None:
    modules = {
        name
        for _, name, is_package in pkgutil.walk_packages(policy.rules.__path__, "policy.rules.")
        if not is_package and hasattr(import_module(name), "RULE")
    }

    assert {rule.check.__module__ for rule in RULES} == modules
    assert len({rule.id for rule in RULES}) == len(RULES)


def test_every_case_file_belongs_to_a_rule() -> None:
    assert {file.stem for file in CASES.glob("*.yaml")} == {rule.id for rule in RULES}
