"""A terminal session as asciinema keeps it, and the lines that it leaves on the terminal.

https://docs.asciinema.org/manual/asciicast/v2/
https://www.ecma-international.org/publications-and-standards/standards/ecma-48/ for the sequences
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from policy.errors import ToolError

OUTPUT, MARKER = "o", "m"
_SEQUENCE = re.compile(r"\x1b\[([\d;]*)([A-Za-z])|\x1b(.?)", re.DOTALL)
_COLOURS = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")


class Event(NamedTuple):
    """What came on the terminal (OUTPUT), or the command that begins there (MARKER); seconds after the start."""

    seconds: float
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Cast:
    """A session on a terminal of so many columns and rows, begun at a time of the Unix clock."""

    columns: int
    rows: int
    timestamp: int
    title: str
    events: tuple[Event, ...]

    @property
    def commands(self) -> tuple[str, ...]:
        return tuple(event.text for event in self.events if event.kind == MARKER)

    def write(self, file: Path) -> None:
        header = {
            "version": 2,
            "width": self.columns,
            "height": self.rows,
            "timestamp": self.timestamp,
            "title": self.title,
        }
        lines = [json.dumps(header), *(json.dumps([round(one.seconds, 3), *one[1:]]) for one in self.events)]
        file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def read_cast(file: Path) -> Cast:
    """What ``write`` wrote."""
    header, *events = map(json.loads, file.read_text(encoding="utf-8").splitlines())
    size_and_time = (header["width"], header["height"], header["timestamp"])
    return Cast(*size_and_time, header["title"], tuple(Event(*event) for event in events))


class Style(NamedTuple):
    """How a piece of text looks: a colour by its name, empty for the terminal's own."""

    colour: str = ""
    bold: bool = False
    dim: bool = False


class Piece(NamedTuple):
    """Characters beside each other that look alike."""

    text: str
    style: Style


@dataclass(slots=True)
class Line:
    """A line of the terminal, and when it became what it is, in seconds after the start."""

    seconds: float
    cells: list[tuple[str, Style]]

    @property
    def text(self) -> str:
        return "".join(character for character, _ in self.cells)

    def pieces(self) -> Iterator[Piece]:
        start = 0
        for end in range(1, len(self.cells) + 1):
            if end == len(self.cells) or self.cells[end][1] != self.cells[start][1]:
                yield Piece(self.text[start:end], self.cells[start][1])
                start = end


def read_lines(cast: Cast) -> list[Line]:
    """All lines, also those that scrolled away; the last one is left out if nothing stands in it.

    Raises ToolError for what only a program says that paints the whole screen: it moves to other lines.
    """
    terminal = _Terminal(cast.columns)
    for event in cast.events:
        if event.kind == OUTPUT:
            terminal.write(event.text, event.seconds)
    return terminal.lines if terminal.lines[-1].text else terminal.lines[:-1]


class _Terminal:
    """Writes in its last line; a longer one goes on in the next."""

    def __init__(self, columns: int) -> None:
        self._columns = columns
        self._column = 0
        self._style = Style()
        self.lines = [Line(0.0, [])]

    def write(self, text: str, seconds: float) -> None:
        end = 0
        for found in _SEQUENCE.finditer(text):
            self._write_plain(text[end : found.start()], seconds)
            self._obey(found)
            end = found.end()
        self._write_plain(text[end:], seconds)

    def _write_plain(self, text: str, seconds: float) -> None:
        for character in text:
            if character == "\r":
                self._column = 0
            elif character == "\n":
                self._begin_line(seconds)
            elif character == "\t":
                self._write_plain(" " * (8 - self._column % 8), seconds)
            else:
                if self._column == self._columns:
                    self._column = 0
                    self._begin_line(seconds)
                line = self.lines[-1]
                line.cells[self._column : self._column + 1] = [(character, self._style)]
                line.seconds = seconds
                self._column += 1

    def _begin_line(self, seconds: float) -> None:
        self.lines.append(Line(seconds, [(" ", Style())] * self._column))

    def _obey(self, sequence: re.Match[str]) -> None:
        parameters, name = sequence[1], sequence[2]
        if name == "m":
            for number in (parameters or "0").split(";"):
                self._style = _styled(self._style, int(number or 0))
        elif name == "K" and parameters in ("", "0"):
            del self.lines[-1].cells[self._column :]
        else:
            raise ToolError(f"the terminal was sent {sequence[0]!r}, which cannot be drawn")


def _styled(style: Style, number: int) -> Style:
    """What a number of the sequence SGR makes of it; the colours are those of 3-bit terminals."""
    if number == 0:
        return Style()
    if number in (1, 2):
        return style._replace(bold=True) if number == 1 else style._replace(dim=True)
    if number == 22:
        return style._replace(bold=False, dim=False)
    if 30 <= number <= 37 or number == 39:
        return style._replace(colour="" if number == 39 else _COLOURS[number - 30])
    raise ToolError(f"the terminal was sent the style {number}, which cannot be drawn")
