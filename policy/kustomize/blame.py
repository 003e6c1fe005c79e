"""Where in the sources a refused build went wrong: kustomize names the object that it did not find, not the line."""

from __future__ import annotations

import re
from collections.abc import Iterator

from policy.errors import PolicyError, RenderError
from policy.kustomize.kustomization import Kustomization
from policy.kustomize.marks import Map, Mark
from policy.kustomize.sources import SourceTree

_PATCHED = re.compile(r"a patch finds no object (?P<kind>[^.]+)\.[^/]*/(?P<name>\S+)")
_REPLICATED = re.compile(r"replicas names (?P<name>\S+), ")


def at_its_line(error: PolicyError, tree: SourceTree) -> PolicyError:
    """The same error at the line that causes it, where only one line can; else the error as it is."""
    patched = _PATCHED.search(error.message)
    replicated = _REPLICATED.search(error.message)
    if patched:
        marks = list(_patches(tree, patched["kind"], patched["name"]))
    elif replicated:
        marks = list(_replicas(tree, replicated["name"]))
    else:
        return error
    places = {mark.place for mark in marks}
    if len(places) != 1:
        return error
    place = places.pop()
    return RenderError(_readable(error.message), file=place.file, line=place.line)


def _patches(tree: SourceTree, kind: str, name: str) -> Iterator[Mark]:
    """The names of the patches for that object; kustomize writes ``name.namespace``."""
    for kustomization in tree.kustomizations.values():
        for patch in kustomization.patches:
            for document in patch.documents:
                metadata = document.fields.get("metadata")
                if document.text("kind") != kind or not isinstance(metadata, Map):
                    continue
                own, namespace = metadata.text("name"), metadata.text("namespace")
                if name in (own, f"{own}.{namespace or '[noNs]'}") and "name" in metadata.fields:
                    yield metadata.fields["name"].mark


def _replicas(tree: SourceTree, name: str) -> Iterator[Mark]:
    for kustomization in tree.kustomizations.values():
        yield from _replica_names(kustomization, name)


def _replica_names(kustomization: Kustomization, name: str) -> Iterator[Mark]:
    for entry, item in kustomization.maps("replicas"):
        if item.text("name") == name:
            yield kustomization.mark(item.fields["name"], entry)


def _readable(message: str) -> str:
    """``ConfigMap.v1.[noGrp]/settings.[noNs]`` as a person writes it: ``ConfigMap/settings``."""
    return re.sub(r"(\w+)\.[\w.\[\]]+/(\S+?)(?:\.\[noNs\])?(?=$|[ ,])", r"\1/\2", message)
