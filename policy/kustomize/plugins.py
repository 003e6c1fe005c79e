"""Where transformers and generators stand, whose work is not done over, and which line of them may have set a field.

It is found by what they state: the value, or the path of the field. That is a likely place and never a certain one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from policy.errors import SourceError
from policy.findings import FieldPath, Place
from policy.kustomize.kustomization import Kustomization, SourceFile
from policy.kustomize.marks import List, Map, Node, Scalar, Source
from policy.kustomize.parse import block_shift, parse
from policy.kustomize.sources import SourceTree

_CHANGING, _MAKING = "transformers", "generators"


@dataclass(frozen=True, slots=True)
class Plugin:
    """One transformer or generator, and what it states besides what it is and how it is called."""

    field: str
    root: Map
    scalars: tuple[Scalar, ...]


class Plugins:
    """The transformers and generators of a tree of sources, in the order in which Kustomize meets them."""

    def __init__(self, tree: SourceTree) -> None:
        self._tree = tree

    @cached_property
    def has_transformers(self) -> bool:
        """Whether objects may have another identity than they would have by what is done over."""
        return self._entry(_CHANGING) is not None

    def of_field(self, path: FieldPath, value: Any) -> Place | None:
        """The line that may have given a field its value, else the transformers; None where there are none."""
        changing = [plugin for plugin in self._all if plugin.field == _CHANGING]
        pointer = "/".join(map(str, path))
        naming = [plugin for plugin in changing if any(each.text.strip("/") == pointer for each in plugin.scalars)]
        chosen = naming or changing
        stating = [each for plugin in chosen for each in plugin.scalars if _states(each, value)]
        if len(stating) == 1:
            return stating[0].mark.place
        return chosen[0].root.mark.place if len(chosen) == 1 else self._entry(_CHANGING)

    def of_object(self, kind: str, name: str) -> Place | None:
        """The generator that may have made an object, else what may have; None where there is nothing like it."""
        for plugin in self._all:
            is_kind = plugin.field == _MAKING and plugin.root.text("kind") == f"{kind}Generator"
            stated = _name(plugin.root)
            if is_kind and isinstance(stated, Scalar) and stated.text and stated.text in name:
                return stated.mark.place
        return self._entry(_MAKING) or self._entry(_CHANGING)

    def _entry(self, field: str) -> Place | None:
        """The first entry that names one."""
        items = (item for kustomization in self._tree.kustomizations.values() for item in _items(kustomization, field))
        return next((item.mark.place for item in items), None)

    @cached_property
    def _all(self) -> tuple[Plugin, ...]:
        return tuple(
            Plugin(name, root, tuple(_scalars(root, file)))
            for kustomization in self._tree.kustomizations.values()
            for name in (_CHANGING, _MAKING)
            for item in _items(kustomization, name)
            for root, file in self._documents(item, kustomization)
        )

    def _documents(self, item: Node, kustomization: Kustomization) -> Iterator[tuple[Map, SourceFile]]:
        """The documents of an entry: of the file that it names, or its own."""
        if not isinstance(item, Scalar):
            return
        listed = self._tree.files.get((kustomization.folder / item.text).resolve()) if "\n" not in item.text else None
        file = listed or kustomization.file
        roots = listed.parsed.roots if listed is not None and listed.parsed is not None else _inside(item, file)
        yield from ((root, file) for root in roots if isinstance(root, Map))


def _items(kustomization: Kustomization, field: str) -> list[Node]:
    node = kustomization.root.fields.get(field)
    return node.items if isinstance(node, List) else []


def _name(root: Map) -> Node | None:
    metadata = root.fields.get("metadata")
    return metadata.fields.get("name") if isinstance(metadata, Map) else None


def _inside(scalar: Scalar, file: SourceFile) -> list[Node]:
    """The documents that a text of several lines holds; none if it is one line, or no YAML."""
    if "\n" not in scalar.text:
        return []
    try:
        return list(parse(scalar.text, Source(file.name), shift=block_shift(scalar, file.text.split("\n"))).roots)
    except SourceError:
        return []


def _scalars(root: Map, file: SourceFile) -> Iterator[Scalar]:
    """Every scalar but those of its head; patches that are written as text are looked into."""
    head = {id(each) for each in (root.fields.get("apiVersion"), root.fields.get("kind"), _name(root))}
    nodes: list[Node] = [root]
    while nodes:
        node = nodes.pop()
        if isinstance(node, Map):
            nodes.extend(node.fields.values())
        elif isinstance(node, List):
            nodes.extend(node.items)
        elif id(node) not in head:
            inside = _inside(node, file)
            nodes.extend(inside)
            if not inside:
                yield node


def _states(scalar: Scalar, value: Any) -> bool:
    """Whether a scalar is a value, or the tag or digest of an image."""
    if isinstance(value, str):
        return bool(scalar.text) and (scalar.text == value or value.endswith((f":{scalar.text}", f"@{scalar.text}")))
    return isinstance(value, bool | int | float) and type(scalar.value) is type(value) and scalar.value == value
