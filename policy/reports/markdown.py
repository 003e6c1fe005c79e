"""A comment on a pull request: the summary and the findings first, never more than GitHub takes.

Everything that a manifest says stands in code, inline or fenced: there it is no markup, no HTML, no link and mentions
nobody, and it can be copied as it is.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote

from policy.errors import PolicyError
from policy.findings import Place, Severity
from policy.reports.excerpt import below, excerpt
from policy.reports.plain import (
    accepted,
    baselined,
    by_cause,
    count_of,
    counts,
    fixes,
    notes,
    plural,
    printable,
    schema_verdict,
    tally_in,
)
from policy.result import Accepted, LocatedFinding, LocatedSkip, Result, Tally

if TYPE_CHECKING:
    from policy.reports import Run

T = TypeVar("T")

MARKER = "<!-- policy report -->"
"""Line 1: what posts the comment finds the one it posted before by it."""
MAX_BYTES = 60 * 1024
"""GitHub refuses a comment of more than 65,536 characters."""
_RESERVED = 4 * 1024
"""Bytes kept for what says how much was left out."""
_MAX_OVERLAYS = 40
_MAX_ERRORS = 20
_MAX_OBJECTS = 8
_MAX_NAME = 300
_MAX_MESSAGE = 4000
_COLUMNS = 100


def render(run: Run) -> str:
    """The comment, at most ``MAX_BYTES`` in UTF-8; what does not fit is counted, and said."""
    result = run.result
    comment = _Comment(MAX_BYTES - _RESERVED)
    comment.add([_head(result)], str)
    shown = comment.add(result.all_errors[:_MAX_ERRORS], _error)
    comment.close(_left_out(len(result.all_errors) - shown, "error"))
    causes = by_cause(result.findings)
    shown = comment.add(causes, lambda cause: _cause(cause, run))
    comment.close(_findings_left_out([finding for cause in causes[shown:] for finding in cause]))
    comment.add_details(f"{len(result.skipped)} not checked", result.skipped, _skip)
    comment.add_details(accepted(result) or "", result.accepted, _acceptance)
    return comment.text()


class _Comment:
    """Blocks of Markdown, as many as fit."""

    def __init__(self, room: int) -> None:
        self._blocks = [MARKER]
        self._room = room - len(MARKER)

    def text(self) -> str:
        return "\n\n".join(self._blocks) + "\n"

    def add(self, items: Sequence[T], show: Callable[[T], str]) -> int:
        """Adds a block for each item until one does not fit; how many it has added."""
        for number, item in enumerate(items):
            block = show(item)
            size = len(block.encode(errors="backslashreplace")) + 2
            if size > self._room:
                return number
            self._room -= size
            self._blocks.append(block)
        return len(items)

    def close(self, block: str | None) -> None:
        """A block that always fits: the reserve is for it."""
        if block:
            self._blocks.append(block)

    def add_details(self, title: str, items: Sequence[T], show: Callable[[T], str]) -> None:
        """A part that is folded until somebody opens it."""
        if items:
            self.close(f"<details>\n<summary>{title}</summary>")
            self.close(_left_out(len(items) - self.add(items, show), "line"))
            self.close("</details>")


def _head(result: Result) -> str:
    lines = [f"### policy: {counts(result) if _says_anything(result) else 'no findings'}"]
    lines += ["", "| overlay | objects | schemas | findings |", "|---|--:|---|---|"]
    for overlay in result.overlays[:_MAX_OVERLAYS]:
        mine = tally_in(overlay.name, result.findings.tally)
        cells = [str(overlay.objects), schema_verdict(overlay, mine), _tally(mine)]
        if overlay.errors and not overlay.objects:
            cells = ["", "", "could not be read"]
        lines.append(f"| {' | '.join([code(overlay.name[:_MAX_NAME], cell=True), *cells])} |")
    if len(result.overlays) > _MAX_OVERLAYS:
        lines += ["", f"and {plural(len(result.overlays) - _MAX_OVERLAYS, 'more overlay')}"]
    old = [said for said in (accepted(result), baselined(result)) if said]
    lines += ["", f"{plural(result.rules, 'rule')}; {'; '.join(old)}." if old else ""]
    return "\n".join(lines).rstrip()


def _says_anything(result: Result) -> bool:
    return bool(result.findings or result.skipped or result.all_errors)


def _tally(tally: Tally) -> str:
    if not tally:
        return "none"
    said = [(count_of(tally, Severity.ERROR), "error"), (count_of(tally, Severity.WARNING), "warning")]
    return ", ".join(plural(count, word) for count, word in said if count)


def _error(error: PolicyError) -> str:
    return "**could not run**\n\n" + fenced(_shortened(printable(str(error))).splitlines())


def _cause(findings: Sequence[LocatedFinding], run: Run) -> str:
    first = findings[0]
    rule = code(first.rule)
    if run.rule_pages:
        rule = f"[{rule}]({run.rule_pages}{quote(first.rule)}.md)"
    parts = [_names(map(str, first.objects)), _names(first.overlays)]
    title = " · ".join([f"**{first.severity.value}** {rule}", *filter(None, parts)])
    place = _place(first.place, run) + ("" if first.exact else " (nearest known place)")
    related = list(dict.fromkeys(place for finding in findings for place in finding.related))[:_MAX_OBJECTS]
    see = [f"see {', '.join(_place(other, run) for other in related)}"] if related else []
    return "\n\n".join([f"{title}<br>\n{place}", fenced(_said(findings, run)), *see])


def _names(names: Iterable[str]) -> str:
    """The first of the names as code, and how many more there are."""
    known = list(names)
    shown = [code(name[:_MAX_NAME]) for name in known[:_MAX_OBJECTS]]
    return ", ".join([*shown, *([f"and {len(known) - _MAX_OBJECTS} more"] if len(known) > _MAX_OBJECTS else [])])


def _said(findings: Sequence[LocatedFinding], run: Run) -> Iterator[str]:
    """The source line without its indentation, the caret, what is wrong and how to mend it."""
    first = findings[0]
    message = _shortened("\n".join(finding.message for finding in findings))
    quoted = excerpt(first.place, run.root, columns=_COLUMNS, dedent=True)
    if quoted is None:
        beside, rest = below(message, 0, _COLUMNS)
        yield from [*([] if beside is None else [beside]), *rest]
    else:
        gutter = " " * len(str(quoted.number)) + " |"
        yield f"{quoted.number} | {quoted.source}".rstrip()
        beside, rest = below(message, quoted.start + quoted.width, _COLUMNS, together=len(findings) > 1)
        yield f"{gutter} {' ' * quoted.start}{'^' * quoted.width}" + ("" if beside is None else f" {beside}")
        yield from (f"{gutter} {line}".rstrip() for line in rest)
    for label, texts in (("fix", fixes(findings)), ("note", notes(findings))):
        for text in texts:
            yield f"{label}: {printable(_shortened(text))}"


def _place(place: Place, run: Run) -> str:
    shown = code(str(place))
    if run.source is None or place.file.startswith(("/", "<")):
        return shown
    return f"[{shown}]({run.source}{quote(place.file, errors='backslashreplace')}#L{place.line})"


def _shortened(text: str) -> str:
    if len(text) <= _MAX_MESSAGE:
        return text
    return f"{text[:_MAX_MESSAGE]}… ({len(text) - _MAX_MESSAGE:,} characters more)"


def _left_out(count: int, word: str) -> str | None:
    return f"**{plural(count, f'more {word}')}** did not fit here." if count else None


def _findings_left_out(findings: Sequence[LocatedFinding]) -> str | None:
    if not findings:
        return None
    tally = Counter(finding.rule for finding in findings).most_common()
    rules = ", ".join(f"{code(rule)} {count}" for rule, count in tally[:_MAX_OBJECTS])
    more = f" and {plural(len(tally) - _MAX_OBJECTS, 'more rule')}" if len(tally) > _MAX_OBJECTS else ""
    said = _tally(Tally(finding.kind for finding in findings))
    return f"**{plural(len(findings), 'more finding')}** did not fit here ({said}): {rules}{more}."


def _skip(skip: LocatedSkip) -> str:
    about = [code(skip.rule), _names([str(skip.object)] if skip.object else []), _names(skip.overlays)]
    return f"- {' · '.join(filter(None, about))}: {code(_shortened(skip.reason))}"


def _acceptance(item: Accepted) -> str:
    finding = item.finding
    about = [code(finding.rule), _names(map(str, finding.objects)), code(str(finding.place))]
    terms = f"{code(_shortened(item.reason))} ({code(item.owner)}, until {item.expires})"
    return f"- {' · '.join(filter(None, about))}: {terms}"


def fenced(lines: Iterable[str]) -> str:
    """A code block that nothing inside can end."""
    text = "\n".join(lines)
    fence = "`" * max(3, _longest_run(text) + 1)
    return f"{fence}text\n{text}\n{fence}"


def code(text: str, *, cell: bool = False) -> str:
    """Inline code that nothing inside can end; in a ``cell`` of a table not by a bar either."""
    text = " ".join(printable(text).split()) or " "
    fence = "`" * (_longest_run(text) + 1)
    inside = f" {text} " if "`" in (text[0], text[-1]) else text
    return f"{fence}{inside.replace('|', chr(92) + '|') if cell else inside}{fence}"


def _longest_run(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)
