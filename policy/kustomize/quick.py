"""Where a field stands in a plain manifest, found by indentation alone: no document is parsed again for one line.

Only for documents that ``policy.manifests.blocks`` reads, and only where the answer is the one that the marks would
give; otherwise there is none, and the marks are asked.
"""

from __future__ import annotations

import re
from functools import lru_cache

from policy.findings import FieldPath, Place

_NAMES = (
    "name",
    "key",
    "containerPort",
    "port",
    "mountPath",
    "devicePath",
    "topologyKey",
    "ip",
    "host",
    "path",
    "type",
)
_PLAIN_SCALAR = re.compile(r"[^\s\[\]{}&*!|>%@`#][^#\n]*|'[^'\n]*'|\"[^\"\\\n]*\"")


_LINE = re.compile(r"([^\s:]+):(?: +(\S.*?))? *$", re.MULTILINE)


@lru_cache(maxsize=64)
def _next_entry(indent: int) -> re.Pattern[str]:
    return re.compile(rf"\n(?= {{{indent}}}[^ \n#-])")


@lru_cache(maxsize=64)
def _next_item(indent: int) -> re.Pattern[str]:
    return re.compile(rf"\n(?= {{{indent}}}- )")


_FIRST_LINE = re.compile(r"^( *)[^ \n#]", re.MULTILINE)


class _Unsure(Exception):
    """The text has a shape that cannot be told apart by indentation."""


class QuickPlaces:
    """The places of the fields of one document, whose text starts at ``first_line`` of a file."""

    def __init__(self, text: str, file: str, first_line: int) -> None:
        self._text, self._file, self._first_line = text, file, first_line
        self._been: dict[FieldPath, _Search] = {(): _Search(text)}

    def place(self, path: FieldPath) -> Place | None:
        """The place of a field, None where only the marks can tell."""
        try:
            start, end = self._span(path)
        except _Unsure:
            return None
        column = start - self._text.rfind("\n", 0, start)
        line = self._first_line + self._text.count("\n", 0, start)
        return Place(self._file, line, column, column + end - start)

    def _span(self, path: FieldPath) -> tuple[int, int]:
        """The span of the field, or of what would hold it, as ``origin`` defines it; goes on from where it has been."""
        been = len(path) - 1 if path else 0
        while path[:been] not in self._been:
            been -= 1
        search = self._been[path[:been]].copy()
        for position in range(been, len(path)):
            step, following = path[position], path[position + 1] if position + 1 < len(path) else None
            if isinstance(step, int):
                found = search.enter_item(step, is_last=following is None)
            else:
                found = search.enter_field(step, following)
            if found is not None:
                return found
            self._been[path[: position + 1]] = search.copy()
        return search.held_by()


class _Search:
    """Goes down a path; ``start`` to ``end`` is the text of the mapping or list that it has come to."""

    __slots__ = ("end", "indent", "inside", "owner", "start", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.start, self.end, self.indent = 0, len(text), 0
        self.owner: tuple[int, int] | None = None
        self.inside: tuple[int, int] | None = None

    def copy(self) -> _Search:
        other = _Search.__new__(_Search)
        other.text, other.start, other.end, other.indent = self.text, self.start, self.end, self.indent
        other.owner, other.inside = self.owner, self.inside
        return other

    def held_by(self) -> tuple[int, int]:
        """What would hold a field that is not there."""
        return self.inside or self.owner or self.object_name()

    def object_name(self) -> tuple[int, int]:
        search = _Search(self.text)
        if search.line("metadata") is None or search.enter_field("metadata", "name") is not None:
            raise _Unsure
        line = search.line("name")
        if line is None or line[2] is None:
            raise _Unsure
        return _value(line)

    def line(self, key: str) -> re.Match[str] | None:
        """The line of a key of this mapping."""
        text, end = self.text, self.end
        start = f"\n{' ' * self.indent}{key}:"
        at = self.start
        if not text.startswith(start[1:], at):
            at = text.find(start, at, end) + 1
            if not at:
                return None
        found = _LINE.match(text, at + self.indent, end)
        if found is None or found[1] != key or text.find(start, at, end) >= 0:
            raise _Unsure
        return found

    def enter_field(self, key: str, following: str | int | None) -> tuple[int, int] | None:
        """Goes into the value of a key; the answer, where there is no need or no way to go on."""
        line = self.line(key)
        if line is None:
            return self.held_by()
        self.inside = line.span(1)
        if following is None:
            return _value(line)
        if line[2] is not None:
            if (line[2], isinstance(following, int)) not in (("{}", False), ("[]", True)):
                raise _Unsure
            return self.inside
        after = _next_entry(self.indent).search(self.text, line.end(), self.end)
        self.start, self.end = line.end() + 1, after.start() if after else self.end
        first = _FIRST_LINE.search(self.text, self.start, self.end)
        if first is None:
            raise _Unsure
        is_list = self.text.startswith("- ", first.end(1))
        if is_list != isinstance(following, int) or (not is_list and len(first[1]) <= self.indent):
            raise _Unsure
        self.start, self.indent = first.start(), len(first[1])
        return None

    def enter_item(self, index: int, *, is_last: bool) -> tuple[int, int] | None:
        """Goes into an item of the list; its dash is read as a space, so that it is a mapping like any other."""
        starts = [
            self.start,
            *(match.end() for match in _next_item(self.indent).finditer(self.text, self.start, self.end)),
        ]
        if index >= len(starts):
            return self.held_by()
        start = starts[index]
        self.end = starts[index + 1] if index + 1 < len(starts) else self.end
        dash = start + self.indent
        self.text = f"{self.text[:dash]}  {self.text[dash + 2 :]}"
        self.start, self.indent = start, self.indent + 2
        if not re.compile(rf" {{{self.indent}}}[A-Za-z0-9_./-]+:(?: |$)", re.MULTILINE).match(self.text, start):
            raise _Unsure
        self.owner, self.inside = self.item_name(), None
        return self.owner if is_last else None

    def item_name(self) -> tuple[int, int]:
        for name in _NAMES:
            line = self.line(name)
            if line is not None and line[2] is not None and line[2][0] not in "[{":
                return _value(line)
        key = re.compile(r"[^:]+").match(self.text, self.start + self.indent)
        if key is None:
            raise _Unsure
        return key.span()


def _value(line: re.Match[str]) -> tuple[int, int]:
    if line[2] is None or line[2] in ("{}", "[]"):
        return line.span(1)
    if not _PLAIN_SCALAR.fullmatch(line[2]):
        raise _Unsure
    return line.span(2)
