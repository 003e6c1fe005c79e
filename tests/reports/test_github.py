"""Annotations: one command a line, read back as GitHub's runner reads them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from policy.errors import PolicyError
from policy.findings import Place, Severity
from policy.reports import Run
from policy.reports.github import SHOWN, render
from policy.reports.plain import printable
from policy.result import LocatedFinding, LocatedSkip
from tests.reports.builders import finding, findings, run_of

COMMAND = re.compile(r"::(?P<name>\w+) (?P<properties>[^:]*)::(?P<message>.*)")


def read(line: str) -> tuple[str, dict[str, str], str]:
    """A workflow command: its name, its properties and its message, unescaped in the order of actions/runner."""
    match = COMMAND.fullmatch(line)
    assert match, line
    properties = dict(each.split("=", 1) for each in match["properties"].split(","))
    return (
        match["name"],
        {key: unescaped(value, ":,") for key, value in properties.items()},
        unescaped(match["message"]),
    )


def unescaped(text: str, more: str = "") -> str:
    for char in f"\r\n{more}%":
        text = text.replace(f"%{ord(char):02X}", char)
    return text


def test_every_finding_is_a_command_and_the_summary_comes_last(run: Run) -> None:
    lines = render(run).splitlines()
    commands = [read(line) for line in lines if line.startswith("::")]

    severities = [each.severity.value for each in run.result.findings]
    assert [name for name, _, _ in commands] == [*severities, "error", "notice"]
    assert lines[-1] == "8 rules: 6 errors, 1 warning, 1 not checked, 1 could not run"
    _, properties, message = commands[0]
    assert properties == {
        "file": "base/agent.yaml",
        "line": "14",
        "col": "18",
        "endColumn": "25",
        "title": "image-pinned: DaemonSet/agent (dev, prod)",
    }
    assert message.splitlines()[:2] == [
        "base/agent.yaml:14: container agent runs agent:2, which is not pinned",
        "fix: append the digest: agent:2@sha256:…",
    ]


@given(st.lists(findings, min_size=1, max_size=3), st.text(min_size=1))
def test_whatever_manifests_hold_is_one_command(found: list[LocatedFinding], reason: str) -> None:
    skip = LocatedSkip("image-pinned", (), None, reason)
    lines = render(run_of(found, skipped=(skip,), errors=(PolicyError(reason, file=reason, line=3),))).split("\n")

    assert len(lines) == len(found) + 4
    assert not any("##[" in line for line in lines)
    for line, each in zip(lines, found, strict=False):
        name, properties, message = read(line)
        assert name == each.severity.value
        assert properties["file"] == printable(each.place.file).replace("##[", "## [")
        assert printable(each.message).replace("##[", "## [") in message
    name, properties, message = read(lines[len(found)])
    assert (name, properties["line"], properties["title"]) == ("error", "3", "could not run")
    assert not any(line.startswith("::") for line in lines[len(found) + 2 :])


@pytest.mark.parametrize(
    ("workspace", "file"), [(None, "a.yaml"), ("/srv", "repository/a.yaml"), ("/elsewhere", "a.yaml")]
)
def test_paths_are_relative_to_the_workspace(workspace: str | None, file: str) -> None:
    run = run_of([finding(place=Place("a.yaml", 1))], root=Path("/srv/repository"))
    run = replace(run, workspace=Path(workspace) if workspace else None)

    _, properties, _ = read(render(run).splitlines()[0])

    assert properties["file"] == file
    assert "endColumn" not in properties


def test_more_than_github_shows_is_said() -> None:
    warning = finding(severity=Severity.WARNING)
    enough, too_many = [*[finding()] * SHOWN, *[warning] * SHOWN], [warning] * (SHOWN + 1)

    assert "GitHub shows" not in render(run_of(enough))
    assert "GitHub shows 10 errors and 10 warnings" in render(run_of(too_many)).splitlines()[-2]
