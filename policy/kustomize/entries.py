"""The entries of a kustomization that change objects, and the kustomization without one of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from policy.findings import Place
from policy.kustomize.generate import MERGE, REPLACE
from policy.kustomize.kustomization import Kustomization
from policy.kustomize.marks import List, Map, Node, copy_map, missing

Steps = tuple[str | int, ...]

_LISTS = ("patchesStrategicMerge", "patches", "patchesJson6902", "images", "imageTags", "replicas")
_PAIRS = ("commonLabels", "commonAnnotations")
_TEXTS = ("namespace", "namePrefix", "nameSuffix")
_VITAL = ("targets", "pairs")
"""Without any of these an entry is nothing, and Kustomize refuses it."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that a kustomization says to change.

    ``steps`` lead to it in the kustomization; ``origin`` is the entry that values it sets have as their origin.
    ``places`` tell its values from those of the entry's other parts; empty where the entry has no parts.
    """

    steps: Steps
    origin: str
    place: Place
    node: Node
    places: frozenset[Place] = frozenset()

    def __str__(self) -> str:
        text = ""
        for step in self.steps:
            text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
        return text


def entries(kustomization: Kustomization) -> Iterator[Entry]:
    """Every patch, image, replica count, label, annotation, replacement target, merged generator, name, namespace."""
    for field in _LISTS:
        for index, (name, node) in enumerate(kustomization.entries(field)):
            yield Entry((field, index), name, node.mark.place, node)
    for index, (name, item) in enumerate(kustomization.maps("labels")):
        yield from _pairs(item.fields.get("pairs"), ("labels", index, "pairs"), name)
    for field in _PAIRS:
        yield from _pairs(kustomization.root.fields.get(field), (field,), field)
    for field in _TEXTS:
        stated = kustomization.text(field)
        if stated is not None:
            yield Entry((field,), field, stated.mark.place, stated)
    for index, (name, item) in enumerate(kustomization.maps("replacements")):
        yield from _replacement(item, index, name)
    yield from _merging_generators(kustomization)


def _merging_generators(kustomization: Kustomization) -> Iterator[Entry]:
    for field in ("configMapGenerator", "secretGenerator"):
        for index, (name, item) in enumerate(kustomization.maps(field)):
            if item.text("behavior") in (MERGE, REPLACE):
                yield Entry((field, index), name, item.mark.place, item)


def _pairs(node: Node | None, steps: Steps, origin: str) -> Iterator[Entry]:
    for key, value in node.fields.items() if isinstance(node, Map) else ():
        yield Entry((*steps, key), origin, value.mark.place, value, frozenset({value.mark.place}))


def _replacement(item: Map, index: int, origin: str) -> Iterator[Entry]:
    targets = item.fields.get("targets")
    if not isinstance(targets, List) or not missing(item.fields.get("path")):
        yield Entry(("replacements", index), origin, item.mark.place, item)
        return
    for number, target in enumerate(targets.items):
        paths = target.fields.get("fieldPaths") if isinstance(target, Map) else None
        stated = paths.items if isinstance(paths, List) and paths.items else [target]
        places = frozenset(path.mark.place for path in stated)
        yield Entry(("replacements", index, "targets", number), origin, target.mark.place, target, places)


def without(kustomization: Kustomization, entry: Entry) -> Kustomization:
    """The kustomization as if it did not say so; the others keep their names."""
    root = copy_map(kustomization.root)
    _delete(root, entry.steps)
    field, index = entry.steps[0], entry.steps[1] if len(entry.steps) > 1 else None
    name = f"{field}[{index}]"
    return replace(
        kustomization,
        root=root,
        patches=[patch for patch in kustomization.patches if patch.entry != name],
        generators=[each for each in kustomization.generators if each.entry != name],
        replacements=list(_replacements_without(kustomization, entry)),
        sources={},
    )


def _delete(node: Node, steps: Steps) -> bool:
    """Delete what the steps lead to, and what is empty then; whether the node itself is."""
    step, *rest = steps
    if isinstance(node, Map):
        if not rest or _delete(node.fields[str(step)], tuple(rest)):
            del node.fields[str(step)]
        return not node.fields or (step in _VITAL and step not in node.fields)
    assert isinstance(node, List)
    if not rest or _delete(node.items[int(step)], tuple(rest)):
        del node.items[int(step)]
    return not node.items


def _replacements_without(kustomization: Kustomization, entry: Entry) -> Iterator[tuple[str, Map]]:
    for name, fields in kustomization.replacements:
        if entry.steps[0] != "replacements" or name != entry.origin:
            yield name, fields
        elif len(entry.steps) > 2:
            rest = copy_map(fields)
            if not _delete(rest, entry.steps[2:]):
                yield name, rest


def written(kustomization: Kustomization) -> str:
    """The kustomization file anew, with its fields as they are now: JSON, which is YAML."""
    fields: dict[str, Any] = kustomization.root.value
    if not any(fields.get(name) for name in fields if name not in ("apiVersion", "kind")):
        fields["metadata"] = {"name": "empty"}  # Kustomize refuses a file that says nothing at all
    return json.dumps(fields)
