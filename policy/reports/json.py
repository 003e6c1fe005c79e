"""For programs: the whole result as one JSON object; ``version`` is raised when a field changes its meaning."""

from __future__ import annotations

import json
from typing import Any

from policy.errors import PolicyError
from policy.findings import ObjectRef, Place, Severity
from policy.result import Accepted, LocatedFinding, Result

VERSION = 1


def render(result: Result) -> str:
    """The result as indented JSON; files are relative to the repository's root, lines and columns are 1-based."""
    document = {
        "version": VERSION,
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
        "findings": [_finding(finding) for finding in result.findings],
        "accepted": [_accepted(item) for item in result.accepted],
        "notChecked": [
            {"rule": skip.rule, "overlays": list(skip.overlays), "object": _object(skip.object), "reason": skip.reason}
            for skip in result.skipped
        ],
        "errors": [_error(error) for error in result.errors],
        "summary": {
            "rules": result.rules,
            "errors": sum(finding.severity is Severity.ERROR for finding in result.findings),
            "warnings": sum(finding.severity is Severity.WARNING for finding in result.findings),
            "notChecked": len(result.skipped),
            "couldNotRun": len(result.all_errors),
        },
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _finding(finding: LocatedFinding) -> dict[str, Any]:
    return {
        "rule": finding.rule,
        "severity": finding.severity.value,
        "overlays": list(finding.overlays),
        "objects": [_object(ref) for ref in finding.objects],
        "path": list(finding.path),
        "message": finding.message,
        "fix": finding.fix,
        "place": {**_place(finding.place), "exact": finding.exact},
        "related": [_place(place) for place in finding.related],
        "note": finding.note,
    }


def _accepted(item: Accepted) -> dict[str, Any]:
    return {
        "finding": _finding(item.finding),
        "reason": item.reason,
        "owner": item.owner,
        "expires": item.expires.isoformat(),
    }


def _object(ref: ObjectRef | None) -> dict[str, str] | None:
    if ref is None:
        return None
    return {"apiVersion": ref.api_version, "kind": ref.kind, "namespace": ref.namespace, "name": ref.name}


def _place(place: Place) -> dict[str, Any]:
    return {"file": place.file, "line": place.line, "column": place.column, "endColumn": place.end_column}


def _error(error: PolicyError) -> dict[str, Any]:
    return {"message": error.message, "file": error.file, "line": error.line}
