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


@lru_cache(maxsize=1024)
def _key(indent: int, key: str) -> re.Pattern[str]:
    return re.compile(rf"^ {{{indent}}}({re.escape(key)}):(?: +(\S.*?))?(?: *)$", re.MULTILINE)


@lru_cache(maxsize=64)
def _next_entry(indent: int) -> re.Pattern[str]:
    return re.compile(rf"\n(?= {{{indent}}}[^ \n#-])")


@lru_cache(maxsize=64)
def _next_item(indent: int) -> re.Pattern[str]:
    return re.compile(rf"\n(?= {{{indent}}}- )")


_FIRST_LINE = re.compile(r"^( *)[^ \n#]", re.MULTILINE)


class _Unsure(Exception):
    """The text has a shape that cannot be told apart by indentation."""


def place_of(text: str, path: FieldPath, file: str, first_line: int) -> Place | None:
    """The place of the field in the text of one document, None where only the marks can tell."""
    try:
        start, end = _Search(text).span(path)
    except _Unsure:
        return None
    column = start - text.rfind("\n", 0, start)
    return Place(file, first_line + text.count("\n", 0, start), column, column + end - start)


class _Search:
    """Goes down a path; ``start`` to ``end`` is the text of the mapping or list that it has come to."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.start, self.end, self.indent = 0, len(text), 0
        self.owner: tuple[int, int] | None = None
        self.inside: tuple[int, int] | None = None

    def span(self, path: FieldPath) -> tuple[int, int]:
        """The span of the field, or of what would hold it, as ``origin`` defines it."""
        for position, step in enumerate(path):
            is_last = position == len(path) - 1
            if isinstance(step, int):
                found = self.enter_item(step, is_last)
            else:
                found = self.enter_field(step, None if is_last else path[position + 1])
            if found is not None:
                return found
        return self.held_by()

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
        found = list(_key(self.indent, key).finditer(self.text, self.start, self.end))
        if len(found) > 1:
            raise _Unsure
        return found[0] if found else None

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

    def enter_item(self, index: int, is_last: bool) -> tuple[int, int] | None:
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
