"""For a person at a terminal: each finding with its source line, what is wrong there, and what to do."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from policy.errors import PolicyError
from policy.findings import Place
from policy.reports.excerpt import below, display_width, excerpt, wrapped
from policy.reports.plain import (
    about,
    accepted,
    baselined,
    by_cause,
    counts,
    fixes,
    notes,
    one_line,
    plural,
    printable,
    schema_verdict,
    tally_in,
)
from policy.result import LocatedFinding, LocatedSkip, OverlayResult, Result, Tally

_RESET = "\x1b[0m"
_STYLES = {"error": "\x1b[1;31m", "warning": "\x1b[1;33m", "good": "\x1b[32m", "dim": "\x1b[2m", "bold": "\x1b[1m"}
_MANY = 20
"""From so many findings on, a table of the rules that found most shows where to begin."""
FIRST = 20
"""Findings of a rule that a person reads before mending what they have in common; what is more is counted."""


class _Style:
    def __init__(self, *, color: bool) -> None:
        self._color = color

    def __call__(self, style: str, text: str) -> str:
        return f"{_STYLES[style]}{text}{_RESET}" if self._color else text


def render(result: Result, *, root: Path, color: bool, width: int | None = None, first: int | None = None) -> str:
    """The report; ``root`` is what the places' files are relative to, ``width`` the columns of the terminal.

    ``first`` is how many findings of a rule are shown, and how often it says that it did not check; None shows all.
    """
    _file.cache_clear()  # another check may have another working folder, and other files
    style = _Style(color=color)
    return _harmless("\n\n".join("\n".join(block) for block in _blocks(result, root, style, width, first))) + "\n"


def _blocks(result: Result, root: Path, style: _Style, width: int | None, first: int | None) -> Iterator[Iterable[str]]:
    findings = result.findings if first is None else result.findings.first(first)
    causes = by_cause(findings)
    rules = _by_rule(result.findings.tally)
    more = _more([(cause[0].rule, len(cause)) for cause in causes], rules)
    for number, cause in enumerate(causes):
        yield [*_findings(cause, root, style, width), *_left_out(more[number], width)]
    for error in result.all_errors:
        yield _error(error, style, width)
    skips = _first_skips(result.skipped, first)
    more = _more([(skip.rule, 1) for skip in skips], Counter(skip.rule for skip in result.skipped))
    for number, skip in enumerate(skips):
        yield [*_skip(skip, style, width), *_left_out(more[number], width)]
    if len(result.findings) >= _MANY:
        yield _table(rules, style)
    hidden = _hidden(len(result.findings) - len(findings), len(result.skipped) - len(skips), width)
    yield [*_overlays(result, style, width), *hidden, *_total(result, style, width)]


def _by_rule(tally: Tally) -> Counter[str]:
    rules: Counter[str] = Counter()
    for kind, count in tally.items():
        rules[kind.rule] += count
    return rules


def _first_skips(skips: Sequence[LocatedSkip], count: int | None) -> Sequence[LocatedSkip]:
    if count is None:
        return skips
    seen: Counter[str] = Counter()
    shown = []
    for skip in skips:
        seen[skip.rule] += 1
        if seen[skip.rule] <= count:
            shown.append(skip)
    return shown


def _more(shown: Iterable[tuple[str, int]], total: Mapping[str, int]) -> Counter[int]:
    """How many more of its rule there are than are shown, for the last block of each rule, by its number."""
    left = Counter(total)
    last: dict[str, int] = {}
    for number, (rule, count) in enumerate(shown):
        left[rule] -= count
        last[rule] = number
    return Counter({number: left[rule] for rule, number in last.items()})


def _left_out(count: int, width: int | None) -> list[str]:
    return wrapped(f"  … and {count:,} more of this rule: --all shows them", width) if count else []


def _harmless(text: str) -> str:
    """No line is a command to GitHub's runner, which reads the log: ``::`` at its beginning, ``##[`` anywhere."""
    text = text.replace("##[", "##\\[")
    return re.sub(r"^(\s*)::", r"\1\\::", text, flags=re.MULTILINE) if "::" in text else text


def _findings(findings: list[LocatedFinding], root: Path, style: _Style, width: int | None) -> list[str]:
    first = findings[0]
    level = first.severity.value
    lines = _header((level, level), first.rule, about(first), first.overlays, style, width)
    lines.append(f"  {_shown(first.place, root)}" + ("" if first.exact else "  (nearest known place)"))
    lines.extend(f"  {line}" for line in _quoted(findings, root, style, width))
    for fix in fixes(findings):
        lines.extend(_labelled("fix", fix, width))
    for place in dict.fromkeys(place for finding in findings for place in finding.related):
        lines.append(f"  see: {_shown(place, root)}")
    for note in notes(findings):
        lines.extend(_labelled("note", note, width))
    return lines


def _header(
    level: tuple[str, str], rule: str, objects: str, overlays: tuple[str, ...], style: _Style, width: int | None
) -> list[str]:
    """``error  image-pinned  Deployment/web  dev, prod``; what does not fit goes below."""
    colour, word = level
    parts = [one_line(part) for part in (objects, ", ".join(overlays)) if part]
    plain = f"{word}  {rule}"
    shown = f"{style(colour, word)}  {style('bold', rule)}"
    while parts and (width is None or display_width(f"{plain}  {parts[0]}") <= width):
        plain, shown = f"{plain}  {parts[0]}", f"{shown}  {parts[0]}"
        del parts[0]
    return [shown, *(piece for part in parts for piece in wrapped(f"  {part}", width))]


def _quoted(findings: list[LocatedFinding], root: Path, style: _Style, width: int | None) -> Iterator[str]:
    """Every line of a message stands behind a bar: nothing that a manifest says can begin a line of the log."""
    first = findings[0]
    message = "\n".join(finding.message for finding in findings)
    bar = style("dim", "|")
    gutter = f"{'':>5} {bar}"
    columns = None if width is None else width - 10  # two of indentation, the number, a space, the bar, a space
    quoted = excerpt(first.place, root, columns=columns)
    if quoted is None:
        beside, rest = below(message, 0, columns)
        lines = [*([] if beside is None else [beside]), *rest]
    else:
        yield f"{style('dim', f'{quoted.number:>5}')} {bar} {quoted.source}".rstrip()
        beside, rest = below(message, quoted.start + quoted.width, columns, together=len(findings) > 1)
        caret = style(first.severity.value, "^" * quoted.width)
        yield f"{gutter} {' ' * quoted.start}{caret}" + ("" if beside is None else f" {beside}")
        lines = list(rest)
    for line in lines:
        yield f"{gutter} {line}".rstrip()


def _labelled(label: str, text: str, width: int | None) -> list[str]:
    first, *more = printable(text).splitlines() or [""]
    indent = len(label) + 2
    lines = wrapped(f"  {label}: {first}", width, hanging=indent)
    return [*lines, *(piece for line in more for piece in wrapped(f"  {' ' * indent}{line}", width, hanging=0))]


def _shown(place: Place, root: Path) -> str:
    return f"{_file(place.file, root)}:{place.line}"


@lru_cache(maxsize=256)
def _file(name: str, root: Path) -> str:
    file = root / name
    return one_line(os.path.relpath(file) if _exists(file) else name)


def _exists(file: Path) -> bool:
    try:
        return file.exists()
    except (OSError, ValueError):  # too long a name, or a null byte in it
        return False


def _error(error: PolicyError, style: _Style, width: int | None) -> list[str]:
    first, *more = printable(str(error)).splitlines() or [""]
    plain = wrapped(f"could not run  {first}", width)
    plain[0] = style("error", "could not run") + plain[0].removeprefix("could not run")
    return [*plain, *(piece for line in more for piece in wrapped(f"  {line}", width))]


def _skip(skip: LocatedSkip, style: _Style, width: int | None) -> list[str]:
    subject = str(skip.object) if skip.object else ""
    lines = _header(("dim", "not checked"), skip.rule, subject, skip.overlays, style, width)
    return [*lines, *_labelled("why", skip.reason, width)]


def _table(rules: Counter[str], style: _Style) -> Iterator[str]:
    digits = len(f"{max(rules.values()):,}")
    for rule, count in sorted(rules.items(), key=lambda item: (-item[1], item[0])):
        yield f"{count:>{digits},}  {style('bold', rule)}"


def _overlays(result: Result, style: _Style, width: int | None) -> Iterator[str]:
    names = max((len(overlay.name) for overlay in result.overlays), default=0)
    for overlay in result.overlays:
        yield from _overlay(overlay, result, names, style, width)


def _hidden(findings: int, skips: int, width: int | None) -> list[str]:
    said = [plural(findings, "finding")] if findings else []
    said += [f"{skips:,} not checked"] if skips else []
    return wrapped(f"not shown: {', '.join(said)}; --all shows everything", width) if said else []


def _total(result: Result, style: _Style, width: int | None) -> Iterator[str]:
    for said in filter(None, (accepted(result), baselined(result))):
        yield from wrapped(said, width)
    verdict = "good" if result.exit_code(strict=True) == 0 else "bold"
    for line in wrapped(f"{plural(result.rules, 'rule')}: {counts(result)}", width):
        yield style(verdict, line)


def _overlay(overlay: OverlayResult, result: Result, names: int, style: _Style, width: int | None) -> list[str]:
    name = one_line(f"{overlay.name:<{names}}")
    if overlay.errors and not overlay.objects:
        return [f"{name}  {style('error', 'could not be read')}"]
    mine = tally_in(overlay.name, result.findings.tally)
    read = f"{name}  rendered {plural(overlay.objects, 'object')}, {schema_verdict(overlay, mine)},"
    found = plural(mine.total(), "finding")
    verdict = f"policy: {style('error' if mine else 'good', found)}"
    if width is None or display_width(f"{read} policy: {found}") <= width:
        return [f"{read} {verdict}"]
    return [*wrapped(read, width), f"  {verdict}"]
