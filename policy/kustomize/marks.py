"""What YAML with marks is made of: every value knows which file, line and column it came from.

Read by parse.py, and changed by all that Kustomize does.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from policy.findings import FieldPath, Place
from policy.kustomize.scalars import NULL, STR, value_of


class Source:
    """Text that objects or changes come from: a file (or a part of one) and the kustomization entry that names it."""

    __slots__ = ("entry", "file", "kustomization")

    def __init__(self, file: str, kustomization: str = "", entry: str = "") -> None:
        self.file = file
        self.kustomization = kustomization
        self.entry = entry

    def __repr__(self) -> str:
        return f"Source({self.file!r}, {self.kustomization!r}, {self.entry!r})"


class Mark:
    """A span in a source: 1-based line and columns; ``end_column`` is exclusive, None if the span leaves its line."""

    __slots__ = ("column", "end_column", "line", "source")

    def __init__(self, source: Source, line: int, column: int, end_column: int | None) -> None:
        self.source = source
        self.line = line
        self.column = column
        self.end_column = end_column

    def __repr__(self) -> str:
        return f"Mark({self.source.file}:{self.line}:{self.column}-{self.end_column} {self.source.entry})"

    @property
    def place(self) -> Place:
        return Place(self.source.file, self.line, self.column, self.end_column)


def at(mark: Mark, source: Source) -> Mark:
    """The same span, as part of another source."""
    return Mark(source, mark.line, mark.column, mark.end_column)


class Scalar:
    """A scalar, never changed once built, so trees share it. ``mark`` spans the value, or its key if it is empty."""

    __slots__ = ("mark", "tag", "text")

    def __init__(self, text: str, tag: str, mark: Mark) -> None:
        self.text = text
        self.tag = tag
        self.mark = mark

    def __repr__(self) -> str:
        return f"Scalar({self.text!r})"

    @property
    def value(self) -> str | int | float | bool | None:
        return self.text if self.tag == STR else value_of(self.text, self.tag)


class Map:
    """A mapping. ``mark`` spans the key it is the value of, or its own first key if it is a list item or a document.

    ``removed`` says which line took a field away that is not there any more. ``lost`` keeps what a line took away or
    replaced, the last first, also where something else stands there now.
    """

    __slots__ = ("fields", "lost", "mark", "removed")

    def __init__(self, mark: Mark, fields: dict[str, Node] | None = None) -> None:
        self.fields: dict[str, Node] = {} if fields is None else fields
        self.mark = mark
        self.removed: dict[str, Mark] | None = None
        self.lost: dict[str, list[tuple[Mark, Node]]] | None = None

    def __repr__(self) -> str:
        return f"Map({self.fields!r})"

    @property
    def value(self) -> dict[str, Any]:
        return {key: node.value for key, node in self.fields.items()}

    def remove(self, key: str, cause: Mark) -> None:
        """Drop a field because of the line at ``cause``."""
        if key in self.fields:
            self.lose(key, cause)
            del self.fields[key]
            if self.removed is None:
                self.removed = {}
            self.removed[key] = cause

    def lose(self, key: str, cause: Mark) -> None:
        """Keep in mind what a field holds, which the line at ``cause`` is about to take away or to replace."""
        if self.lost is None:
            self.lost = {}
        self.lost.setdefault(key, []).insert(0, (cause, self.fields[key]))

    def why_lost(self, path: tuple[str | int, ...]) -> Mark | None:
        """The line that took away what was at ``path``, or would be there now; None if nothing ever was."""
        key, rest = str(path[0]), path[1:]
        lost = (self.lost or {}).get(key, [])
        for cause, node in lost:
            if _has(node, rest):
                return cause
            if rest and isinstance(node, Map) and (earlier := node.why_lost(rest)) is not None:
                return earlier
        if key not in self.fields and lost and _holds_anything(lost[0][1]):
            return lost[0][0]
        return None

    def text(self, key: str) -> str:
        """The text of a scalar field; empty if the field is absent, null or not a scalar."""
        node = self.fields.get(key)
        return node.text if type(node) is Scalar and node.tag != NULL else ""


def path_to(sought: Node, root: Node) -> FieldPath | None:
    """Where a node, this very one, first stands below a root; None if nowhere."""
    if sought is root:
        return ()
    if isinstance(root, Map):
        below: Iterable[tuple[str | int, Node]] = root.fields.items()
    else:
        below = enumerate(root.items if isinstance(root, List) else ())
    for step, node in below:
        if (path := path_to(sought, node)) is not None:
            return (step, *path)
    return None


def _holds_anything(node: Node) -> bool:
    return not isinstance(node, Map) or bool(node.fields)


def _has(node: Node, path: tuple[str | int, ...]) -> bool:
    """Whether there is something at a path below a node."""
    for step in path:
        if isinstance(node, Map) and str(step) in node.fields:
            node = node.fields[str(step)]
        elif isinstance(node, List) and isinstance(step, int) and step < len(node.items):
            node = node.items[step]
        else:
            return False
    return True


class List:
    """A sequence; ``mark`` is as for a mapping."""

    __slots__ = ("items", "mark")

    def __init__(self, mark: Mark, items: list[Node] | None = None) -> None:
        self.items: list[Node] = [] if items is None else items
        self.mark = mark

    def __repr__(self) -> str:
        return f"List({self.items!r})"

    @property
    def value(self) -> list[Any]:
        return [node.value for node in self.items]


Node = Scalar | Map | List


def is_null(node: Node | None) -> bool:
    """Whether a node is there and is null."""
    return type(node) is Scalar and node.tag == NULL


def present(node: Node | None) -> Node | None:
    """The node if it is there and is not null."""
    return None if node is None or (type(node) is Scalar and node.tag == NULL) else node


def missing(node: Node | None) -> bool:
    """Whether a node is absent or null."""
    return node is None or (type(node) is Scalar and node.tag == NULL)


def copy(node: Node) -> Node:
    """A copy whose mappings and lists may be changed; scalars and marks are shared."""
    kind = type(node)
    if kind is Scalar:
        return node
    if kind is Map:
        assert isinstance(node, Map)
        fields = {}
        for key, child in node.fields.items():
            fields[key] = child if type(child) is Scalar else copy(child)
        return Map(node.mark, fields)
    assert isinstance(node, List)
    return List(
        node.mark,
        [child if type(child) is Scalar else copy(child) for child in node.items],
    )


def copy_map(node: Map) -> Map:
    """``copy`` for a mapping."""
    result = copy(node)
    assert isinstance(result, Map)
    return result
