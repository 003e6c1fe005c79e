"""Targets -> overlays: kustomize renders them in parallel while their sources are read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from policy.errors import PolicyError, SourceError
from policy.overlay import Overlay, from_manifests, from_render, unrendered
from policy.pool import Pool
from policy.settings import Settings
from policy.targets import Target, TargetKind
from policy.tools import find_tool

if TYPE_CHECKING:
    from concurrent.futures import Future

    from policy.connectivity.topology import Topology
    from policy.kustomize.sources import SourceTree


def read_overlays(
    targets: Sequence[Target], settings: Settings, pool: Pool
) -> tuple[list[Overlay], dict[Target, PolicyError]]:
    """The overlays that could be read, and for the others why not."""
    errors: dict[Target, PolicyError] = {}
    trees: dict[Target, tuple[SourceTree, Future[str]]] = {}
    kustomizations = [target for target in targets if target.kind is TargetKind.KUSTOMIZATION]
    if kustomizations:
        from policy.kustomize.sources import SourceCache, load_sources  # plain manifests need nothing of Kustomize

        cache = SourceCache()
        for target in kustomizations:
            try:
                tree = load_sources(target.path, settings.repository, cache)
            except PolicyError as error:
                errors[target] = error  # kustomize is not asked: hostile input would keep it busy for minutes
            else:
                trees[target] = (tree, pool.submit(_render, target, tree, settings))
    overlays: list[Overlay] = []
    for target in targets:
        try:
            if target in trees:
                overlays.append(_rendered(target, *trees[target]))
            elif target not in errors:
                overlays.append(from_manifests(target, settings.repository))
        except PolicyError as error:
            errors[target] = error
    return overlays, errors


def _rendered(target: Target, tree: SourceTree, render: Future[str]) -> Overlay:
    try:
        return from_render(target, render.result(), tree)
    except PolicyError as error:
        return unrendered(target, tree, error)


def _render(target: Target, tree: SourceTree, settings: Settings) -> str:
    for remote in tree.remotes:
        place = remote.stated.mark.place
        message = f"{remote.entry} {remote.stated.text!r} would be fetched, and nothing is: this is not rendered"
        raise SourceError(message, file=place.file, line=place.line)
    from policy.kustomize.render import render

    return render(kustomize_of(settings), target.path)


def kustomize_of(settings: Settings) -> Path:
    """The kustomize to run. Raises ToolError if there is none of the version that is wanted."""
    return find_tool("kustomize", wanted=settings.tools.get("kustomize"), root=settings.root)


def read_topology(settings: Settings) -> tuple[Topology | None, tuple[PolicyError, ...]]:
    """The contract, where there is one, or why it cannot be read."""
    file = settings.topology_file
    if file is None:
        return None, ()
    from policy.connectivity.topology_file import load_topology  # only a repository with a contract pays for its reader

    path = file.resolve()
    inside = path.is_relative_to(settings.repository)
    try:
        return load_topology(file, str(path.relative_to(settings.repository)) if inside else None), ()
    except PolicyError as error:
        return None, (error,)
