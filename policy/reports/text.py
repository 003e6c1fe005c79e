"""For a person at a terminal: each finding with its source line, what is wrong there, and what to do."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path

from policy.errors import PolicyError
from policy.findings import Place, Severity
from policy.result import LocatedFinding, LocatedSkip, OverlayResult, Result

_RESET = "\x1b[0m"
_STYLES = {"error": "\x1b[1;31m", "warning": "\x1b[1;33m", "good": "\x1b[32m", "dim": "\x1b[2m", "bold": "\x1b[1m"}


class _Style:
    def __init__(self, *, color: bool) -> None:
        self._color = color

    def __call__(self, style: str, text: str) -> str:
        return f"{_STYLES[style]}{text}{_RESET}" if self._color else text


def render(result: Result, *, root: Path, color: bool) -> str:
    """The whole report; ``root`` is what the places' files are relative to."""
    style = _Style(color=color)
    blocks = [_finding(finding, root, style) for finding in result.findings]
    blocks.extend(_error(error, style) for error in result.all_errors)
    blocks.extend(_skip(skip, style) for skip in result.skipped)
    blocks.append(_summary(result, style))
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def _finding(finding: LocatedFinding, root: Path, style: _Style) -> list[str]:
    level = finding.severity.value
    about = f"  {', '.join(map(str, finding.objects))}" if finding.objects else ""
    overlays = f"  {', '.join(finding.overlays)}" if finding.overlays else ""
    lines = [f"{style(level, level)}  {style('bold', finding.rule)}{about}{overlays}"]
    lines.append(f"  {_shown(finding.place, root)}" + ("" if finding.exact else "  (nearest known place)"))
    lines.extend(f"  {line}" for line in _quoted(finding, root, style))
    if finding.fix:
        lines.append(f"  fix: {finding.fix}")
    lines.extend(f"  see: {_shown(place, root)}" for place in finding.related)
    if finding.note:
        lines.append(f"  note: {finding.note}")
    return lines


def _quoted(finding: LocatedFinding, root: Path, style: _Style) -> Iterator[str]:
    """The source line with a caret below what is wrong, and the message beside the caret."""
    first, *more = finding.message.splitlines()
    place = finding.place
    source = _source_line(root / place.file, place.line)
    if source is None:
        yield first
    else:
        number = f"{place.line:>5}"
        bar = style("dim", "|")
        width = max(1, min(place.end_column or place.column + 1, len(source) + 1) - place.column)
        indent = "".join("\t" if char == "\t" else " " for char in source[: place.column - 1])
        yield f"{style('dim', number)} {bar} {source}"
        yield f"{' ' * len(number)} {bar} {indent}{style(finding.severity.value, '^' * width)} {first}"
    yield from (f"      {line}" for line in more)


@lru_cache(maxsize=256)
def _lines(file: Path) -> tuple[str, ...]:
    try:
        return tuple(file.read_text(encoding="utf-8-sig").splitlines())
    except (OSError, UnicodeDecodeError):
        return ()


def _source_line(file: Path, line: int) -> str | None:
    lines = _lines(file)
    return lines[line - 1].rstrip() if 0 < line <= len(lines) else None


def _shown(place: Place, root: Path) -> str:
    file = root / place.file
    return f"{os.path.relpath(file) if file.exists() else place.file}:{place.line}"


def _error(error: PolicyError, style: _Style) -> list[str]:
    return [f"{style('error', 'could not run')}  {error}"]


def _skip(skip: LocatedSkip, style: _Style) -> list[str]:
    about = f"  {skip.object}" if skip.object else ""
    overlays = f"  {', '.join(skip.overlays)}" if skip.overlays else ""
    return [f"{style('dim', 'not checked')}  {style('bold', skip.rule)}{about}{overlays}", f"  {skip.reason}"]


def _summary(result: Result, style: _Style) -> list[str]:
    width = max((len(overlay.name) for overlay in result.overlays), default=0)
    lines = [_overlay(overlay, result, width, style) for overlay in result.overlays]
    lines.extend(_accepted(result))
    errors, warnings = (_count(result.findings, severity) for severity in Severity)
    counts = [_plural(errors, "error"), _plural(warnings, "warning")]
    if result.skipped:
        counts.append(f"{len(result.skipped)} not checked")
    if result.all_errors:
        counts.append(f"{len(result.all_errors)} could not run")
    total = f"{result.rules} rules: {', '.join(counts)}"
    return [*lines, style("good" if result.exit_code(strict=True) == 0 else "bold", total)]


def _overlay(overlay: OverlayResult, result: Result, width: int, style: _Style) -> str:
    name = f"{overlay.name:<{width}}"
    if overlay.errors and not overlay.objects:
        return f"{name}  {style('error', 'could not be read')}"
    mine = [finding for finding in result.findings if overlay.name in finding.overlays]
    invalid = sum(finding.rule == "schema-valid" for finding in mine)
    versions = " and ".join(overlay.schema_versions)
    schema = "schemas not compared"
    if versions:
        schema = f"{'schema-valid' if not invalid else f'{invalid} not schema-valid'} for Kubernetes {versions}"
    verdict = style("good" if not mine else "error", _plural(len(mine), "finding"))
    return f"{name}  rendered {_plural(overlay.objects, 'object')}, {schema}, policy: {verdict}"


def _accepted(result: Result) -> Iterator[str]:
    if result.accepted:
        until = min(item.expires for item in result.accepted)
        yield f"{_plural(len(result.accepted), 'finding')} accepted by exceptions, the first until {until}"


def _count(findings: Iterable[LocatedFinding], severity: Severity) -> int:
    return sum(finding.severity is severity for finding in findings)


def _plural(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"
