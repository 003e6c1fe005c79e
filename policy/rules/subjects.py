"""Finds what a rule looks at; a new kind of subject is a line here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from policy.kustomize.sources import SourceTree
from policy.manifests.index import Index
from policy.manifests.resources import Resource
from policy.manifests.workloads import Container, Workload


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
