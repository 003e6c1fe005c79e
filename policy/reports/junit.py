"""JUnit XML, for test reports: a suite for each overlay and a case for each rule, so that a red case names both.

A case fails by its errors; its warnings stand in its output, unless the run is strict. What was not checked is skipped,
never passed; what could not run is an error.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import msgspec

from policy.errors import PolicyError
from policy.findings import Severity
from policy.reports.plain import about, plural, printable
from policy.result import Accepted, LocatedFinding, LocatedSkip, OverlayResult
from policy.rules.configuration import exception_stale, schema_valid
from policy.rules.rule import Rule, Sources
from policy.rules.subjects import Repository

if TYPE_CHECKING:
    from policy.reports import Run

RAN = "could run"
"""The case of a suite that is no rule: whether there was anything to judge, and what judges it."""
WHOLE = "repository"
"""The suite of the rules that look at all overlays together."""


class _Case(msgspec.Struct, frozen=True):
    """One test case: ``kind`` is the element that tells what is wrong, None where it passes."""

    name: str
    kind: str | None = None
    message: str = ""
    text: str = ""
    output: str = ""


class _Said(msgspec.Struct, frozen=True):
    """What a rule said about an overlay."""

    findings: list[LocatedFinding] = msgspec.field(default_factory=list)
    skips: list[LocatedSkip] = msgspec.field(default_factory=list)
    accepted: list[Accepted] = msgspec.field(default_factory=list)
    baselined: list[LocatedFinding] = msgspec.field(default_factory=list)


def render(run: Run) -> str:
    """The test suites as XML, indented, in UTF-8."""
    said = _by_rule_and_suite(run)
    suites: list[tuple[str, list[_Case]]] = []
    for overlay in run.result.overlays:
        rules = (rule for rule in run.rules if not _is_of_repository(rule))
        cases = [_case(rule, said[rule.id, overlay.name], run, overlay) for rule in rules]
        suites.append((overlay.name, [_readable(overlay.errors), *cases]))
    rules = (rule for rule in run.rules if _is_of_repository(rule))
    cases = [_case(rule, said[rule.id, WHOLE], run, None) for rule in rules]
    suites.append((WHOLE, [_readable(run.result.errors), *cases]))
    lines = ['<?xml version="1.0" encoding="UTF-8"?>']
    lines.append(f"<testsuites {_attributes('policy', [case for _, cases in suites for case in cases])}>")
    for name, cases in suites:
        lines.append(f"  <testsuite {_attributes(name, cases)}>")
        lines.extend(line for case in cases for line in _xml(name, case))
        lines.append("  </testsuite>")
    return "\n".join([*lines, "</testsuites>"]) + "\n"


def _is_of_repository(rule: Rule) -> bool:
    return rule.applies_to is Repository or rule is exception_stale.RULE


def _by_rule_and_suite(run: Run) -> defaultdict[tuple[str, str], _Said]:
    whole = {rule.id for rule in run.rules if _is_of_repository(rule)}
    names = [overlay.name for overlay in run.result.overlays]
    said: defaultdict[tuple[str, str], _Said] = defaultdict(_Said)

    def add(part: str, what: LocatedFinding | LocatedSkip | Accepted) -> None:
        about = what.finding if isinstance(what, Accepted) else what
        for name in [WHOLE] if about.rule in whole else about.overlays or names:
            getattr(said[about.rule, name], part).append(what)

    for part, items in (
        ("findings", run.result.findings),
        ("skips", run.result.skipped),
        ("accepted", run.result.accepted),
        ("baselined", run.result.baselined),
    ):
        for what in items:
            add(part, what)
    return said


def _readable(errors: Sequence[PolicyError]) -> _Case:
    if not errors:
        return _Case(RAN)
    return _Case(RAN, "error", errors[0].message, "\n".join(map(str, errors)))


def _case(rule: Rule, said: _Said, run: Run, overlay: OverlayResult | None) -> _Case:
    failing: list[LocatedFinding] = []
    passing: list[LocatedFinding] = []
    for finding in said.findings:
        (failing if run.strict or finding.severity is Severity.ERROR else passing).append(finding)
    shown = [*map(_finding, passing)]
    shown += map(_accepted, said.accepted)
    shown += (f"in the baseline: {finding.place}: {finding.message}" for finding in said.baselined)
    skips = "\n".join(map(_skip, said.skips))
    if failing:
        text = "\n\n".join([*map(_finding, failing), *([skips] if skips else [])])
        return _Case(rule.id, "failure", plural(len(failing), "finding"), text, "\n".join(shown))
    if skips:
        return _Case(rule.id, "failure" if run.strict else "skipped", "not checked", skips, "\n".join(shown))
    if not said.findings and (reason := _why_not_run(rule, overlay, run)):
        return _Case(rule.id, "skipped", reason)
    return _Case(rule.id, output="\n".join(shown))


def _why_not_run(rule: Rule, overlay: OverlayResult | None, run: Run) -> str | None:
    """A rule that found nothing because it never looked has not passed."""
    if not run.is_enabled(rule, overlay.name if overlay else ""):
        return "switched off"
    if overlay is None:
        is_partial = rule is exception_stale.RULE and (run.result.all_errors or not run.is_whole)
        return "judged only when everything is checked" if is_partial else None
    if overlay.errors and not overlay.objects:
        return "the overlay could not be read"
    if rule.applies_to is Sources and overlay.name not in run.kustomizations:
        return "the overlay is no kustomization"
    if rule is schema_valid.RULE and not overlay.schema_versions:
        return "schemas were not compared"
    return None


def _finding(finding: LocatedFinding) -> str:
    lines = [f"{finding.severity.value}: {about(finding)}" if finding.objects else finding.severity.value]
    lines.append(f"{finding.place}: {finding.message}")
    lines += [f"fix: {finding.fix}"] if finding.fix else []
    lines += [f"see: {other}" for other in finding.related]
    lines += [f"note: {finding.note}"] if finding.note else []
    return "\n".join(lines)


def _accepted(item: Accepted) -> str:
    finding = item.finding
    return f"accepted until {item.expires} ({item.owner}: {item.reason}): {finding.place}: {finding.message}"


def _skip(skip: LocatedSkip) -> str:
    return f"not checked: {skip.object}: {skip.reason}" if skip.object else f"not checked: {skip.reason}"


def _attributes(name: str, cases: Sequence[_Case]) -> str:
    counts = {"tests": len(cases)}
    for key, kind in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        counts[key] = sum(case.kind == kind for case in cases)
    return " ".join([f'name="{_attribute(name)}"', *(f'{key}="{count}"' for key, count in counts.items())])


def _xml(suite: str, case: _Case) -> Iterator[str]:
    opening = f'    <testcase classname="{_attribute(suite)}" name="{_attribute(case.name)}"'
    inside = []
    if case.kind == "skipped":
        inside.append(f'      <skipped message="{_attribute(case.text or case.message)}"/>')
    elif case.kind:
        message = f'message="{_attribute(case.message)}" type="{_attribute(case.name)}"'
        inside.append(f"      <{case.kind} {message}>{_escaped(case.text)}</{case.kind}>")
    if case.output:
        inside.append(f"      <system-out>{_escaped(case.output)}</system-out>")
    yield from [f"{opening}>", *inside, "    </testcase>"] if inside else [f"{opening}/>"]


def _escaped(text: str) -> str:
    """For the text of an element; characters that XML 1.0 has no way to hold are written out."""
    return printable(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _attribute(text: str) -> str:
    """For the value of an attribute, which keeps tabs and line ends only as references."""
    return _escaped(text).replace('"', "&quot;").replace("\t", "&#9;").replace("\n", "&#10;")
