"""Text that is safe to show, and how counts are said; what every format for people shares."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import groupby

import msgspec

from policy.findings import Severity
from policy.patterns import Pattern
from policy.result import LocatedFinding, OverlayResult, Result, Tally

_UNPRINTABLE = Pattern(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff\ufffe\uffff]"
)
"""Control characters but tab and newline, marks that reorder or hide text, and what no encoding can carry."""


def printable(text: str) -> str:
    """The text with everything that a terminal would obey, or a reader would not see, written out: ``\\x1b``.

    Values of manifests come into messages, and a value may hold any character.
    """
    if text.isascii() and text.isprintable():
        return text
    return _UNPRINTABLE.sub(_escaped, text)


def one_line(text: str) -> str:
    """Printable, with line ends written out too: for names and places, which are shown within a line."""
    if text.isascii() and text.isprintable():
        return text
    return printable(text).replace("\n", "\\n").replace("\t", "\\t")


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def json_text(document: object) -> str:
    """Indented JSON that every parser reads: half a surrogate pair, which few do, becomes U+FFFD."""
    try:
        return msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n"
    except UnicodeEncodeError:
        import json

        text = json.dumps(document, indent=2, ensure_ascii=False)
        return re.sub("[\ud800-\udfff]", "\ufffd", text) + "\n"


def plural(count: int, word: str) -> str:
    """``1 error``, ``2,000 errors``."""
    return f"{count} {word}" if count == 1 else f"{count:,} {word}s"


def count_of(tally: Tally, severity: Severity) -> int:
    """How many of the findings matter that much."""
    return sum(count for kind, count in tally.items() if kind.severity is severity)


def tally_in(overlay: str, tally: Tally) -> Tally:
    """The findings that an overlay has."""
    return Tally({kind: count for kind, count in tally.items() if overlay in kind.overlays})


def counts(result: Result) -> str:
    """``2 errors, 1 warning``, and what was not checked or could not run, if anything."""
    said = [
        plural(count_of(result.findings.tally, Severity.ERROR), "error"),
        plural(count_of(result.findings.tally, Severity.WARNING), "warning"),
    ]
    if result.skipped:
        said.append(f"{len(result.skipped):,} not checked")
    if result.all_errors:
        said.append(f"{len(result.all_errors)} could not run")
    return ", ".join(said)


def by_cause(findings: Sequence[LocatedFinding]) -> list[list[LocatedFinding]]:
    """Neighbours that say of the same objects, at the same place, that the same rule is broken, together."""
    return [list(group) for _, group in groupby(findings, key=_cause)]


def _cause(finding: LocatedFinding) -> tuple[object, ...]:
    return (finding.severity, finding.rule, finding.place, finding.objects, finding.overlays, finding.exact)


def fixes(findings: Iterable[LocatedFinding]) -> list[str]:
    """What to do about the findings, each once."""
    return list(dict.fromkeys(finding.fix for finding in findings if finding.fix))


def notes(findings: Iterable[LocatedFinding]) -> list[str]:
    """What is to be known about the findings, each once."""
    return list(dict.fromkeys(finding.note for finding in findings if finding.note))


def about(finding: LocatedFinding) -> str:
    """The objects of a finding, ``Deployment/web, Deployment/api``."""
    return ", ".join(map(str, finding.objects))


def accepted(result: Result) -> str | None:
    """How many findings exceptions accept, and until when; None where there are none."""
    if not result.accepted:
        return None
    until = min(item.expires for item in result.accepted)
    return f"{plural(len(result.accepted), 'finding')} accepted by exceptions, the first until {until}"


def baselined(result: Result) -> str | None:
    """How many findings are old, and whether the baseline lists some that are mended; None where neither is."""
    said = []
    if result.baselined:
        said.append(f"{plural(len(result.baselined), 'finding')} in the baseline")
    if result.mended:
        said.append(f"{result.mended} that it lists {'is' if result.mended == 1 else 'are'} mended: `policy baseline`")
        said[-1] += " takes them out" if result.mended > 1 else " takes it out"
    return ", ".join(said) if result.baselined or not said else f"the baseline: {said[0]}"


def schema_verdict(overlay: OverlayResult, mine: Tally) -> str:
    """What comparing the overlay with the schemas of Kubernetes said; ``mine`` are the overlay's findings."""
    if not overlay.schema_versions:
        return "schemas not compared"
    invalid = sum(count for kind, count in mine.items() if kind.rule == "schema-valid")
    verdict = f"{invalid} not schema-valid" if invalid else "schema-valid"
    return f"{verdict} for Kubernetes {' and '.join(overlay.schema_versions)}"
