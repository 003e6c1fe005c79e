"""The source line of a finding with a caret below what is wrong, and the message beside or below the caret."""

from __future__ import annotations

import codecs
import textwrap
from bisect import bisect_left
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import msgspec

from policy.findings import Place
from policy.reports.plain import printable

_LONGEST_LINE = 240
"""Columns of a source line that are quoted where the width is not limited."""
_NARROWEST = 24
"""Columns that a message has at least, however narrow the terminal is."""
_ELLIPSIS = "…"
_BLOCK = 16_384
"""Bytes of a file that are searched at once for the ends of lines."""
_KEPT = 32
"""So many blocks of a file are kept."""


class Excerpt(msgspec.Struct, frozen=True):
    """A quoted line: its number, its text, and the columns (0-based, as displayed) that the caret marks."""

    number: int
    source: str
    start: int
    width: int


def excerpt(place: Place, root: Path, *, columns: int | None, dedent: bool = False) -> Excerpt | None:
    """The line of the place, at most ``columns`` wide, without its indentation if ``dedent``; None if there is none."""
    source = _lines(root, place.file).line(place.line)
    if source is None:
        return None
    source = source.rstrip()
    first = min(place.column - 1, len(source))
    last = min(max(first + 1, (place.end_column or place.column + 1) - 1), max(len(source), first + 1))
    if dedent:
        indent = min(len(source) - len(source.lstrip()), first)
        source, first, last = source[indent:], first - indent, last - indent
    before, marked, after = source[:first], source[first:last], source[last:]
    if not (source.isascii() and source.isprintable()):
        before, marked, after = (printable(part).replace("\t", " ") for part in (before, marked, after))
    before, marked, after = _clipped(before, marked, after, columns or _LONGEST_LINE)
    return Excerpt(place.line, before + marked + after, display_width(before), max(1, display_width(marked)))


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


class _Lines:
    """The lines of a file, found by counting line ends: of a stream's hundreds of thousands the first few are quoted.

    YAML and TOML end a line at LF and CRLF only, so what ``str.splitlines`` takes for an end would miscount. A file
    that cannot be read has no lines; an empty one has the line where something would be written.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._state: tuple[int, int] | None = None
        """Of the file as it was read, its time and size: for a changed one all begins anew."""
        self._ends_before = [0]
        """For each block of the file that has been read, and the next one, how many lines end before it."""
        self._kept: dict[int, list[bytes]] = {}
        """The lines of the blocks that were read last, by their numbers: the first findings of each rule are in few."""

    def line(self, number: int) -> str | None:
        """The line of that 1-based number; None if there is none, or it is not UTF-8."""
        try:
            found = self._file.stat()
            if self._state != (found.st_mtime_ns, found.st_size):
                self._state = found.st_mtime_ns, found.st_size
                self._ends_before, self._kept = [0], {}
            content = self._line(number - 1) if number > 0 else None
            return None if content is None else content.decode()
        except (OSError, ValueError):  # ValueError: a null byte in the path, or not UTF-8
            return None

    def _line(self, ends: int) -> bytes | None:
        """The line behind so many line ends."""
        while self._ends_before[-1] < ends:
            block = self._block(len(self._ends_before) - 1)
            if block == [b""]:
                return None
            self._ends_before.append(self._ends_before[-1] + len(block) - 1)
        number = max(0, bisect_left(self._ends_before, ends) - 1)
        block, index = self._block(number), ends - self._ends_before[number]
        line = block[index]
        if index == len(block) - 1:  # it goes on in the next block
            with self._file.open("rb") as stream:
                stream.seek(number * _BLOCK + sum(map(len, block[:-1])) + index)
                line = stream.readline().removesuffix(b"\n")
        return line if ends else line.removeprefix(codecs.BOM_UTF8)

    def _block(self, number: int) -> list[bytes]:
        """The lines of a block; the last one goes on in the next block."""
        if number not in self._kept:
            if len(self._kept) == _KEPT:
                self._kept.clear()
            with self._file.open("rb") as stream:
                stream.seek(number * _BLOCK)
                self._kept[number] = stream.read(_BLOCK).split(b"\n")
        return self._kept[number]


@lru_cache(maxsize=256)
def _lines(root: Path, name: str) -> _Lines:
    return _Lines(root / name)
