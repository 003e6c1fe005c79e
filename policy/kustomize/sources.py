"""The source files of a kustomization tree, every one of them with line and column marks.

What ``kustomize build`` would read is read here too, by the same rules: which file is a kustomization, what a path may
reach, what is a cycle. Nothing is fetched: a remote resource or patch is noted with its line and left out.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from policy.errors import SourceError
from policy.findings import Place
from policy.kustomize.files import Files, SourceCache
from policy.kustomize.kustomization import Kustomization, Remote, Resource, SourceFile
from policy.kustomize.reader import read_kustomization

__all__ = ["SourceCache", "SourceTree", "load_sources"]


@dataclass(slots=True)
class SourceTree:
    """All sources of one kustomization.

    ``files`` and ``kustomizations`` are keyed by absolute path, in the order in which Kustomize meets them.
    """

    root: Kustomization
    kustomizations: dict[Path, Kustomization] = field(default_factory=dict)
    files: dict[Path, SourceFile] = field(default_factory=dict)

    @property
    def listed_files(self) -> frozenset[Path]:
        """Every file that a kustomization of the tree names, whatever for, and the kustomizations themselves.

        A manifest that lies in one of ``kustomizations``' folders and is not among them is used by nothing.
        """
        return frozenset(self.files)

    @property
    def duplicate_keys(self) -> list[tuple[Place, Place, str]]:
        """Keys that a mapping holds more than once: where again, where first, which."""
        found = {
            (each.place, each.first, each.key): None
            for file in self.files.values()
            if file.parsed is not None
            for each in file.parsed.duplicate_keys
        }
        return list(found)

    @property
    def boolean_keys(self) -> list[tuple[Place, str]]:
        """Keys that are not quoted and that a YAML 1.1 parser reads as true or false."""
        found = {each: None for file in self.files.values() if file.parsed for each in file.parsed.boolean_keys}
        return list(found)

    @property
    def remotes(self) -> list[Remote]:
        """Entries that Kustomize would fetch; what they bring is not part of this tree."""
        return [each for kustomization in self.kustomizations.values() for each in kustomization.remotes]

    @property
    def not_understood(self) -> list[tuple[Place, str]]:
        """Entries whose effect on the objects cannot be foreseen here, and what they are."""
        return [each for kustomization in self.kustomizations.values() for each in kustomization.not_understood]

    def child(self, resource: Resource) -> Kustomization:
        """The kustomization of a resource entry that names a folder."""
        assert resource.folder is not None
        return self.kustomizations[resource.folder]


def load_sources(
    folder: Path,
    root: Path,
    cache: SourceCache | None = None,
    *,
    restrict_files: bool = True,
) -> SourceTree:
    """Read the kustomization in ``folder`` and everything that it leads to.

    Places name files relative to ``root``. If that is a repository, no part of the tree may lie outside of it;
    with ``restrict_files`` no file may lie outside of the folder of the kustomization that names it (Kustomize's own
    default).

    Raises ``SourceError``, with file and line, for whatever cannot be read as what it should be: malformed YAML, text
    that is not UTF-8 or is out of bounds, missing files, cycles, unknown fields, remote generator inputs.
    """
    cache = cache or SourceCache()
    files = Files(root, cache, restrict_files)
    start = os.path.realpath(folder)
    if not os.path.isdir(start):
        raise SourceError("is not a folder", file=files.name(start) or str(folder))
    tree = SourceTree(_kustomization(start, files, None))
    _walk(tree, tree.root, (start,), files)
    return tree


def _walk(tree: SourceTree, kustomization: Kustomization, chain: tuple[str, ...], files: Files) -> None:
    """Add a kustomization and all below it to the tree; ``chain`` is the folders that led here, this one last."""
    tree.kustomizations.setdefault(kustomization.folder, kustomization)
    for file in (kustomization.file, *kustomization.files):
        tree.files.setdefault(file.path, file)
    for resource in (*kustomization.resources, *kustomization.components):
        if resource.folder is None:
            continue
        folder = str(resource.folder)
        for visited in chain:
            if visited == folder or visited.startswith(folder.rstrip(os.sep) + os.sep):
                message = f"is a cycle: {files.name(visited) or '.'} led here"
                raise kustomization.error(
                    f"{resource.entry} {resource.stated.text!r} {message}",
                    resource.stated,
                )
        child = _kustomization(folder, files, (kustomization, resource))
        if child.is_component != resource.entry.startswith("components"):
            message = "is a Component, which belongs into components" if child.is_component else "is not a Component"
            raise kustomization.error(f"{resource.entry} {resource.stated.text!r} {message}", resource.stated)
        _walk(tree, child, (*chain, folder), files)


def _kustomization(folder: str, files: Files, named_by: tuple[Kustomization, Resource] | None) -> Kustomization:
    known = files.cache.kustomizations.get(folder)
    if known is None:
        try:
            known = files.cache.kustomizations[folder] = read_kustomization(folder, files)
        except SourceError as error:
            if named_by is None or error.file != files.name(folder):
                raise
            kustomization, resource = named_by
            message = f"{resource.entry} {resource.stated.text!r} {error.message}"
            raise kustomization.error(message, resource.stated) from None
    return known
