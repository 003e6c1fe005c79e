"""Applications and projects, typed: the fields of ``argoproj.io/v1alpha1`` that checks look at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

import msgspec

from policy.findings import Field, FieldPath
from policy.manifests.pod_spec import Raw, Struct
from policy.manifests.resources import Resource

GROUP = "argoproj.io"
DEFAULT_PROJECT = "default"
"""The project of an Application that names none; Argo CD makes it itself, with everything allowed."""


class Source(Struct, frozen=True):
    repo_url: str = msgspec.field(default="", name="repoURL")
    path: str | None = None
    target_revision: str | None = None
    chart: str | None = None
    ref: str | None = None
    kustomize: Raw | None = None
    directory: Raw | None = None

    @property
    def is_folder(self) -> bool:
        """Whether it deploys a folder of a repository, and not a chart; a source may also only lend its files."""
        return not self.chart and (self.path is not None or not self.ref)


class Destination(Struct, frozen=True):
    """A cluster, by the address of its server or by name, and a namespace."""

    server: str | None = None
    name: str | None = None
    namespace: str | None = None


class Backoff(Struct, frozen=True):
    duration: str | None = None
    factor: int | None = None
    max_duration: str | None = None


class Retry(Struct, frozen=True):
    limit: int | None = None
    backoff: Backoff | None = None


class Automated(Struct, frozen=True):
    enabled: bool | None = None
    prune: bool | None = None
    self_heal: bool | None = None
    allow_empty: bool | None = None


class SyncPolicy(Struct, frozen=True):
    automated: Automated | None = None
    retry: Retry | None = None
    sync_options: tuple[str, ...] | None = None


class ApplicationSpec(Struct, frozen=True):
    project: str | None = None
    source: Source | None = None
    sources: tuple[Source, ...] | None = None
    destination: Destination | None = None
    sync_policy: SyncPolicy | None = None


class GroupKind(Struct, frozen=True):
    """A kind that a project allows or forbids; ``name`` bounds the objects too, of kinds without a namespace."""

    group: str = ""
    kind: str = ""
    name: str | None = None


class ProjectRole(Struct, frozen=True):
    name: str = ""
    policies: tuple[str, ...] | None = None
    groups: tuple[str, ...] | None = None


class ProjectSpec(Struct, frozen=True):
    source_repos: tuple[str, ...] | None = None
    destinations: tuple[Destination, ...] | None = None
    cluster_resource_whitelist: tuple[GroupKind, ...] | None = None
    cluster_resource_blacklist: tuple[GroupKind, ...] | None = None
    namespace_resource_whitelist: tuple[GroupKind, ...] | None = None
    namespace_resource_blacklist: tuple[GroupKind, ...] | None = None
    roles: tuple[ProjectRole, ...] | None = None


class Application(msgspec.Struct, frozen=True, dict=True):
    """An Application as it stands in an overlay, or as an ApplicationSet would make it.

    ``resource`` states it; ``prefix`` is where in it: empty, or the template of an ApplicationSet. ``element`` is the
    element of a generator that it is made of.
    """

    overlay: str
    resource: Resource
    name: str
    spec: ApplicationSpec
    annotations: Mapping[str, str]
    prefix: FieldPath = ()
    element: FieldPath | None = None

    def field(self, *path: str | int) -> Field:
        """A field of the Application, where it is stated."""
        return self.resource.field(*self.prefix, *path)

    @property
    def project(self) -> str:
        return self.spec.project or DEFAULT_PROJECT

    @property
    def sources(self) -> Iterator[tuple[FieldPath, Source]]:
        """Its sources, and where each is stated; with ``sources`` a ``source`` does not count."""
        if self.spec.sources:
            yield from ((("spec", "sources", number), source) for number, source in enumerate(self.spec.sources))
        elif self.spec.source is not None:
            yield ("spec", "source"), self.spec.source

    @property
    def destination(self) -> Destination:
        return self.spec.destination or Destination()

    def __str__(self) -> str:
        return f"Application {self.name}"


class Project(msgspec.Struct, frozen=True, dict=True):
    """An AppProject of an overlay."""

    overlay: str
    resource: Resource
    spec: ProjectSpec

    @property
    def name(self) -> str:
        return self.resource.ref.name

    def field(self, *path: str | int) -> Field:
        return self.resource.field(*path)

    @cached_property
    def stated(self) -> Mapping[str, Any]:
        """Its spec as written, to tell an empty list from an absent one."""
        spec = self.resource.raw.get("spec")
        return spec if isinstance(spec, Mapping) else {}
