"""Which entries of the kustomizations change anything, as far as that can be told without a build.

An entry has an effect where a value of the result has it as its origin and is another one without the kustomization.
What is left is done over without the entry: then either something is missing, or the entry is idle. Each kustomization
is judged by what it makes itself: that an overlay changes again what its base has set is no fault of the base.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from policy.findings import Place
from policy.kustomize.emulate import Emulation, layer, load_objects
from policy.kustomize.entries import Entry, entries, without
from policy.kustomize.kustomization import Kustomization
from policy.kustomize.marks import List, Map, Mark, Node, Scalar
from policy.kustomize.objects import Object, is_empty
from policy.kustomize.sources import SourceTree

_NAMES = ("name", "key", "containerPort", "port", "mountPath", "devicePath", "topologyKey", "ip", "host", "path")

_Effect = tuple[str, str, Place | None]
"""The kustomization, the entry, and where it says so."""


@dataclass(frozen=True, slots=True)
class Idle:
    """An entry that seems to change nothing.

    ``kustomization`` states it, ``judged_in`` is the kustomization that was done over without it: itself, or the one
    that includes it as a component. ``objects`` are those that it could have changed. ``is_certain`` is False where
    what kustomize does is not foreseen in every detail.
    """

    entry: Entry
    kustomization: Kustomization
    judged_in: Kustomization
    objects: tuple[Object, ...]
    is_certain: bool


@dataclass(slots=True)
class Effects:
    """Judges the kustomizations of trees that share bases, each kustomization once.

    A component is idle where it is in everything that includes it.
    """

    _layers: dict[Path, list[Object]] = field(default_factory=dict)
    _idle: dict[Path, dict[tuple[Path, str], Idle]] = field(default_factory=dict)

    def idle(self, tree: SourceTree, emulation: Emulation) -> list[Idle]:
        """The idle entries of a tree, whose emulation is given."""
        found: dict[tuple[Path, str], Idle] = {}
        effective: set[tuple[Path, str]] = set()
        for kustomization in tree.kustomizations.values():
            if kustomization.is_component and kustomization is not tree.root:
                continue
            parts = [kustomization, *_components(tree, kustomization)]
            stated = [(part, entry) for part in parts for entry in entries(part)]
            if not stated:
                continue
            idle = self._idle_in(tree, kustomization, stated, emulation)
            found.update(idle)
            effective.update(
                (part.folder, str(entry)) for part, entry in stated if (part.folder, str(entry)) not in idle
            )
        return [each for key, each in found.items() if key not in effective]

    def _idle_in(
        self,
        tree: SourceTree,
        kustomization: Kustomization,
        stated: list[tuple[Kustomization, Entry]],
        emulation: Emulation,
    ) -> dict[tuple[Path, str], Idle]:
        known = self._idle.get(kustomization.folder)
        if known is None:
            after = emulation.objects if kustomization is tree.root else self._layer(tree, kustomization)
            before = self._before(tree, kustomization)
            effects = frozenset(_effects(before, after))
            known = {}
            for part, entry in stated:
                if not _is_among(effects, part, entry):
                    idle = self._done_over(tree, kustomization, part, entry, tuple(before), emulation)
                    if idle is not None:
                        known[part.folder, str(entry)] = idle
            self._idle[kustomization.folder] = known
        return known

    def _layer(self, tree: SourceTree, kustomization: Kustomization) -> list[Object]:
        known = self._layers.get(kustomization.folder)
        if known is None:
            known = self._layers[kustomization.folder] = layer(tree, kustomization)[0]
        return known

    def _before(self, tree: SourceTree, kustomization: Kustomization) -> list[Object]:
        """The objects that the kustomization takes in."""
        objects: list[Object] = []
        for resource in kustomization.resources:
            if resource.folder is not None:
                objects.extend(self._layer(tree, tree.child(resource)))
            elif resource.file is not None and resource.file.parsed is not None:
                objects.extend(load_objects(resource.file.parsed.roots))
        return objects

    def _done_over(
        self,
        tree: SourceTree,
        kustomization: Kustomization,
        part: Kustomization,
        entry: Entry,
        objects: tuple[Object, ...],
        emulation: Emulation,
    ) -> Idle | None:
        changed = without(part, entry)
        kustomizations: Mapping[Path, Kustomization] = {**tree.kustomizations, part.folder: changed}
        top = kustomizations[kustomization.folder]
        variant = replace(tree, root=top, kustomizations=dict(kustomizations))
        rest, doubts = layer(variant, top)
        whole = self._layer(tree, kustomization)
        if list(map(_shown, rest)) != list(map(_shown, whole)):
            return None
        is_certain = not doubts and not emulation.doubts
        return Idle(entry, part, kustomization, objects, is_certain)


def _shown(object: Object) -> dict[str, Any]:
    """What is rendered of an object: without annotations that are empty."""
    value = object.root.value
    metadata = value.get("metadata")
    if isinstance(metadata, dict) and not metadata.get("annotations"):
        metadata.pop("annotations", None)
    return value


def _components(tree: SourceTree, kustomization: Kustomization) -> Iterator[Kustomization]:
    for resource in kustomization.components:
        component = tree.child(resource)
        yield component
        yield from _components(tree, component)


def _is_among(effects: frozenset[_Effect], part: Kustomization, entry: Entry) -> bool:
    file = part.file.name
    if not entry.places:
        return (file, entry.origin, None) in effects
    return any((file, entry.origin, place) in effects for place in entry.places)


def _effects(before: Iterable[Object], after: Iterable[Object]) -> Iterator[_Effect]:
    """The entries that values owe what they are now, and were not before."""
    known = {each.identity.key: each for each in before}
    for each in after:
        old = next((known[one.key] for one in each.identities if one.key in known), None)
        for mark in _changed(each.root, None if old is None else old.root):
            source = mark.source
            if source.entry:
                yield source.kustomization, source.entry, None
                yield source.kustomization, source.entry, mark.place


def _changed(now: Node, old: Node | None) -> Iterator[Mark]:
    """The marks of everything in ``now`` that is not in ``old``, and of what took things away."""
    if isinstance(now, Scalar):
        if not (isinstance(old, Scalar) and old.text == now.text and old.tag == now.tag):
            yield now.mark
    elif isinstance(now, Map):
        was = old.fields if isinstance(old, Map) else {}
        if not isinstance(old, Map) and not now.fields:
            yield now.mark  # else what it holds tells: who made the mapping may have put nothing into it
        for key, child in now.fields.items():
            yield from _changed(child, was.get(key))
        for key, mark in (now.removed or {}).items():
            is_gone = key in was and key not in now.fields
            if is_gone and not (key == "annotations" and is_empty(was[key])):  # empty ones vanish by themselves
                yield mark
    else:
        if not isinstance(old, List) and not now.items:
            yield now.mark
        yield from _changed_items(now.items, old.items if isinstance(old, List) else [])


def _changed_items(now: list[Node], old: list[Node]) -> Iterator[Mark]:
    named = {name: item for item in old if (name := _name(item)) is not None}
    for index, item in enumerate(now):
        name = _name(item)
        if name is not None:
            yield from _changed(item, named.get(name))
        else:
            yield from _changed(item, old[index] if index < len(old) else None)


def _name(item: Node) -> tuple[str, str] | None:
    for key in _NAMES if isinstance(item, Map) else ():
        text = item.text(key) if isinstance(item, Map) else ""
        if text:
            return key, text
    return None
