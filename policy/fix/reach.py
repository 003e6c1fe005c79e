"""How far a file reaches: which kustomizations of the repository render otherwise when it changes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from policy.errors import PolicyError
from policy.kustomize.sources import SourceCache, SourceTree, load_sources
from policy.settings import Settings, repository_of
from policy.targets import Target, TargetKind, is_kustomization, targets


class Reach(msgspec.Struct, frozen=True):
    """What is not checked and reads one of some files; ``unread`` are those of which that cannot be told."""

    targets: tuple[Target, ...]
    unread: tuple[str, ...]


def reach_of(files: set[Path], checked: Sequence[Target], settings: Settings) -> Reach:
    """The environments of policy.toml that read one of the files, and every kustomization that no other one builds.

    A kustomization that nothing names and that cannot be read is left out: kustomize does not build it either.
    """
    cache = SourceCache()
    asked = [target for target in (*checked, *_named(settings)) if target.kind is TargetKind.KUSTOMIZATION]
    trees: dict[str, tuple[Target, SourceTree]] = {}
    unread: list[str] = []
    for target in (*asked, *_unnamed(settings)):
        folder = os.path.realpath(target.path)
        if folder in trees or target.name in unread:
            continue
        try:
            trees[folder] = target, load_sources(target.path, settings.repository, cache)
        except PolicyError:
            if target in asked:
                unread.append(target.name)
    built = {path for _, tree in trees.values() for path in tree.kustomizations if path != tree.root.folder}
    own = {os.path.realpath(target.path) for target in checked}
    reading = tuple(
        target
        for folder, (target, tree) in trees.items()
        if folder not in own and tree.listed_files & files and (target in asked or tree.root.folder not in built)
    )
    return Reach(reading, tuple(unread))


def has_repository(settings: Settings) -> bool:
    """Whether it is known which files belong together: a Git repository's do, and those below a policy.toml."""
    return settings.file is not None or repository_of(settings.root) is not None


def _named(settings: Settings) -> list[Target]:
    try:
        return targets([], settings)
    except PolicyError:  # nothing is named
        return []


def _unnamed(settings: Settings) -> Iterator[Target]:
    """Every kustomization of the repository."""
    for parent, folders, _ in os.walk(settings.repository) if has_repository(settings) else ():
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if is_kustomization(Path(parent)):
            yield Target(os.path.relpath(parent, settings.repository), TargetKind.KUSTOMIZATION, Path(parent))
