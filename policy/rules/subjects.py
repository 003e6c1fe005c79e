"""Finds what a rule looks at; a new kind of subject is a line here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from policy.errors import PolicyError
from policy.findings import Finding, Place, Skipped
from policy.manifests.index import Index
from policy.manifests.resources import Resource
from policy.manifests.workloads import Container, Workload
from policy.rules.rule import Context, Rule, Sources

if TYPE_CHECKING:
    from policy.argocd.deployments import Deployments
    from policy.history import Past
    from policy.kustomize.origin import Origins
    from policy.kustomize.sources import SourceTree


class Facts(msgspec.Struct, frozen=True):
    """What is known of the repository besides its overlays, each looked up only when a rule asks.

    ``entries_of`` is what a folder (relative to the repository) holds, folders with a slash behind their names; None
    where there is no such folder. ``past_of`` is what the files of some folders ever held; it raises HistoryError.
    ``render_variants`` builds a folder of a tree with the real kustomize, once for each mapping of files to other
    texts; it raises PolicyError if that cannot be done at all. ``remotes`` are the URLs that the repository is fetched
    from. ``tools`` are the versions that policy.toml asks for, and ``place_of`` gives the place of a key of policy.toml
    by its table and its name.
    """

    entries_of: Callable[[str], tuple[str, ...] | None]
    past_of: Callable[[Sequence[str]], Past]
    render_variants: Callable[[SourceTree, Path, Sequence[Mapping[Path, str]]], Sequence[str | PolicyError]]
    remotes: Callable[[], tuple[str, ...]]
    tools: Mapping[str, str]
    place_of: Callable[[str, str], Place | None]


class Repository(msgspec.Struct, frozen=True, dict=True):
    """All overlays of a run, for rules that compare them or join them with what deploys them.

    Keyed by overlay: ``indexes`` its objects, ``trees`` its sources and ``origins`` where its fields come from (both
    for kustomizations only), ``folders`` its folder relative to the repository. ``environments`` are those of
    policy.toml, in its order, that are in this run; ``argocd`` is the overlay that holds Argo CD's own objects, where
    policy.toml names one. ``is_whole`` is False where only some of what policy.toml names is in this run, so that
    nothing may be concluded from what is absent.
    """

    indexes: Mapping[str, Index]
    trees: Mapping[str, SourceTree]
    origins: Mapping[str, Callable[[], Origins | None]]
    folders: Mapping[str, str]
    environments: tuple[str, ...]
    argocd: str | None
    is_whole: bool
    facts: Facts

    @cached_property
    def deployments(self) -> Deployments:
        """What Argo CD would deploy: the Applications that the overlays hold, joined to the overlays they deploy."""
        from policy.argocd.deployments import read_deployments  # only what uses Argo CD pays for it

        return read_deployments(self.indexes, self.folders, self.facts.entries_of, self.facts.remotes)


def answers(rule: Rule, context: Context, tree: SourceTree | None) -> Iterator[Finding | Skipped]:
    """Everything that a rule says about an overlay, in the order of the stream."""
    for subject in _by_settings(rule, context) if rule.by_settings else subjects(rule.applies_to, context.index, tree):
        yield from rule.check(subject, context)


def _by_settings(rule: Rule, context: Context) -> Iterable[Any]:
    """The subjects of those workloads about whose like the rule has something to say."""

    def subjects_of(workload: Workload) -> Iterable[Any]:
        return workload.containers if rule.applies_to is Container else (workload,)

    def is_wrong(workload: Workload) -> bool:
        return any(True for subject in subjects_of(workload) for _ in rule.check(subject, context))

    return (subject for each in context.index.workloads_where(is_wrong) for subject in subjects_of(each))


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
    if kind is Sources:
        return () if tree is None else (tree,)
    return index.all(kind)
