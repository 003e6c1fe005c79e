"""The source line of a finding with a caret below what is wrong, and the message beside or below the caret."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from policy.findings import Place
from policy.reports.plain import printable

_LONGEST_LINE = 240
"""Columns of a source line that are quoted where the width is not limited."""
_NARROWEST = 24
"""Columns that a message has at least, however narrow the terminal is."""
_ELLIPSIS = "…"


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A quoted line: its number, its text, and the columns (0-based, as displayed) that the caret marks."""

    number: int
    source: str
    start: int
    width: int


def excerpt(place: Place, root: Path, *, columns: int | None, dedent: bool = False) -> Excerpt | None:
    """The line of the place, at most ``columns`` wide, without its indentation if ``dedent``; None if there is none."""
    lines = _lines(root / place.file)
    if not 0 < place.line <= len(lines):
        return None
    source = lines[place.line - 1].rstrip()
    first = min(place.column - 1, len(source))
    last = min(max(first + 1, (place.end_column or place.column + 1) - 1), max(len(source), first + 1))
    if dedent:
        indent = min(len(source) - len(source.lstrip()), first)
        source, first, last = source[indent:], first - indent, last - indent
    before, marked, after = (printable(part).replace("\t", " ") for part in _split(source, first, last))
    before, marked, after = _clipped(before, marked, after, columns or _LONGEST_LINE)
    return Excerpt(place.line, before + marked + after, display_width(before), max(1, display_width(marked)))


def _split(source: str, first: int, last: int) -> tuple[str, str, str]:
    return source[:first], source[first:last], source[last:]


def _clipped(before: str, marked: str, after: str, columns: int) -> tuple[str, str, str]:
    """Cuts a line that is too long around what is marked."""
    if len(before) + len(marked) + len(after) <= columns:
        return before, marked, after
    if len(marked) > columns // 2:
        marked = marked[: columns // 2] + _ELLIPSIS
        after = ""
    room = columns - len(marked)
    if len(before) > room * 2 // 3:
        before = _ELLIPSIS + before[len(before) - room * 2 // 3 :]
    room -= len(before)
    if len(after) > room:
        after = after[: max(0, room - 1)] + _ELLIPSIS
    return before, marked, after


def display_width(text: str) -> int:
    """The columns that the text takes: two for a wide character, none for one that combines with another."""
    if text.isascii():
        return len(text)
    import unicodedata  # only for text that is not ASCII

    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )


def wrapped(line: str, columns: int | None, *, hanging: int = 2) -> list[str]:
    """The line in pieces of at most ``columns``; pieces after the first are indented by its indentation and more."""
    if columns is None or display_width(line) <= columns:
        return [line]
    indent = " " * (len(line) - len(line.lstrip()))
    return textwrap.wrap(
        line.lstrip(),
        max(columns, _NARROWEST),
        initial_indent=indent,
        subsequent_indent=indent + " " * hanging,
        break_long_words=False,
        break_on_hyphens=False,
    )


def below(
    message: str, caret_end: int, columns: int | None, *, together: bool = False
) -> tuple[str | None, Iterator[str]]:
    """What stands beside a caret that ends at ``caret_end``, and the lines below it, for a message of any length.

    Of several messages ``together`` none is beside the caret.
    """
    first, *more = printable(message).splitlines() or [""]
    if not together and (columns is None or caret_end + 1 + display_width(first) <= columns):
        return first, (piece for line in more for piece in wrapped(line, columns))
    return None, (piece for line in [first, *more] for piece in wrapped(line, columns))


@lru_cache(maxsize=256)
def _lines(file: Path) -> tuple[str, ...]:
    """YAML and TOML end a line at LF and CRLF only, so what ``str.splitlines`` takes for an end would miscount."""
    try:
        return tuple(file.read_text(encoding="utf-8-sig").split("\n"))
    except (OSError, ValueError):  # ValueError: not UTF-8, or a null byte in the path
        return ()
