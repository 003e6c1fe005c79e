"""Annotations of a GitHub Actions run: workflow commands on stdout, then the summary.

GitHub shows ten errors and ten warnings of a step beside the code; every line stands in the log of the step, with its
place, because the log does not show where an annotation points to.
https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from policy.errors import PolicyError
from policy.findings import Severity
from policy.reports.plain import about, accepted, baselined, count_of, counts, plural, printable
from policy.result import LocatedFinding, LocatedSkip, Result

if TYPE_CHECKING:
    from policy.reports import Run

SHOWN = 10
"""How many annotations of a level GitHub shows for one step."""


def render(run: Run) -> str:
    """One line for each finding, error and skip, and a summary."""
    result = run.result
    lines = [_finding(finding, run) for finding in result.findings]
    lines.extend(_error(error, run) for error in result.all_errors)
    lines.extend(_skip(skip) for skip in result.skipped)
    lines.extend(_summary(result))
    return "\n".join(lines) + "\n"


def _finding(finding: LocatedFinding, run: Run) -> str:
    place = finding.place
    where = {"file": _file(place.file, run), "line": str(place.line), "col": str(place.column)}
    if place.end_column is not None:
        where["endColumn"] = str(place.end_column)
    overlays = f" ({', '.join(finding.overlays)})" if finding.overlays else ""
    where["title"] = f"{finding.rule}: {about(finding)}{overlays}" if finding.objects else f"{finding.rule}{overlays}"
    message = [f"{place}: {finding.message}"]
    message += [f"fix: {finding.fix}"] if finding.fix else []
    message += [f"see: {other}" for other in finding.related]
    message += [f"note: {finding.note}"] if finding.note else []
    return command(finding.severity.value, where, "\n".join(message))


def _error(error: PolicyError, run: Run) -> str:
    where = {}
    if error.file:
        where["file"] = _file(error.file, run)
        if error.line:
            where["line"] = str(error.line)
    return command("error", {**where, "title": "could not run"}, str(error))


def _skip(skip: LocatedSkip) -> str:
    overlays = f" ({', '.join(skip.overlays)})" if skip.overlays else ""
    subject = f": {skip.object}" if skip.object else ""
    return command("notice", {"title": f"{skip.rule}, not checked{subject}{overlays}"}, skip.reason)


def _summary(result: Result) -> Iterator[str]:
    yield from filter(None, (accepted(result), baselined(result)))
    errors = count_of(result.findings.tally, Severity.ERROR) + len(result.all_errors)
    warnings = count_of(result.findings.tally, Severity.WARNING)
    if max(errors, warnings) > SHOWN:
        yield f"GitHub shows {SHOWN} errors and {SHOWN} warnings of a step beside the code; all of them stand above"
    yield f"{plural(result.rules, 'rule')}: {counts(result)}"


def command(name: str, properties: dict[str, str], message: str) -> str:
    """A workflow command on one line, whatever the properties and the message hold."""
    said = ",".join(f"{key}={_escaped_property(value)}" for key, value in properties.items())
    return f"::{name} {said}::{_escaped(message)}"


def _escaped(text: str) -> str:
    """``##[`` would begin a command of the older syntax anywhere in a line."""
    text = printable(text).replace("##[", "## [")
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escaped_property(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")


def _file(file: str, run: Run) -> str:
    """The path relative to the workspace, as annotations want it; as it is where it lies outside."""
    path = Path(os.path.abspath(run.root / file))
    if run.workspace is not None and path.is_relative_to(run.workspace):
        return str(path.relative_to(run.workspace))
    return file
