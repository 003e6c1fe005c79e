"""Where a field of a rendered object comes from: the file, the line, and the kustomization entry that set it.

A value belongs to the line that set it last: a patch's value, the ``images:`` entry of an image, the ``replicas:``
count, the pair of a label, the ``namespace:`` field, the literal or file of a generated key. So that is the line to
edit. In particular:

- A field that is absent because a patch took it away belongs to the line that did (``null``, ``$patch``, ``remove``).
- A field that is absent otherwise belongs to the innermost thing that would hold it, where that was declared: the key
  of a mapping, the name of a list item (a container), or the name of the object. What a later layer added inside of it
  does not count, so a limit that is missing beside one that an overlay set is looked for in the base.
- A name that ends in a content hash belongs to the generator's ``name``; a reference that follows a renamed object
  belongs to the line where it is written, and its entry is the one that renamed.

Origins are found by doing over what Kustomize does. Where that gives another value than the one that was rendered, the
origin is the nearest known place, and ``exact`` is false. So it is with what transformers and generators do: an object
that they have renamed or moved is looked for by what is left of its name, and what is not as it was is theirs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from policy.findings import FieldPath, Place
from policy.kustomize.emulate import Emulation, load_objects
from policy.kustomize.marks import List, Map, Mark, Node, Scalar, Source
from policy.kustomize.objects import Object, split_api_version
from policy.kustomize.parse import Shift, parse
from policy.kustomize.plugins import Plugins
from policy.kustomize.sources import SourceTree

_PATCHES = ("patches", "replacements")
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
"""Fields that tell one item of a list from another, the most telling first."""


@dataclass(frozen=True, slots=True)
class Origin:
    """The place of a field. ``entry`` is what set it, e.g. ``images[0]``, in the file ``kustomization``.

    Both are None for input that is no kustomization. ``exact`` is false if the place is only the nearest known one.
    """

    place: Place
    exact: bool
    entry: str | None = None
    kustomization: str | None = None

    @property
    def field(self) -> str | None:
        """The kustomization field that the entry is an item of, e.g. ``images``."""
        return None if self.entry is None else self.entry.partition("[")[0]


class Origins:
    """The origins of all fields of one overlay, or of plain manifests."""

    def __init__(self, tree: SourceTree) -> None:
        self._tree: SourceTree | None = tree
        self._plain: list[Object] = []
        self._nowhere = Place(tree.root.file.name, 1)

    @classmethod
    def from_documents(cls, roots: Iterable[Node], file: str = "", line: int = 1) -> Origins:
        """The origins of manifests that no kustomization touches, from their marked documents."""
        self = cls.__new__(cls)
        self._tree = None
        self._plain = load_objects(roots)
        self._nowhere = Place(file, line)
        return self

    @classmethod
    def from_text(cls, text: str, *, file: str, first_line: int = 1) -> Origins:
        """The origins of plain manifests, from the text of a file or of a part that starts at ``first_line``.

        Raises ``SourceError`` if the text is not YAML.
        """
        parsed = parse(text, Source(file), shift=Shift(lines=first_line - 1))
        return cls.from_documents(parsed.roots, file, first_line)

    @cached_property
    def emulation(self) -> Emulation | None:
        """What Kustomize would render, with marks; None for plain manifests."""
        return None if self._tree is None else Emulation(self._tree)

    @cached_property
    def _objects(self) -> dict[tuple[str, str, str, str], Object]:
        objects = self._plain if self.emulation is None else self.emulation.objects
        index: dict[tuple[str, str, str, str], Object] = {}
        for each in objects:
            index.setdefault(_key(each.root.text("apiVersion"), each.kind, each.namespace, each.name), each)
        return index

    def place(self, rendered: Mapping[str, Any], path: FieldPath) -> Origin:
        """Where the field of a rendered object comes from; a field that is absent has a place too."""
        found = self._object(rendered)
        if found is not None:
            origin = _Walk(found, rendered).origin(path)
            return origin if origin.exact else self._by_plugin(rendered, path) or origin
        moved = self._moved(rendered)
        if moved is None:
            _, kind, _, name = _rendered_key(rendered)
            made = self._plugins and self._plugins.of_object(kind, name)
            return Origin(made or self._nowhere, exact=False)
        origin = _Walk(moved, rendered).origin(path)
        if origin.exact:  # as far as it goes: nobody knows whether a transformer gave it the same value
            return replace(origin, exact=False)
        return self._by_plugin(rendered, path) or origin

    def _by_plugin(self, rendered: Mapping[str, Any], path: FieldPath) -> Origin | None:
        """The transformer that may have set a field; None where there is none, or the field is absent."""
        value = _value_at(rendered, path)
        place = self._plugins.of_field(path, value) if self._plugins and value is not None else None
        return Origin(place, exact=False) if place else None

    @cached_property
    def _plugins(self) -> Plugins | None:
        return Plugins(self._tree) if self._tree is not None else None

    def _moved(self, rendered: Mapping[str, Any]) -> Object | None:
        """The only object of its kind with that name, or a part of it: a transformer gave it another identity."""
        if self._plugins is None or not self._plugins.has_transformers:
            return None
        group, kind, _, name = _rendered_key(rendered)
        alike = [each for key, each in self._objects.items() if key[:2] == (group, kind) and each.name]
        same = [each for each in alike if each.name == name]
        found = same or [each for each in alike if name.startswith(each.name) or name.endswith(each.name)]
        return found[0] if len(found) == 1 else None

    def added_by(self, rendered: Mapping[str, Any], path: FieldPath) -> Origin | None:
        """The patch that added the list item (or other field) at ``path``; None if the object had it by itself."""
        found = self._object(rendered)
        if found is None:
            return None
        walk = _Walk(found, rendered)
        if not all(walk.enter(step) for step in path):
            return None
        return walk.present() if walk.node.mark.source.entry.startswith(_PATCHES) else None

    def declared(self, rendered: Mapping[str, Any]) -> tuple[str, Place] | None:
        """The name that an object is first stated with, before any prefix or suffix, and where; None if unknown."""
        found = self._object(rendered)
        return None if found is None else (found.original.name, found.declared.place)

    def _object(self, rendered: Mapping[str, Any]) -> Object | None:
        return self._objects.get(_rendered_key(rendered))


def _rendered_key(rendered: Mapping[str, Any]) -> tuple[str, str, str, str]:
    stated = rendered.get("metadata")
    metadata = stated if isinstance(stated, Mapping) else {}
    return _key(
        str(rendered.get("apiVersion", "")),
        str(rendered.get("kind", "")),
        str(metadata.get("namespace") or ""),
        str(metadata.get("name") or ""),
    )


def _key(api_version: str, kind: str, namespace: str, name: str) -> tuple[str, str, str, str]:
    return split_api_version(api_version)[0], kind, namespace, name


def _value_at(rendered: Any, path: FieldPath) -> Any:
    """What a rendered object holds at a path; None for nothing."""
    for step in path:
        if isinstance(rendered, Mapping):
            rendered = rendered.get(step)
        else:
            is_item = isinstance(rendered, list) and isinstance(step, int) and step < len(rendered)
            rendered = rendered[step] if is_item else None
    return rendered


class _Walk:
    """Going down a path in the rendered object and in ours side by side."""

    def __init__(self, object: Object, rendered: Mapping[str, Any]) -> None:
        self.object = object
        self.node: Node = object.root
        self.value: Any = rendered
        self.exact = True
        self.owner: Node = object.root
        self.inside: list[Node] = []
        self.above: list[tuple[str | int | None, Node]] = [(None, object.root)]

    def origin(self, path: FieldPath) -> Origin:
        """Where what is at a path comes from, or belongs if it is not there."""
        for index, step in enumerate(path):
            if not self.enter(step):
                return self.absent(path[index:])
        return self.present()

    def enter(self, step: str | int) -> bool:
        """Follow one step; false if either side has no such field."""
        node, value = self.node, self.value
        child: Node | None = None
        there, known = None, False
        if isinstance(node, Map) and isinstance(value, Mapping):
            child = node.fields.get(str(step))
            known = step in value
            there = value.get(step)
        elif isinstance(node, List) and isinstance(value, list) and isinstance(step, int):
            known = -len(value) <= step < len(value)
            if known:
                there = value[step]
                child = self._item(node, value, step)
        if child is None or not known:
            self.exact = self.exact and (child is None) == (not known)
            if child is not None:
                self._go(child, step)
            return False
        self.value = there
        self._go(child, step)
        return True

    def _go(self, child: Node, step: str | int) -> None:
        self.node = child
        self.above.append((step, child))
        if isinstance(step, int):
            self.owner, self.inside = child, []
        else:
            self.inside.append(child)

    def _item(self, node: List, value: list[Any], index: int) -> Node | None:
        """Our item for a rendered one: the one at its index if it is alike, else the only one that is."""
        wanted = value[index]
        if index < len(node.items) and _alike(node.items[index], wanted):
            return node.items[index]
        alike = [item for item in node.items if _alike(item, wanted)]
        if len(alike) == 1:
            return alike[0]
        self.exact = False
        return node.items[index] if index < len(node.items) else None

    def present(self) -> Origin:
        node = self.node
        exact = self.exact
        if isinstance(node, Scalar):
            exact = exact and equal(node.value, self.value)
        else:
            exact = exact and isinstance(self.value, Mapping if isinstance(node, Map) else list)
        return _origin(self._declared(node), exact)

    def absent(self, rest: FieldPath) -> Origin:
        """The place of a field that is not there; ``rest`` is the part of its path that does not exist."""
        node = self.node
        cause = self._why_lost(rest)
        if cause is not None and self.exact:
            return _origin(cause, exact=True)
        if not self.exact:
            return _origin(self._declared(node), exact=False)
        source = self._declared(self.owner).source
        for each in reversed(self.inside):
            if each.mark.source is source or _same_origin(each.mark.source, source):
                return _origin(each.mark, exact=True)
        return _origin(self._declared(self.owner), exact=True)

    def _why_lost(self, rest: FieldPath) -> Mark | None:
        """The line that took the field away, or one of the things that it was in since the nearest list item."""
        steps = rest
        for step, node in reversed(self.above):
            if isinstance(node, Map) and (cause := node.why_lost(steps)) is not None:
                return cause
            if isinstance(step, int) or step is None:
                return None
            steps = (step, *steps)
        return None

    def _declared(self, node: Node) -> Mark:
        """The line that names a thing: of an object or list item its name, of anything else its key or value."""
        if node is self.object.root:
            return self.object.declared
        if node is self.owner and isinstance(node, Map):
            for name in _NAMES:
                scalar = node.fields.get(name)
                if isinstance(scalar, Scalar) and scalar.mark.source is node.mark.source:
                    return scalar.mark
        return node.mark


def _same_origin(one: Source, other: Source) -> bool:
    return one.file == other.file and one.entry == other.entry and one.kustomization == other.kustomization


def _origin(mark: Mark, exact: bool) -> Origin:
    source = mark.source
    return Origin(mark.place, exact, source.entry or None, source.kustomization or None)


def _alike(node: Node, value: Any) -> bool:
    """Whether our list item is the rendered one, judged by what names it."""
    if isinstance(node, Map) and isinstance(value, Mapping):
        for name in _NAMES:
            if name in value:
                there = node.fields.get(name)
                return there is not None and equal(there.value, value[name])
        return equal(node.value, value)
    return equal(node.value, value)


def equal(one: Any, other: Any) -> bool:
    """Whether two JSON values are the same; unlike in Python, true is not 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(equal(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(equal(a, b) for a, b in zip(one, other, strict=True))
    return (type(one) is type(other) and one == other) or _same_number(one, other)


def _same_number(one: Any, other: Any) -> bool:
    return isinstance(one, int | float) and isinstance(other, int | float) and float(one) == float(other)
