"""How a result is told: one module a format, each a pure function to text. What a rule is, is told by pages.py."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

if TYPE_CHECKING:
    from policy.result import Result
    from policy.rules.rule import Rule

FORMATS = {
    "text": "for a person at a terminal; the first findings of each rule, with --all every one",
    "json": "for programs; docs/json-report.schema.json describes it",
    "sarif": "SARIF 2.1.0, for code scanning and editors",
    "junit": "JUnit XML: a suite for each overlay, a case for each rule",
    "github": "annotations of a GitHub Actions run",
    "markdown": "a comment on a pull request, at most 60 KiB",
}
"""Every format, and what it is for."""


class Run(msgspec.Struct, frozen=True):
    """A result, and what the formats need to know beside it.

    ``rules`` are those that ran; ``is_enabled`` says of a rule and an overlay whether it was on there. ``root`` is what
    the files of places are relative to, ``workspace`` what GitHub takes paths of annotations to be relative to.
    ``kustomizations`` are the overlays that are kustomizations, not plain manifests; ``is_whole`` says that all rules
    ran on everything that policy.toml names. ``rule_pages`` is the URL of the folder with the pages of the rules,
    ``source`` the URL of the folder that ``root`` is on the web; both end with a slash. ``width`` is how many columns a
    line may have; None does not wrap lines. ``shows_all`` says that text has every finding, not the first of many.
    """

    result: Result
    rules: Sequence[Rule]
    root: Path
    is_enabled: Callable[[Rule, str], bool]
    kustomizations: frozenset[str] = frozenset()
    is_whole: bool = True
    strict: bool = False
    shows_all: bool = True
    color: bool = False
    width: int | None = None
    workspace: Path | None = None
    rule_pages: str | None = None
    source: str | None = None

    def for_file(self) -> Run:
        """The same for a file: not coloured, and its lines are not wrapped."""
        return replace(self, color=False, width=None)


def render(format_name: str, run: Run) -> str:
    """The report in one of ``FORMATS``; a format is imported only when it is asked for."""
    match format_name:
        case "text":
            from policy.reports import text

            first = None if run.shows_all else text.FIRST
            return text.render(run.result, root=run.root, color=run.color, width=run.width, first=first)
        case "json":
            from policy.reports import json

            return json.render(run.result, version=program_version())
        case "sarif":
            from policy.reports import sarif

            return sarif.render(run, version=program_version())
        case "junit":
            from policy.reports import junit

            return junit.render(run)
        case "github":
            from policy.reports import github

            return github.render(run)
        case "markdown":
            from policy.reports import markdown

            return markdown.render(run)
    raise ValueError(f"there is no format {format_name}")


def program_version() -> str | None:
    """The version of this program, e.g. ``1.0.0``; None where it runs without being installed."""
    from importlib.metadata import PackageNotFoundError, version  # slow, and few ask

    try:
        return version("gitops-policy")
    except PackageNotFoundError:
        return None
