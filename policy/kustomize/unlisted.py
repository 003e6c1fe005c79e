"""Manifests that lie beside a kustomization and that no kustomization uses."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from policy.findings import Place
from policy.kustomize.kustomization import FILE_NAMES
from policy.kustomize.sources import SourceTree

_SUFFIXES = (".yaml", ".yml", ".json")


def unlisted_files(tree: SourceTree) -> Iterator[tuple[Place, str]]:
    """Each such file, and the name of the kustomization file whose folder it is in."""
    listed = {os.path.realpath(path) for path in tree.listed_files}
    for folder, kustomization in tree.kustomizations.items():
        name = kustomization.file.name
        for file in _manifests_below(folder):
            if os.path.realpath(file) not in listed:
                shown = os.path.join(os.path.dirname(name), os.path.relpath(file, folder))
                yield Place(shown, 1), name


def _manifests_below(folder: Path) -> Iterator[str]:
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".")
            and not any(os.path.exists(os.path.join(parent, name, file)) for file in FILE_NAMES)
        )
        for name in sorted(names):
            if name.endswith(_SUFFIXES) and not name.startswith(".") and name not in FILE_NAMES:
                yield os.path.join(parent, name)
