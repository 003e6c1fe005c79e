"""Where in the sources a refused build went wrong: kustomize names what it did not find or take, not the line."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from policy.errors import PolicyError, RenderError
from policy.kustomize.kustomization import expand_lists
from policy.kustomize.marks import List, Map, Mark, Node, Scalar
from policy.kustomize.scalars import BOOL, FLOAT, INT
from policy.kustomize.sources import SourceTree


@dataclass(frozen=True, slots=True)
class _Blamed:
    """The lines that may have caused an error, and what is wrong in plain words; without words as it was said."""

    marks: list[Mark]
    message: str = ""


def at_its_line(error: PolicyError, tree: SourceTree) -> PolicyError:
    """The same error at the line that causes it, where only one line can; else at the file that kustomize named."""
    for pattern, find in _CAUSES:
        match = pattern.search(error.message)
        if match:
            blamed = find(match, tree, error)
            message = blamed.message or _readable(error.message)
            places = {mark.place for mark in blamed.marks}
            if len(places) != 1:
                return RenderError(message, file=error.file, line=error.line)
            place = places.pop()
            return RenderError(message, file=place.file, line=place.line)
    return error


def _patches(match: re.Match[str], tree: SourceTree, _: PolicyError) -> _Blamed:
    """The names of the patches for that object; kustomize writes ``name.namespace``."""
    marks = []
    for kustomization in tree.kustomizations.values():
        for patch in kustomization.patches:
            for document in patch.documents:
                metadata = document.fields.get("metadata")
                if document.text("kind") != match["kind"] or not isinstance(metadata, Map):
                    continue
                own, namespace = metadata.text("name"), metadata.text("namespace")
                if match["name"] in (own, f"{own}.{namespace or '[noNs]'}") and "name" in metadata.fields:
                    marks.append(metadata.fields["name"].mark)
    return _Blamed(marks)


def _replicas(match: re.Match[str], tree: SourceTree, _: PolicyError) -> _Blamed:
    return _Blamed(
        [
            kustomization.mark(item.fields["name"], entry)
            for kustomization in tree.kustomizations.values()
            for entry, item in kustomization.maps("replicas")
            if item.text("name") == match["name"]
        ]
    )


_TYPES = {"string": "text", "number": "a number", "bool": "true or false", "object": "a mapping", "array": "a list"}


def _mistyped(match: re.Match[str], tree: SourceTree, error: PolicyError) -> _Blamed:
    """The value at the path that Go's decoder names; its list items are numbers between dots."""
    steps = match["path"].split(".")
    found = []
    for kustomization in tree.kustomizations.values():
        if os.path.realpath(error.file or "") in (str(kustomization.folder), str(tree.root.folder)):
            node = _at(kustomization.root, steps)
            if node is not None and _type(node) == match["stated"]:
                found.append((kustomization.folder, node.mark))
    own = [mark for folder, mark in found if folder == Path(os.path.realpath(error.file or ""))]
    wanted = match["wanted"]
    if wanted.startswith(("int", "uint")):
        said = "a whole number"
    else:
        said = _TYPES.get({"[": "array", "m": "object"}.get(wanted[0], wanted), "a mapping")
    name = re.sub(r"\.(\d+)(?=\.|$)", r"[\1]", match["path"])
    hint = " (quote it)" if said == "text" and match["stated"] in ("number", "bool") else ""
    return _Blamed(own or [mark for _, mark in found], f"{name} must be {said}, not {_TYPES[match['stated']]}{hint}")


def _at(node: Node, steps: list[str]) -> Node | None:
    for step in steps:
        if isinstance(node, Map) and step in node.fields:
            node = node.fields[step]
        elif isinstance(node, List) and step.isdecimal() and int(step) < len(node.items):
            node = node.items[int(step)]
        else:
            return None
    return node


def _type(node: Node) -> str:
    """What JSON calls the type of a value, as Go's decoder says it."""
    if isinstance(node, Scalar):
        return {BOOL: "bool", INT: "number", FLOAT: "number"}.get(node.tag, "string")
    return "object" if isinstance(node, Map) else "array"


def _operations(match: re.Match[str], tree: SourceTree, _: PolicyError) -> _Blamed:
    """The operations of JSON patches that do that at that path."""
    parts = match.groupdict()
    kind, path = parts.get("op") or "test", match["path"].strip("\"'")
    marks = [
        operation.fields["path"].mark
        for kustomization in tree.kustomizations.values()
        for patch in kustomization.patches
        for operation in patch.operations
        if operation.text("op") == kind and operation.text("path") == path
    ]
    if kind == "test":
        return _Blamed(marks, f"the patch tests {path}, which holds another value")
    return _Blamed(marks, f"the patch cannot {kind} {path}, for the object has nothing there")


def _twice(match: re.Match[str], tree: SourceTree, _: PolicyError) -> _Blamed:
    """The second of two declarations of an object; where there is one, it is listed in two ways."""
    object_name = _readable(match["id"])
    kind, name = match["kind"], match["name"]
    marks: dict[tuple[str, int], Mark] = {}
    for mark in _declarations(tree, kind, name, match["namespace"]):
        marks.setdefault((mark.place.file, mark.place.line), mark)
    declared = list(marks.values())
    if len(declared) == 2:
        first = declared[0].place
        return _Blamed(declared[1:], f"{object_name} is there twice, first in {first.file}:{first.line}")
    if len(declared) == 1:
        return _Blamed(declared, f"{object_name} is there twice: this file is reached in two ways")
    return _Blamed([], f"{object_name} is there twice")


def _declarations(tree: SourceTree, kind: str, name: str, namespace: str) -> Iterator[Mark]:
    for kustomization in tree.kustomizations.values():
        for resource in kustomization.resources:
            parsed = resource.file.parsed if resource.file else None
            for document in expand_lists([root for root in (parsed.roots if parsed else ()) if isinstance(root, Map)]):
                metadata = document.fields.get("metadata")
                if (
                    isinstance(metadata, Map)
                    and (document.text("kind"), metadata.text("name")) == (kind, name)
                    and metadata.text("namespace") in ("", namespace)
                ):
                    yield metadata.fields["name"].mark
        for generator in kustomization.generators:
            if generator.kind == kind and generator.fields.text("name") == name:
                yield generator.fields.fields["name"].mark


def _charts(_: re.Match[str], tree: SourceTree, __: PolicyError) -> _Blamed:
    marks = [
        kustomization.root.fields[name].mark
        for kustomization in tree.kustomizations.values()
        for name in ("helmCharts", "helmChartInflationGenerator")
        if name in kustomization.root.fields
    ]
    message = "Helm charts are not rendered here: check what they render, `helm template CHART | policy check -`"
    return _Blamed(marks[:1], message)


_CAUSES: list[tuple[re.Pattern[str], Callable[[re.Match[str], SourceTree, PolicyError], _Blamed]]] = [
    (re.compile(r"a patch finds no object (?P<kind>[^.]+)\.[^/]*/(?P<name>\S+)"), _patches),
    (re.compile(r"replicas names (?P<name>\S+), "), _replicas),
    (
        re.compile(
            r"cannot unmarshal (?P<stated>string|number|bool|object|array)(?: \S+)? into Go struct field "
            r"\w+\.(?P<path>\S+) of type (?P<wanted>\S+)"
        ),
        _mistyped,
    ),
    (re.compile(r"(?P<op>\w+) operation does not apply: doc is missing (?:path|key): (?P<path>\S+?):? "), _operations),
    (re.compile(r"error in (?P<op>\w+) for path: (?P<path>'[^']*')"), _operations),
    (re.compile(r"testing value (?P<path>\S+) failed"), _operations),
    (
        re.compile(
            r"an object is there twice: "
            r"(?P<id>(?P<kind>[^.\s]+)\.[^/\s]*/(?P<name>\S+)\.(?P<namespace>\[noNs\]|[^.\s]+))"
        ),
        _twice,
    ),
    (re.compile(r"must specify --enable-helm"), _charts),
]


def _readable(message: str) -> str:
    """``ConfigMap.v1.[noGrp]/settings.[noNs]`` as a person writes it: ``ConfigMap/settings``."""
    return re.sub(r"(\w+)\.[\w.\[\]]+/(\S+?)(?:\.\[noNs\])?(?=$|[ ,])", r"\1/\2", message)
