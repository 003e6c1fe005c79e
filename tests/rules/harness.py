"""Reads a rule's case file and runs the rule on a case, as the engine would."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import yaml

from policy.findings import Field, Finding
from policy.manifests.decode import resources_of
from policy.manifests.index import Index
from policy.manifests.load import load_documents
from policy.rules.rule import Context, Rule
from policy.rules.subjects import subjects

CASES = Path(__file__).parent / "cases"


@dataclass(frozen=True)
class Case:
    """One named case: manifests in, whole findings (and reasons of skips) out."""

    name: str
    manifests: str
    findings: list[dict[str, str]]
    skipped: list[str] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)
    environment: str = ""
    kubernetes: tuple[str, ...] = ("1.34", "1.37")


def cases_of(rule: Rule) -> list[Case]:
    """The cases of a rule; its file is named after it."""
    file = CASES / f"{rule.id}.yaml"
    return [msgspec.convert(case, Case) for case in yaml.safe_load(file.read_text(encoding="utf-8"))]


def run_case(rule: Rule, case: Case) -> tuple[list[dict[str, str]], list[str]]:
    """The findings (as in a case file, keys in its order) and the reasons of skips, in the rule's order."""
    documents = load_documents(case.manifests, case.name)
    index = Index(
        resource for number, (_, document) in enumerate(documents) for resource in resources_of(document, number)
    )
    assert not index.undecodable, [str(error) for _, error in index.undecodable]
    context = Context(
        index=index,
        environment=case.environment,
        kubernetes=case.kubernetes,
        chosen=msgspec.convert(case.options, rule.options),
    )
    findings: list[dict[str, str]] = []
    skipped: list[str] = []
    for subject in subjects(rule.applies_to, index, None):
        for said in rule.check(subject, context):
            if isinstance(said, Finding):
                findings.append(_described(said))
            else:
                skipped.append(said.reason)
    return findings, skipped


def _described(finding: Finding) -> dict[str, str]:
    assert isinstance(finding.at, Field)
    described = {
        "object": str(finding.at.object),
        "path": format_path(finding.at.path),
        "message": finding.message,
    }
    if finding.at.object.namespace:
        described["namespace"] = finding.at.object.namespace
    return described


def format_path(path: tuple[str | int, ...]) -> str:
    """``spec.containers[0].image``, as findings are shown."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text
