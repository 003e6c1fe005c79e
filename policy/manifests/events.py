"""The exact way to read YAML: plain objects from the events of PyYAML's C parser, scalars as Kubernetes reads them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import yaml
from yaml._yaml import CParser

from policy.errors import SourceError
from policy.manifests.scalars import MAX_SCALAR, json_key, resolve
from policy.yaml_faults import fault

MAX_DEPTH = 100
MAX_NODES_BY_ALIAS = 200_000

_STR = "tag:yaml.org,2002:str"
_WEIGHT = 7  # 128 characters of text weigh as much as a node


def read(text: str, name: str, first_line: int) -> Iterator[tuple[int, Any]]:
    """Each document with its 1-based line in the file that the text starts in at ``first_line``.

    Raises:
        SourceError: the text is no YAML, nests deeper than ``MAX_DEPTH``, expands aliases without bound, or holds a
            value longer than ``MAX_SCALAR``.
    """
    builder = _Builder(text, name, first_line - 1)
    try:
        yield from builder.documents()
    except yaml.YAMLError as error:
        said, line = fault(text, error)
        raise SourceError(said, file=name, line=None if line is None else first_line + line) from error


class _Builder:
    def __init__(self, text: str, name: str, lines_before: int) -> None:
        self._name = name
        self._lines_before = lines_before
        self._next: Callable[[], Any] = CParser(text).get_event
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._nodes = 0
        self._by_alias = 0

    def documents(self) -> Iterator[tuple[int, Any]]:
        while True:
            event = self._next()
            kind = type(event)
            if kind is yaml.StreamEndEvent:
                return
            if kind is yaml.DocumentStartEvent:
                line = self._line(event)
                self._anchors.clear()
                yield line, self._node(self._next(), 0)

    def _line(self, event: Any) -> int:
        return int(event.start_mark.line) + 1 + self._lines_before

    def _node(self, event: Any, depth: int) -> Any:
        kind = type(event)
        self._nodes += 1
        if kind is yaml.ScalarEvent:
            weight = len(event.value) >> _WEIGHT
            self._nodes += weight
            value = self._scalar(event)
            if event.anchor:
                self._anchors[event.anchor] = (value, 1 + weight)
            return value
        if kind is yaml.AliasEvent:
            return self._alias(event)
        if depth >= MAX_DEPTH:
            raise SourceError(f"nested deeper than {MAX_DEPTH} levels", file=self._name, line=self._line(event))
        before = self._nodes + self._by_alias
        built = self._mapping(depth) if kind is yaml.MappingStartEvent else self._sequence(depth)
        if event.anchor:
            self._anchors[event.anchor] = (built, self._nodes + self._by_alias - before + 1)
        return built

    def _scalar(self, event: Any) -> Any:
        value: str = event.value
        if len(value) > MAX_SCALAR:
            says = f"a value of more than {MAX_SCALAR >> 10} KiB, which no cluster stores"
            raise SourceError(says, file=self._name, line=self._line(event))
        if event.implicit[0]:
            return resolve(value)
        tag = event.tag
        if event.implicit[1] or tag in (None, "!", _STR):
            return value
        if tag == "tag:yaml.org,2002:float":
            number = resolve(value)
            return float(number) if isinstance(number, int) and not isinstance(number, bool) else number
        return resolve(value) if tag.startswith("tag:yaml.org,2002:") and not tag.endswith(":binary") else value

    def _alias(self, event: Any) -> Any:
        line = self._line(event)
        if event.anchor not in self._anchors:
            raise SourceError(f"alias *{event.anchor} names no anchor before it", file=self._name, line=line)
        value, size = self._anchors[event.anchor]
        self._by_alias += size
        if self._by_alias > MAX_NODES_BY_ALIAS:
            raise SourceError("its aliases expand without bound (an alias bomb)", file=self._name, line=line)
        return value

    def _mapping(self, depth: int) -> dict[Any, Any]:
        built: dict[Any, Any] = {}
        merged: list[Any] = []
        while True:
            event = self._next()
            if type(event) is yaml.MappingEndEvent:
                break
            key = self._node(event, depth + 1)
            value = self._node(self._next(), depth + 1)
            if key == "<<" and type(event) is yaml.ScalarEvent and event.implicit[0]:
                merged.extend(value if isinstance(value, list) else [value])
            elif isinstance(key, (dict, list)):
                raise SourceError("a mapping key must be a scalar", file=self._name, line=self._line(event))
            else:
                built[key if isinstance(key, str) else json_key(key)] = value
        for parent in merged:
            if isinstance(parent, dict):
                for key, value in parent.items():
                    built.setdefault(key, value)
        return built

    def _sequence(self, depth: int) -> list[Any]:
        built: list[Any] = []
        while True:
            event = self._next()
            if type(event) is yaml.SequenceEndEvent:
                return built
            built.append(self._node(event, depth + 1))
