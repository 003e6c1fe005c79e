"""Small kustomization trees: written to a folder, rendered by the real binary, read by ours, compared."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from policy.findings import FieldPath
from policy.kustomize.emulate import Emulation
from policy.kustomize.origin import Origin, Origins, equal
from policy.kustomize.render import render
from policy.kustomize.sources import SourceTree, load_sources
from policy.manifests.load import load_documents

EXAMPLES = int(os.environ.get("HYPOTHESIS_EXAMPLES", "60"))
"""How many trees each property is tried on. Set it for a longer search, which is another one each time."""

DERANDOMIZE = "HYPOTHESIS_EXAMPLES" not in os.environ

Identity = tuple[str, str, str, str]
Documents = dict[Identity, dict[str, Any]]


def write(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    """The files of a tree; the text of each is dedented."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(textwrap.dedent(content).lstrip("\n"), encoding="utf-8")
    return folder


def dump(*documents: Any) -> str:
    return yaml.safe_dump_all(documents, sort_keys=False)


def by_identity(documents: list[dict[str, Any]]) -> Documents:
    return {
        (
            str(each["apiVersion"]),
            str(each["kind"]),
            str(each["metadata"].get("namespace") or ""),
            str(each["metadata"].get("name") or ""),
        ): each
        for each in documents
    }


def rendered(kustomize: Path, folder: Path) -> Documents:
    text = render(kustomize, folder)
    return by_identity([value for _, value in load_documents(text, "render") if isinstance(value, dict)])


def emulated(tree: SourceTree) -> Documents:
    return by_identity([each.root.value for each in Emulation(tree).objects])


def differences(ours: Any, theirs: Any, path: FieldPath = ()) -> Iterator[str]:
    """Each place where two documents differ, in words."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in sorted(ours.keys() | theirs.keys(), key=str):
            if key not in ours:
                yield f"{(*path, key)}: only rendered: {theirs[key]!r}"
            elif key not in theirs:
                yield f"{(*path, key)}: only ours: {ours[key]!r}"
            else:
                yield from differences(ours[key], theirs[key], (*path, key))
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for index, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            yield from differences(one, other, (*path, index))
    elif not equal(ours, theirs):
        yield f"{path}: ours {ours!r}, rendered {theirs!r}"


def assert_same(kustomize: Path, folder: Path, root: Path | None = None) -> None:
    """Ours is what the binary renders, value for value and in the same order of list items."""
    theirs = rendered(kustomize, folder)
    tree = load_sources(folder, root or folder.parent)
    ours = emulated(tree)
    assert ours.keys() == theirs.keys()
    found = [line for key in theirs for line in differences(ours[key], theirs[key], key)]
    assert not found, "\n".join(found)


class Case:
    """A tree that was written and rendered, to ask for origins: ``case.origin("Deployment/web", "spec")``."""

    def __init__(self, kustomize: Path, root: Path, files: Mapping[str, str | bytes], target: str = "overlay") -> None:
        self.root = write(root, files)
        self.documents = rendered(kustomize, root / target)
        self.origins = Origins(load_sources(root / target, root))
        assert_same(kustomize, root / target, root)

    def document(self, name: str) -> dict[str, Any]:
        kind, _, wanted = name.partition("/")
        found = [each for key, each in self.documents.items() if key[1] == kind and key[3].startswith(wanted)]
        assert len(found) == 1, f"{name} is not one of {list(self.documents)}"
        return found[0]

    def origin(self, name: str, *path: str | int) -> Origin:
        return self.origins.place(self.document(name), path)

    def line(self, name: str, *path: str | int) -> str:
        """The place and what stands there, e.g. ``overlay/patch.yaml:7 'replicas: 3' (patches[0])``."""
        return self.told(self.origin(name, *path))

    def told(self, origin: Origin) -> str:
        place = origin.place
        text = (self.root / place.file).read_text(encoding="utf-8").splitlines()[place.line - 1]
        spanned = text[place.column - 1 : None if place.end_column is None else place.end_column - 1]
        doubt = "" if origin.exact else " inexact"
        return f"{place.file}:{place.line} {spanned!r} ({origin.entry}){doubt}"
