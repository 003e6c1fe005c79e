"""YAML read with a mark on every key and value: which file, line and column each came from.

Built directly on the parser's event stream. Loading with PyYAML's own node classes would take several times as long
and would still have to be converted, because neither duplicate keys nor Kustomize's reading of scalars survive it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from policy.errors import SourceError
from policy.findings import Place
from policy.kustomize.marks import List, Map, Mark, Node, Scalar, Source, at
from policy.kustomize.scalars import NULL, STR, tag_of
from policy.yaml_faults import fault

try:
    from yaml import CSafeLoader as _Parser
except ImportError:  # a PyYAML built without libyaml: the same events, only slower
    from yaml import SafeLoader as _Parser  # type: ignore[assignment]

BOOLEAN_WORDS = frozenset(
    word
    for lower in ("y", "n", "yes", "no", "on", "off", "true", "false")
    for word in (lower, lower.title(), lower.upper())
)
"""What a YAML 1.1 parser reads as true or false where it is not quoted."""

MAX_BYTES = 10 * 1024 * 1024
MAX_DEPTH = 100
MAX_NODES = 1_000_000
MAX_NODES_BY_ALIAS = 200_000
MAX_SCALAR = 1536 * 1024
"""How long one value may be: what etcd takes as a whole object, by default (``--max-request-bytes``)."""
_WEIGHT = 7  # 128 characters of text weigh as much as a node
"""Bounds on one file. The node bound counts what aliases expand to, so that a few lines cannot become gigabytes."""


@dataclass(slots=True)
class Document:
    """One YAML document of a source; ``root`` is None if it is empty."""

    root: Node | None
    line: int


@dataclass(slots=True)
class DuplicateKey:
    """A key that a mapping, its ``holder``, has twice: where again, and where first. What a merge gives is none."""

    place: Place
    first: Place
    key: str
    holder: Map


@dataclass(slots=True)
class Parsed:
    """The documents of one text, in order, and what is odd about their keys: twice there, or read as a boolean."""

    documents: list[Document] = field(default_factory=list)
    duplicate_keys: list[DuplicateKey] = field(default_factory=list)
    boolean_keys: list[tuple[Place, str]] = field(default_factory=list)

    @property
    def roots(self) -> Iterator[Node]:
        """The documents that hold anything."""
        return (document.root for document in self.documents if document.root is not None)


@dataclass(frozen=True, slots=True)
class Shift:
    """Where the text stands in its file: lines and columns to add, or one fixed place for all of it."""

    lines: int = 0
    columns: int = 0
    fixed: Mark | None = None


def decode(data: bytes, file: str) -> str:
    """The text of a source file.

    Raises ``SourceError`` if it is not UTF-8 or is larger than ``MAX_BYTES``.
    """
    if len(data) > MAX_BYTES:
        raise SourceError(f"is larger than {MAX_BYTES // 1024 // 1024} MiB", file=file)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SourceError(f"is not UTF-8: byte 0x{data[error.start]:02x}", file=file, line=line) from None
    return text.replace("\r\n", "\n")


def parse(text: str, source: Source, *, yaml_1_1: bool = False, shift: Shift | None = None) -> Parsed:
    """Parse a YAML (or JSON) stream into marked documents.

    Raises ``SourceError`` with the line for malformed YAML, and for text that nests deeper than ``MAX_DEPTH``, expands
    to more than ``MAX_NODES`` or holds a value longer than ``MAX_SCALAR``.
    """
    return _Builder(text, source, yaml_1_1, shift or Shift()).documents()


class _Builder:
    def __init__(self, text: str, source: Source, yaml_1_1: bool, shift: Shift) -> None:
        self.text = text
        self.source = source
        self.yaml_1_1 = yaml_1_1
        self.line = shift.lines + 1
        self.column = shift.columns + 1
        self.fixed = shift.fixed and at(shift.fixed, source)
        self.nodes = 0
        self.by_alias = 0
        self.anchors: dict[str, tuple[Node, int]] = {}
        self.parsed = Parsed()
        try:
            self.parser = _Parser(text)
        except yaml.YAMLError as error:
            raise self.malformed(error) from None

    def documents(self) -> Parsed:
        try:
            get = self.parser.get_event
            event = get()
            while type(event) is not yaml.StreamEndEvent:
                if type(event) is yaml.DocumentStartEvent:
                    self.anchors.clear()
                    line = self.mark(event).line
                    event = get()
                    root = self.node(event, None, 0)
                    empty = type(root) is Scalar and root.tag == NULL
                    self.parsed.documents.append(Document(None if empty else root, line))
                event = get()
        except yaml.YAMLError as error:
            raise self.malformed(error) from None
        finally:
            self.parser.dispose()
        return self.parsed

    def malformed(self, error: yaml.YAMLError) -> SourceError:
        said, line = fault(self.text, error)
        where = self.line + (line or 0) if self.fixed is None else self.fixed.line
        return SourceError(said, file=self.source.file, line=where)

    def refuse(self, message: str, event: Any) -> SourceError:
        return SourceError(message, file=self.source.file, line=self.mark(event).line)

    def mark(self, event: Any) -> Mark:
        if self.fixed is not None:
            return self.fixed
        start, end = event.start_mark, event.end_mark
        line = start.line
        return Mark(
            self.source,
            line + self.line,
            start.column + self.column,
            end.column + self.column if end.line == line else None,
        )

    def node(self, event: Any, key: Mark | None, depth: int) -> Node:
        self.nodes += 1
        if self.nodes > MAX_NODES or depth > MAX_DEPTH:
            bound = (
                f"expands to more than {MAX_NODES} nodes" if depth <= MAX_DEPTH else f"nests deeper than {MAX_DEPTH}"
            )
            raise self.refuse(bound, event)
        kind = type(event)
        if kind is yaml.ScalarEvent:
            node: Node = self.scalar(event, key)
        elif kind is yaml.AliasEvent:
            return self.alias(event)
        else:
            before = self.nodes
            node = (
                self.mapping(event, key, depth) if kind is yaml.MappingStartEvent else self.sequence(event, key, depth)
            )
            if event.anchor is not None:
                self.anchors[event.anchor] = node, self.nodes - before + 1
            return node
        if event.anchor is not None:
            self.anchors[event.anchor] = node, 1 + (len(event.value) >> _WEIGHT)
        return node

    def scalar(self, event: Any, key: Mark | None) -> Scalar:
        text = event.value
        if len(text) > MAX_SCALAR:
            raise self.refuse(f"a value of more than {MAX_SCALAR >> 10} KiB, which no cluster stores", event)
        self.nodes += len(text) >> _WEIGHT
        if event.tag is not None:
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
        elif event.implicit[0]:
            tag = tag_of(text, yaml_1_1=self.yaml_1_1)
        else:
            tag = STR
        if not text and tag == NULL and key is not None:
            return Scalar(text, tag, key)
        return Scalar(text, tag, self.mark(event))

    def alias(self, event: Any) -> Node:
        known = self.anchors.get(event.anchor)
        if known is None:
            raise self.refuse(f"alias *{event.anchor} refers to no anchor that ends above it", event)
        node, size = known
        self.by_alias += size
        if self.by_alias > MAX_NODES_BY_ALIAS:
            raise self.refuse("its aliases expand without bound (an alias bomb)", event)
        self.nodes += size
        return node

    def sequence(self, event: Any, key: Mark | None, depth: int) -> List:
        get = self.parser.get_event
        result = List(key or self.mark(event))
        items = result.items
        event = get()
        while type(event) is not yaml.SequenceEndEvent:
            items.append(self.node(event, None, depth + 1))
            event = get()
        return result

    def mapping(self, event: Any, key: Mark | None, depth: int) -> Map:
        get = self.parser.get_event
        result = Map(key or self.mark(event))
        fields = result.fields
        marks: dict[str, Mark] = {}
        merges: list[Node] = []
        event = get()
        while type(event) is not yaml.MappingEndEvent:
            if type(event) is yaml.ScalarEvent:
                name, merging = event.value, event.value == "<<" and event.implicit[0]
            else:
                name, merging = self.complex_key(event, depth), False
            mark = self.mark(event)
            if name in BOOLEAN_WORDS and event.implicit[0]:
                self.parsed.boolean_keys.append((mark.place, name))
            if key is None and not marks:
                result.mark = mark
            value = self.node(get(), mark, depth + 1)
            if merging:
                merges.append(value)
            elif name in fields:
                self.parsed.duplicate_keys.append(DuplicateKey(mark.place, marks[name].place, name, result))
            else:
                fields[name] = value
                marks[name] = mark
            event = get()
        for value in merges:
            self.merge(result, value, event)
        return result

    def complex_key(self, event: Any, depth: int) -> str:
        node = self.node(event, None, depth + 1)
        if type(node) is Scalar:
            return node.text
        raise self.refuse("a mapping key must be a scalar", event)

    def merge(self, target: Map, value: Node, event: Any) -> None:
        """A ``<<`` key: its fields count where the mapping has none of its own; the first of several wins."""
        for each in value.items if isinstance(value, List) else [value]:
            if not isinstance(each, Map):
                raise self.refuse("a merge key (<<) needs a mapping or a list of mappings", event)
            for name, node in each.fields.items():
                self.nodes += 1
                target.fields.setdefault(name, node)


def block_shift(scalar: Scalar, lines: Sequence[str]) -> Shift:
    """How the text inside a scalar of a file lies in that file, whose ``lines`` end without "\\n", for marks into it.

    Exact for literal blocks (``|``) and for one-line strings; text that was folded or escaped gets the scalar's place.
    """
    first, start = lines[scalar.mark.line - 1], scalar.mark.column - 1
    if first.startswith("|", start):
        for offset, content in enumerate(scalar.text.split("\n")):
            raw = lines[scalar.mark.line + offset] if scalar.mark.line + offset < len(lines) else ""
            if content.strip():
                return Shift(scalar.mark.line, len(raw) - len(content.rstrip("\r")))
        return Shift(scalar.mark.line)
    quote = 1 if first.startswith(("'", '"'), start) else 0
    if scalar.mark.end_column is not None and first.startswith(scalar.text, start + quote):
        return Shift(scalar.mark.line - 1, start + quote)
    return Shift(fixed=scalar.mark)
