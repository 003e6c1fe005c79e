"""For programs: the whole result as one JSON object, as docs/json-report.schema.json describes it.

``version`` is raised when a field goes, or changes its meaning; new fields may come without that.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from policy.errors import PolicyError
from policy.findings import ObjectRef, Place, Severity
from policy.reports.plain import count_of, json_text
from policy.result import Accepted, LocatedFinding, Result, fingerprints

VERSION = 1


def render(result: Result, *, version: str | None) -> str:
    """The result as indented JSON; files are relative to the repository's root, lines and columns are 1-based.

    ``version`` is that of this program, where it is known.
    """
    document = {
        "version": VERSION,
        "tool": {"name": "policy", "version": version},
        "overlays": [
            {
                "name": overlay.name,
                "path": overlay.path,
                "objects": overlay.objects,
                "schemaVersions": list(overlay.schema_versions),
                "errors": [_error(error) for error in overlay.errors],
            }
            for overlay in result.overlays
        ],
        "findings": _findings(result.findings),
        "accepted": _accepted(result.accepted),
        "baselined": _findings(result.baselined),
        "notChecked": [
            {"rule": skip.rule, "overlays": list(skip.overlays), "object": _object(skip.object), "reason": skip.reason}
            for skip in result.skipped
        ],
        "errors": [_error(error) for error in result.errors],
        "summary": {
            "rules": result.rules,
            "errors": count_of(result.findings.tally, Severity.ERROR),
            "warnings": count_of(result.findings.tally, Severity.WARNING),
            "accepted": len(result.accepted),
            "baselined": len(result.baselined),
            "mended": result.mended,
            "notChecked": len(result.skipped),
            "couldNotRun": len(result.all_errors),
        },
    }
    return json_text(document)


def _findings(findings: Sequence[LocatedFinding]) -> list[dict[str, Any]]:
    return [
        {
            "rule": finding.rule,
            "severity": finding.severity.value,
            "overlays": list(finding.overlays),
            "objects": [_object(ref) for ref in finding.objects],
            "path": list(finding.path),
            "namedPath": list(finding.named_path),
            "message": finding.message,
            "fix": finding.fix,
            "place": {**_place(finding.place), "exact": finding.exact},
            "related": [_place(place) for place in finding.related],
            "note": finding.note,
            "fingerprint": fingerprint,
        }
        for finding, fingerprint in zip(findings, fingerprints(findings), strict=True)
    ]


def _accepted(accepted: tuple[Accepted, ...]) -> list[dict[str, Any]]:
    findings = _findings(tuple(item.finding for item in accepted))
    return [
        {"finding": finding, "reason": item.reason, "owner": item.owner, "expires": item.expires.isoformat()}
        for finding, item in zip(findings, accepted, strict=True)
    ]


def _object(ref: ObjectRef | None) -> dict[str, str] | None:
    if ref is None:
        return None
    return {"apiVersion": ref.api_version, "kind": ref.kind, "namespace": ref.namespace, "name": ref.name}


def _place(place: Place) -> dict[str, Any]:
    return {"file": place.file, "line": place.line, "column": place.column, "endColumn": place.end_column}


def _error(error: PolicyError) -> dict[str, Any]:
    return {"message": error.message, "file": error.file, "line": error.line}
