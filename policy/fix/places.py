"""The mapping of a source file that a field belongs into: where it was declared, if it can be written there."""

from __future__ import annotations

import os
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path

import msgspec

from policy.errors import SourceError
from policy.findings import Field, FieldPath, Place
from policy.fix import layout
from policy.fix.insertion import Holder, empty_holder, holder_of
from policy.fix.layout import Located, read_layout
from policy.fix.remedies import NotMechanical
from policy.kustomize.origin import Origin
from policy.manifests.resources import Resource
from policy.overlay import Overlay

_PATCHES = ("patches", "patchesStrategicMerge")
_NAMES = ("name", "key", "mountPath", "devicePath")
_BYTE_ORDER_MARK = "\ufeff"


class SourceText(msgspec.Struct, frozen=True, dict=True):
    """A source file as it is on disk; ``text`` is without its byte order mark, if it has one."""

    path: Path
    name: str
    data: bytes
    text: str
    documents: tuple[layout.Node, ...]

    @cached_property
    def is_json_patch(self) -> bool:
        """Whether it is a list of operations."""
        return any(isinstance(root, layout.Sequence) for root in self.documents)

    @cached_property
    def at(self) -> Mapping[tuple[int, int], Sequence[tuple[Located, layout.Entry]]]:
        """The entries, each with the mapping that it is in, by the line and column of their key and of their value."""
        found: defaultdict[tuple[int, int], list[tuple[Located, layout.Entry]]] = defaultdict(list)
        for holder in (each for root in self.documents for each in layout.walk(root)):
            for entry in holder.node.entries if isinstance(holder.node, layout.Mapping) else ():
                for node in (entry.key, entry.value):
                    found[node.line, node.column].append((holder, entry))
        return found

    def encoded(self, text: str) -> bytes:
        """Another text of this file, as bytes."""
        mark = _BYTE_ORDER_MARK if self.data.startswith(_BYTE_ORDER_MARK.encode()) else ""
        return (mark + text).encode("utf-8")


class Spot(msgspec.Struct, frozen=True):
    """Where a field is written: ``keys`` below the holder that starts at ``offset`` of the file."""

    file: Path
    offset: int
    keys: tuple[str, ...]


class Places:
    """Finds spots; every file is read once. ``repository`` is what the places of findings are relative to."""

    def __init__(self, repository: Path) -> None:
        self.repository = Path(os.path.realpath(repository))
        self.files: dict[Path, SourceText] = {}
        self.holders: dict[Spot, Holder] = {}

    def spot(self, overlay: Overlay, at: Field) -> Spot:
        """Where the absent field of a rendered object is to be written.

        Raises ``NotMechanical`` if that is not known for certain, or nothing can be written there.
        """
        resource = overlay.resource(at.object)
        if overlay.origins is None:
            source, located, rest = self._plain(overlay, resource, at.path)
            is_patch = False
        else:
            origin = overlay.origins.place(resource.raw, at.path)
            source, located, rest = self._declared(origin, at.path)
            is_patch = origin.field in _PATCHES
        holder, keys = _descend(source, located, rest, is_patch=is_patch)
        spot = Spot(source.path, holder.offset, keys)
        self.holders[spot] = holder
        return spot

    def _plain(self, overlay: Overlay, resource: Resource, path: FieldPath) -> tuple[SourceText, Located, FieldPath]:
        document = overlay.documents[resource.document]
        if document.file == "<stdin>":
            raise NotMechanical("it was read from standard input")
        source = self._read(document.file)
        number = bisect_left(source.documents, document.line, key=lambda root: root.line)
        if number == len(source.documents):
            raise NotMechanical("its document is not found in the file")
        return source, Located(source.documents[number], ()), path

    def _declared(self, origin: Origin, path: FieldPath) -> tuple[SourceText, Located, FieldPath]:
        if not origin.exact:
            raise NotMechanical("the place where it belongs is not known exactly")
        if origin.place.file == origin.kustomization:
            raise NotMechanical(f"it comes from {origin.entry or 'a field'} of {origin.place.file} itself")
        source = self._read(origin.place.file)
        located, rest = _declaration(source, origin.place, path)
        return source, located, rest

    def path(self, name: str) -> Path:
        """The real path of a file, by the name that places give it."""
        return Path(os.path.realpath(self.repository / name))

    def _read(self, name: str) -> SourceText:
        path = self.path(name)
        known = self.files.get(path)
        if known is None:
            try:
                data = path.read_bytes()
                text = data.decode("utf-8").removeprefix(_BYTE_ORDER_MARK)
                known = SourceText(path, name, data, text, tuple(read_layout(text, name)))
            except (OSError, UnicodeDecodeError, SourceError) as error:
                raise NotMechanical(f"{name} cannot be read as YAML") from error
            self.files[path] = known
        return known


def _declaration(source: SourceText, place: Place, path: FieldPath) -> tuple[Located, FieldPath]:
    """The mapping that stands at a place, and the rest of the path from there.

    The place is that of a mapping's key, or of the name of the list item or object that the field is in.
    """
    if source.is_json_patch:
        raise NotMechanical(f"{place} is part of a JSON patch")
    below_item = _after_item(path)
    is_item = len(below_item) < len(path)
    for holder, entry in source.at.get((place.line, place.column - 1), ()):
        for found in _told_by(holder, entry, place, is_item=is_item):
            inside = _after_item(found.path)
            is_alike = (len(inside) < len(found.path)) == is_item
            if is_alike and below_item[: len(inside)] == inside and len(inside) < len(below_item):
                return found, below_item[len(inside) :]
    raise NotMechanical("the place where it belongs is taken away by a patch, or is none that can be written to")


def _told_by(holder: Located, entry: layout.Entry, place: Place, *, is_item: bool) -> Iterator[Located]:
    """The mappings that an entry with its key, or its value, at a place may stand for."""
    if (entry.key.line, entry.key.column) == (place.line, place.column - 1):
        if isinstance(entry.value, layout.Mapping):
            yield holder.child(entry.name, entry.value)
        elif isinstance(entry.value, layout.Scalar) and entry.value.is_empty:
            yield holder
        if is_item and holder.node.start == entry.key.start:
            yield holder
    elif entry.name in _NAMES:
        yield holder if is_item else Located(holder.root, ())


def _after_item(path: FieldPath) -> FieldPath:
    """The part of a path behind its last list item; all of it, if there is none."""
    return path[next((number for number in range(len(path), 0, -1) if isinstance(path[number - 1], int)), 0) :]


def _descend(
    source: SourceText, located: Located, rest: FieldPath, *, is_patch: bool
) -> tuple[Holder, tuple[str, ...]]:
    """The innermost mapping on the way that is there, and the keys that are not."""
    while True:
        _refuse_shared(source, located)
        step, *more = rest
        if isinstance(step, int):
            node = located.node
            inner = node.items[step] if isinstance(node, layout.Sequence) and step < len(node.items) else None
            entry = None
        else:
            entry = located.node.entry(step) if isinstance(located.node, layout.Mapping) else None
            inner = entry.value if entry else None
        if inner is None or not more:
            break
        if entry is not None and isinstance(inner, layout.Scalar) and inner.is_empty:
            if is_patch:
                raise NotMechanical(f"{source.name}:{entry.key.line} takes {step} away")
            return empty_holder(source.text, located, entry), tuple(map(str, more))
        located, rest = located.child(step, inner), tuple(more)
    if not isinstance(located.node, layout.Mapping) or isinstance(step, int):
        raise NotMechanical(f"{source.name}:{located.node.line} is no mapping")
    if inner is not None:
        says = f"takes {step} away" if is_patch else f"has {step} already"
        raise NotMechanical(f"{source.name}:{inner.line} {says}")
    return holder_of(source.text, located), tuple(map(str, rest))


def _refuse_shared(source: SourceText, located: Located) -> None:
    """Raises ``NotMechanical`` where one line cannot be written without meaning more, or without changing others."""
    where = f"{source.name}:{located.node.line}"
    root = located.root
    if not isinstance(root, layout.Mapping):
        raise NotMechanical(f"{where} is in no mapping")
    kind = root.entry("kind")
    is_list = kind is not None and isinstance(kind.value, layout.Scalar) and kind.value.text.endswith("List")
    if is_list and root.entry("items") is not None:
        raise NotMechanical("the object is an item of a List")
    for node in (*(parent for parent, _ in located.chain), located.node):
        if isinstance(node, layout.Mapping | layout.Sequence) and node.is_flow:
            raise NotMechanical(f"{where} is written in {'braces' if isinstance(node, layout.Mapping) else 'brackets'}")
        if isinstance(node, layout.Alias) or node.anchor is not None:
            raise NotMechanical(f"{where} is shared with other places by an anchor (& or *)")
    if isinstance(located.node, layout.Mapping) and located.node.entry("<<") is not None:
        raise NotMechanical(f"{where} takes fields from an anchor (<<)")
