"""Reads a rule's case file and runs the rule on a case: on manifests alone, or the whole check on a folder of files."""

from __future__ import annotations

import datetime
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import yaml

from policy.connectivity.isolation import Isolation
from policy.connectivity.topology import FILE_NAME, Topology
from policy.connectivity.topology_file import load_topology
from policy.engine import check
from policy.findings import Finding, Place
from policy.manifests.decode import resources_of
from policy.manifests.index import Index
from policy.manifests.load import load_documents
from policy.rules import RULES
from policy.rules.rule import Context, Rule
from policy.rules.subjects import answers
from policy.settings import Settings, load_settings
from policy.targets import targets

TODAY = datetime.date(2026, 1, 15)
"""The day on which the cases of exceptions are judged."""

CASES = Path(__file__).parent / "cases"


@dataclass(frozen=True)
class Case:
    """One named case: manifests (or files, by path) in, whole findings (and reasons of skips) out.

    ``topology`` is the topology.yaml that holds for the manifests; a finding in it names its place.
    With ``files`` the whole check runs on their folder, with the real tools, and a finding names its place; ``errors``
    are what could not run. ``commits`` are files of earlier commits, the oldest first; without any Git knows nothing.
    """

    name: str
    findings: list[dict[str, str]]
    manifests: str = ""
    topology: str = ""
    files: dict[str, str] = field(default_factory=dict)
    commits: list[dict[str, str]] = field(default_factory=list)
    targets: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)
    environment: str = ""
    kubernetes: tuple[str, ...] = ("1.34", "1.37")


def cases_of(rule: Rule) -> list[Case]:
    """The cases of a rule; its file is named after it."""
    file = CASES / f"{rule.id}.yaml"
    return [msgspec.convert(case, Case) for case in yaml.safe_load(file.read_text(encoding="utf-8"))]


def run_case(rule: Rule, case: Case, folder: Path) -> tuple[list[dict[str, str]], list[str]]:
    """The findings as a case file states them and the reasons of skips; ``folder`` is empty and may be written to."""
    return _run_on_files(rule, case, folder) if case.files else _run_on_manifests(rule, case, folder)


def _run_on_files(rule: Rule, case: Case, folder: Path) -> tuple[list[dict[str, str]], list[str]]:
    for files in case.commits:
        _write(folder, files)
        _commit(folder)
    (folder / ".git").mkdir(exist_ok=True)
    _write(folder, case.files)
    settings_file = folder / "policy.toml"
    settings = load_settings(settings_file, RULES) if settings_file.exists() else Settings(folder, folder)
    paths = [str(folder / target) for target in case.targets or (() if settings.environments else ["."])]
    result = check(targets(paths, settings), settings, [rule], today=TODAY, is_whole_run=not paths)
    assert [str(error).replace(str(folder), "{folder}") for error in result.all_errors] == case.errors
    findings = [
        {
            **({"object": ", ".join(map(str, finding.objects))} if finding.objects else {}),
            "place": str(finding.place),
            "message": finding.message,
            **({"severity": finding.severity.value} if finding.severity is not rule.severity else {}),
        }
        for finding in result.findings
    ]
    return findings, [skip.reason for skip in result.skipped]


def _write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


def _commit(folder: Path) -> None:
    who = ("-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false")
    for command in (("init", "-q"), ("add", "."), (*who, "commit", "-q", "-m", "Test")):
        subprocess.run(["git", "-C", str(folder), *command], check=True, capture_output=True)


def _run_on_manifests(rule: Rule, case: Case, folder: Path) -> tuple[list[dict[str, str]], list[str]]:
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
        shared=Isolation(index, _topology(case, folder)),
    )
    findings: list[dict[str, str]] = []
    skipped: list[str] = []
    for said in answers(rule, context, None):
        if isinstance(said, Finding):
            findings.append(_described(said))
        else:
            skipped.append(said.reason)
    return findings, skipped


def _topology(case: Case, folder: Path) -> Topology | None:
    if not case.topology:
        return None
    _write(folder, {FILE_NAME: case.topology})
    return load_topology(folder / FILE_NAME, FILE_NAME)


def _described(finding: Finding) -> dict[str, str]:
    if isinstance(finding.at, Place):
        return {"place": str(finding.at), "message": finding.message}
    described = {
        "object": str(finding.at.object),
        "path": format_path(finding.at.path),
        "message": finding.message,
    }
    if finding.at.object.namespace:
        described["namespace"] = finding.at.object.namespace
    if finding.severity is not None:
        described["severity"] = finding.severity.value
    return described


def format_path(path: tuple[str | int, ...]) -> str:
    """``spec.containers[0].image``, as findings are shown."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text
