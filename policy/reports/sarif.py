"""SARIF 2.1.0, for code scanning and editors.

The specification: https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
What GitHub takes of it, and its limits:
https://docs.github.com/en/code-security/reference/code-scanning/sarif-files/sarif-support-for-code-scanning

Findings that an exception accepts or a baseline lists are no results: GitHub honours neither ``suppressions`` nor
``baselineState`` and would open an alert for each. What was not checked and what could not run are notifications of
the invocation.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from policy.errors import PolicyError
from policy.findings import Place, Severity
from policy.reports.pages import markdown_page
from policy.reports.plain import counts, json_text, plural, printable
from policy.result import LocatedFinding, LocatedSkip, fingerprints
from policy.rules.rule import Rule

if TYPE_CHECKING:
    from policy.reports import Run

MAX_RESULTS = 25_000
"""More than that in one run, and GitHub refuses the file."""
MAX_DESCRIPTION = 1024
"""Characters of a rule's short description that GitHub takes."""
_SOURCE_ROOT = "%SRCROOT%"
_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning"}


def render(run: Run, *, version: str | None) -> str:
    """The result as a SARIF log of one run; the findings that matter most first, at most ``MAX_RESULTS``."""
    result = run.result
    rules = sorted(run.rules, key=lambda rule: rule.id)
    index = {rule.id: number for number, rule in enumerate(rules)}
    shown = result.findings[:MAX_RESULTS]
    driver = {
        "name": "policy",
        "rules": [_rule(rule, run.rule_pages) for rule in rules],
        **({"semanticVersion": version} if version else {}),
        **({"informationUri": run.rule_pages} if run.rule_pages else {}),
    }
    sarif_run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {_SOURCE_ROOT: {"description": {"text": "The root of the repository."}}},
        "invocations": [_invocation(run, index)],
        "results": [
            _result(finding, fingerprint, index)
            for finding, fingerprint in zip(shown, fingerprints(shown), strict=True)
        ],
        "properties": {
            "summary": counts(result),
            "accepted": len(result.accepted),
            "baselined": len(result.baselined),
        },
    }
    log = {"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": [sarif_run]}
    return json_text(log)


def _rule(rule: Rule, pages: str | None) -> dict[str, Any]:
    return {
        "id": rule.id,
        "name": "".join(part.capitalize() for part in rule.id.split("-")),
        "shortDescription": {"text": _cut(rule.summary, MAX_DESCRIPTION)},
        "fullDescription": {"text": _cut(_why(rule), MAX_DESCRIPTION)},
        **({"helpUri": f"{pages}{rule.id}.md"} if pages else {}),
        "help": {"text": rule.page, "markdown": markdown_page(rule)},
        "defaultConfiguration": {"enabled": rule.enabled, "level": _LEVELS[rule.severity]},
        "properties": {"tags": [rule.family], "precision": "very-high", "problem.severity": _LEVELS[rule.severity]},
    }


def _why(rule: Rule) -> str:
    """The sentence and its reason, in one paragraph of plain text."""
    why = re.search(r"^Why: (.*?)(?:\n\n|\Z)", rule.page, re.DOTALL | re.MULTILINE)
    return f"{rule.summary} {' '.join(why[1].split())}" if why else rule.summary


def _cut(text: str, characters: int) -> str:
    return text if len(text) <= characters else text[: characters - 1] + "…"


def _result(finding: LocatedFinding, fingerprint: str, index: dict[str, int]) -> dict[str, Any]:
    related = [{"id": number, **_location(place)} for number, place in enumerate(finding.related, 1)]
    return {
        "ruleId": finding.rule,
        **({"ruleIndex": index[finding.rule]} if finding.rule in index else {}),
        "level": _LEVELS[finding.severity],
        "message": {"text": _message(finding)},
        "locations": [_location(finding.place, finding)],
        **({"relatedLocations": related} if related else {}),
        # GitHub reads only the first. Its own value for it hashes the lines at the place, so that a new image tag would
        # close an alert about a missing probe and open another.
        "partialFingerprints": {"primaryLocationLineHash": fingerprint, "policyFinding/v1": fingerprint},
        "properties": {"overlays": list(finding.overlays), "exact": finding.exact},
    }


def _message(finding: LocatedFinding) -> str:
    """What is wrong, then how to mend it; links lead to the related places."""
    first, _, rest = finding.message.partition("\n")
    lines = [_escaped("\n".join(filter(None, [_sentence(first), rest])))]
    lines += [f"Fix: {_escaped(_sentence(finding.fix))}"] if finding.fix else []
    lines += [f"See [{_escaped(str(place))}]({number})." for number, place in enumerate(finding.related, 1)]
    lines += [f"Overlays: {_escaped(', '.join(finding.overlays))}"] if finding.overlays else []
    lines += [f"Note: {_escaped(finding.note)}"] if finding.note else []
    return "\n\n".join(lines)


def _sentence(text: str) -> str:
    """With its full stop: where there is little room, GitHub shows only the first sentence of a message."""
    return text if text.endswith((".", ":", "…", "?")) else f"{text}."


def _escaped(text: str) -> str:
    """Brackets and backslashes of plain text, which would else begin a link (section 3.11.6)."""
    return re.sub(r"([\\\[\]])", r"\\\1", printable(text))


def _location(place: Place, finding: LocatedFinding | None = None) -> dict[str, Any]:
    region = {"startLine": place.line, "startColumn": place.column, "endLine": place.line}
    region["endColumn"] = place.end_column or place.column + 1
    location: dict[str, Any] = {"physicalLocation": {"artifactLocation": _artifact(place.file), "region": region}}
    if finding is not None and finding.objects:
        location["logicalLocations"] = [
            {
                "name": ref.name,
                "kind": "resource",
                "fullyQualifiedName": "/".join(filter(None, (ref.namespace, ref.kind, ref.name))),
            }
            for ref in finding.objects
        ]
    return location


def _artifact(file: str) -> dict[str, str]:
    if file.startswith("/"):
        return {"uri": f"file://{_quoted(file)}"}
    return {"uri": _quoted(file), "uriBaseId": _SOURCE_ROOT}


def _quoted(path: str) -> str:
    return quote(path, errors="backslashreplace")


def _invocation(run: Run, index: dict[str, int]) -> dict[str, Any]:
    notifications = [_error(error) for error in run.result.all_errors]
    notifications += [_skip(skip, index) for skip in run.result.skipped]
    left_out = len(run.result.findings) - MAX_RESULTS
    if left_out > 0:
        said = f"{plural(left_out, 'finding')} left out: code scanning takes {MAX_RESULTS} at most"
        notifications.append({"level": "warning", "message": {"text": said}})
    return {
        "executionSuccessful": not run.result.all_errors,
        "exitCode": run.result.exit_code(strict=run.strict),
        "toolExecutionNotifications": notifications,
    }


def _error(error: PolicyError) -> dict[str, Any]:
    notification: dict[str, Any] = {"level": "error", "message": {"text": _escaped(error.message)}}
    if error.file:
        physical: dict[str, Any] = {"artifactLocation": _artifact(error.file)}
        if error.line:
            physical["region"] = {"startLine": error.line}
        notification["locations"] = [{"physicalLocation": physical}]
    return notification


def _skip(skip: LocatedSkip, index: dict[str, int]) -> dict[str, Any]:
    parts: Sequence[str] = [str(skip.object)] if skip.object else []
    about = ", ".join([*parts, *skip.overlays])
    said = f"not checked ({about}): {skip.reason}" if about else f"not checked: {skip.reason}"
    return {
        "level": "note",
        "message": {"text": _escaped(said)},
        "associatedRule": {"id": skip.rule, **({"index": index[skip.rule]} if skip.rule in index else {})},
    }
