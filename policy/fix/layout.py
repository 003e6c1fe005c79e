"""Where the parts of a YAML text stand: what is needed to write between its lines without touching them.

Offsets count characters of the text from 0; lines count from 1 and columns from 0. Comments and empty lines belong to
no part.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec
import yaml

try:
    from yaml import CSafeLoader as _Parser
except ImportError:  # a PyYAML built without libyaml: the same events, only slower
    from yaml import SafeLoader as _Parser  # type: ignore[assignment]

from policy.errors import SourceError
from policy.kustomize.parse import MAX_DEPTH
from policy.yaml_faults import fault

_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
"""What ends a line: those of YAML 1.1, which both libyaml and the parser of kustomize follow."""
_BLOCK = frozenset(("|", ">"))


class Node(msgspec.Struct):
    """A part of the text, from ``start`` to ``end``; the end of a block collection may be too far down."""

    start: int
    end: int
    line: int
    column: int
    anchor: str | None


class Scalar(Node):
    """A scalar; ``style`` is ``|``, ``>``, a quote, or empty for a plain one."""

    text: str
    style: str

    @property
    def is_empty(self) -> bool:
        """Nothing is written at all, as in ``key:``, which is null."""
        return not self.style and self.start == self.end and self.anchor is None


class Alias(Node):
    """A reference such as ``*name``."""


class Sequence(Node):
    """A list; ``column`` is that of its dashes, where it is not ``is_flow``."""

    is_flow: bool
    items: list[Node] = msgspec.field(default_factory=list)


class Entry(msgspec.Struct):
    """A key of a mapping and its value."""

    key: Node
    value: Node

    @property
    def name(self) -> str:
        """The key; empty if it is no scalar."""
        return self.key.text if isinstance(self.key, Scalar) else ""


class Mapping(Node):
    """A mapping; ``column`` is that of its keys, where it is not ``is_flow``."""

    is_flow: bool
    entries: list[Entry] = msgspec.field(default_factory=list)

    def entry(self, name: str) -> Entry | None:
        """The entry of that name."""
        return next((each for each in self.entries if each.name == name), None)


Step = str | int
Chain = tuple[tuple[Node, Step], ...]
"""What a node is inside of, the document first, each with the key or index that leads on."""


class Located(msgspec.Struct, frozen=True):
    """A node and the way to it."""

    node: Node
    chain: Chain

    @property
    def path(self) -> tuple[Step, ...]:
        return tuple(step for _, step in self.chain)

    @property
    def root(self) -> Node:
        return self.chain[0][0] if self.chain else self.node

    @property
    def parent(self) -> Located | None:
        return Located(self.chain[-1][0], self.chain[:-1]) if self.chain else None

    def child(self, step: Step, node: Node) -> Located:
        return Located(node, (*self.chain, (self.node, step)))


def read_layout(text: str, name: str) -> list[Node]:
    """The documents of a YAML text that hold anything.

    Raises ``SourceError`` if it is not YAML, or nests deeper than ``MAX_DEPTH``.
    """
    try:
        parser = _Parser(text)
        try:
            return list(_Reader(parser, name).documents())
        finally:
            parser.dispose()
    except yaml.YAMLError as error:
        said, line = fault(text, error)
        raise SourceError(said, file=name, line=None if line is None else line + 1) from error


class _Reader:
    def __init__(self, parser: Any, name: str) -> None:
        self.get = parser.get_event
        self.name = name

    def documents(self) -> Iterator[Node]:
        while not isinstance(event := self.get(), yaml.StreamEndEvent):
            if isinstance(event, yaml.DocumentStartEvent):
                root = self.node(self.get(), 0)
                if not isinstance(root, Scalar):
                    yield root

    def node(self, event: Any, depth: int) -> Node:
        start, end = event.start_mark, event.end_mark
        if depth > MAX_DEPTH:
            raise SourceError(f"nests deeper than {MAX_DEPTH}", file=self.name, line=start.line + 1)
        place = (start.index, end.index, start.line + 1, start.column, event.anchor)
        if isinstance(event, yaml.AliasEvent):
            return Alias(*place)
        if isinstance(event, yaml.ScalarEvent):
            return Scalar(*place, text=event.value, style=event.style or "")
        if isinstance(event, yaml.SequenceStartEvent):
            return self.sequence(Sequence(*place, is_flow=bool(event.flow_style)), depth)
        return self.mapping(Mapping(*place, is_flow=bool(event.flow_style)), depth)

    @staticmethod
    def index(event: Any) -> int:
        end: int = event.end_mark.index
        return end

    def sequence(self, node: Sequence, depth: int) -> Sequence:
        event: Any = self.get()
        while type(event) is not yaml.SequenceEndEvent:
            node.items.append(self.node(event, depth + 1))
            event = self.get()
        node.end = self.index(event)
        return node

    def mapping(self, node: Mapping, depth: int) -> Mapping:
        event: Any = self.get()
        while type(event) is not yaml.MappingEndEvent:
            key = self.node(event, depth + 1)
            node.entries.append(Entry(key, self.node(self.get(), depth + 1)))
            event = self.get()
        node.end = self.index(event)
        if node.entries:  # an anchor or a tag may stand before the first key, even on the line above
            node.column = node.entries[0].key.column
        return node


def walk(root: Node) -> Iterator[Located]:
    """The node and everything in it, in the order of the text."""
    stack = [Located(root, ())]
    while stack:
        here = stack.pop()
        yield here
        inner: list[Located] = []
        if isinstance(here.node, Mapping):
            inner = [here.child(each.name, each.value) for each in here.node.entries]
        elif isinstance(here.node, Sequence):
            inner = [here.child(index, item) for index, item in enumerate(here.node.items)]
        stack.extend(reversed(inner))


def end_of(text: str, node: Node) -> int:
    """The offset right behind the last character of a value that is not white space or a comment."""
    if isinstance(node, Mapping) and not node.is_flow:
        return end_of(text, node.entries[-1].value)
    if isinstance(node, Sequence) and not node.is_flow:
        return end_of(text, node.items[-1])
    if isinstance(node, Scalar) and node.style in _BLOCK:
        return _end_of_block(text, node)
    return node.end  # of an empty value: right behind its colon or dash


def _end_of_block(text: str, node: Scalar) -> int:
    """A block scalar ends with its last line, empty lines included where it keeps them (``|+``)."""
    content = text[node.start : node.end]
    header = _BREAK.split(content, 1)[0].partition("#")[0]
    if "+" not in header:
        return node.start + len(content.rstrip())
    breaks = list(_BREAK.finditer(content))
    return node.start + breaks[-1].start() if breaks and breaks[-1].end() == len(content) else node.end


def end_of_line(text: str, offset: int) -> int:
    """Where the line that holds the offset ends, without its line break."""
    found = _BREAK.search(text, offset)
    return found.start() if found else len(text)


def line_break(text: str, offset: int) -> str:
    """The line break at an offset; at the end of the text the one that the text begins with, else ``\\n``."""
    found = _BREAK.match(text, offset) or _BREAK.search(text)
    return found[0] if found and found[0] in ("\r\n", "\r") else "\n"


def next_line(text: str, offset: int) -> int | None:
    """Where the next line starts, given where one ends; None if there is none."""
    found = _BREAK.match(text, offset)
    return found.end() if found else None
