"""Finds what a rule looks at; a new kind of subject is a line here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from policy.kustomize.sources import SourceTree
from policy.manifests.index import Index
from policy.manifests.resources import Resource
from policy.manifests.workloads import Container, Workload


@dataclass(frozen=True, slots=True)
class Repository:
    """All overlays of a run, for rules that compare them or join them with what deploys them.

    Keyed by overlay: ``indexes`` its objects, ``trees`` its sources (kustomizations only), ``folders`` its folder relative
    to the repository. ``environments`` are those of policy.toml, in its order, that are in this run; ``argocd`` is the
    overlay that holds Argo CD's own objects, where policy.toml names one. ``is_whole`` is False where only some of what
    policy.toml names is in this run, so that nothing may be concluded from what is absent.
    """

    indexes: Mapping[str, Index]
    trees: Mapping[str, SourceTree]
    folders: Mapping[str, str]
    environments: tuple[str, ...] = ()
    argocd: str | None = None
    is_whole: bool = True


def subjects(kind: type[Any], index: Index, tree: SourceTree | None) -> Iterable[Any]:
    """Everything of that kind in the overlay, in the order of the stream."""
    if kind is Workload:
        return index.workloads
    if kind is Container:
        return (container for workload in index.workloads for container in workload.containers)
    if kind is Resource:
        return index.resources
    if kind is Index:
        return (index,)
    if kind is SourceTree:
        return () if tree is None else (tree,)
    return index.all(kind)
