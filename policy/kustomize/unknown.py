"""Fields that Kustomize neither knows nor refuses: what they were meant to do does not happen.

It is strict with its own file, and not with what lies beside it: the operations of a JSON patch, files of replacements,
directives of a strategic merge patch, and a few lists of words. Measured with Kustomize 5.8.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from policy.findings import Place
from policy.kustomize.kustomization import Kustomization, Patch, flag
from policy.kustomize.marks import List, Map, Node, Scalar
from policy.kustomize.merge import DIRECTIVE
from policy.kustomize.replacements import split_field_path
from policy.kustomize.sources import SourceTree


@dataclass(frozen=True, slots=True)
class Unknown:
    """A field that is not known: where, what it is called and what it is in, and the names that are known there.

    With ``message`` something else is wrong, in words of its own.
    """

    place: Place
    name: str
    known: tuple[str, ...] = ()
    message: str = ""


Known = Mapping[str, "Known | None"]
"""The fields of a mapping, and those of the mappings in them (or in their items); None where anything may stand."""

_SELECTOR = ("group", "version", "kind", "name", "namespace", "labelSelector", "annotationSelector")
_OPTIONS: Known = {"delimiter": None, "index": None, "create": None, "encoding": None}
_TARGET: Known = {
    "select": dict.fromkeys(_SELECTOR),
    "reject": dict.fromkeys(_SELECTOR),
    "fieldPaths": None,
    "options": _OPTIONS,
}
_SOURCE: Known = {**dict.fromkeys(("group", "version", "kind", "name", "namespace", "fieldPath")), "options": _OPTIONS}
_REPLACEMENT: Known = {"source": _SOURCE, "sourceValue": None, "targets": _TARGET}
_OPERATION: Known = dict.fromkeys(("op", "path", "value", "from"))
_BUILD_METADATA = ("originAnnotations", "transformerAnnotations", "managedByLabel")


def unknown_fields(tree: SourceTree) -> Iterator[Unknown]:
    """Everything of the kind in the sources of a tree, in the order in which Kustomize meets it."""
    for kustomization in tree.kustomizations.values():
        yield from _twice(kustomization)
        yield from _words(kustomization)
        for patch in kustomization.patches:
            yield from _in_patch(patch)
        for _, replacement in kustomization.replacements:
            yield from _in_replacement(replacement)


def _twice(kustomization: Kustomization) -> Iterator[Unknown]:
    """Names of fields that differ only in their case: to Kustomize they are one field, and the last one counts."""
    assert kustomization.file.parsed is not None
    seen: dict[str, str] = {}
    for root in kustomization.file.parsed.roots:
        for key, node in root.fields.items() if isinstance(root, Map) else ():
            other = seen.setdefault(key.lower(), key)
            if other != key:
                yield Unknown(
                    node.mark.place, key, message=f"{key} is the same field as {other}: only one of them counts"
                )


def _words(kustomization: Kustomization) -> Iterator[Unknown]:
    words = kustomization.root.fields.get("buildMetadata")
    for item in words.items if isinstance(words, List) else ():
        if isinstance(item, Scalar) and item.text not in _BUILD_METADATA:
            yield Unknown(item.mark.place, item.text, _BUILD_METADATA)
    yield from _fields(kustomization.root.fields.get("openapi"), {"path": None})


def _fields(node: Node | None, known: Known) -> Iterator[Unknown]:
    if isinstance(node, List):
        for item in node.items:
            yield from _fields(item, known)
    elif isinstance(node, Map):
        for key, value in node.fields.items():
            inside = known.get(key)
            if key not in known:
                yield Unknown(value.mark.place, key, tuple(known))
            elif inside is not None:
                yield from _fields(value, inside)


def _in_patch(patch: Patch) -> Iterator[Unknown]:
    for operation in patch.operations:
        yield from _fields(operation, _OPERATION)
        kind = operation.text("op")
        if kind in ("add", "replace", "test") and "value" not in operation.fields:
            place = operation.fields["path"].mark.place
            yield Unknown(place, "value", message=f"{kind} {operation.text('path')} has no value, so it is null")
    for document in patch.documents:
        yield from _directives(document)


def _directives(node: Node) -> Iterator[Unknown]:
    """Directives of kubectl's patches, which Kustomize takes for fields and renders."""
    if isinstance(node, List):
        for item in node.items:
            yield from _directives(item)
    elif isinstance(node, Map):
        for key, value in node.fields.items():
            if key.startswith("$") and key != DIRECTIVE:
                yield Unknown(value.mark.place, key, (DIRECTIVE,))
            yield from _directives(value)


def _in_replacement(replacement: Map) -> Iterator[Unknown]:
    yield from _fields(replacement, _REPLACEMENT)
    targets = replacement.fields.get("targets")
    for target in targets.items if isinstance(targets, List) else ():
        if not isinstance(target, Map):
            continue
        options, paths = target.fields.get("options"), target.fields.get("fieldPaths")
        if not isinstance(paths, List) or not flag(options if isinstance(options, Map) else None, "create"):
            continue
        for path in paths.items:
            if isinstance(path, Scalar) and "-" in split_field_path(path.text):
                message = f"{path.text} makes a mapping with the key -, not an item of a list"
                yield Unknown(path.mark.place, "-", message=message)
