"""A project allows exactly what its Applications deploy: these kinds, this namespace, this repository.

Why: what an Application may do is what its project allows, whatever is in Git tomorrow. A project that allows every
kind lets a merged ClusterRoleBinding through; one that allows a kind too few fails the sync after the merge.

Fix: `namespaceResourceWhitelist` with the kinds that are rendered and no other, `clusterResourceWhitelist` with kinds
and names, one destination with its namespace, one repository.

Bad:

```yaml
kind: AppProject
spec:
  sourceRepos: ["*"]
  destinations:
    - server: "*"
      namespace: "*"
  clusterResourceWhitelist:
    - group: "*"
      kind: "*"
```

Good:

```yaml
kind: AppProject
spec:
  sourceRepos:
    - https://github.com/example/shop.git
  destinations:
    - server: https://kubernetes.default.svc
      namespace: shop
  clusterResourceWhitelist:
    - group: ""
      kind: Namespace
      name: shop
  namespaceResourceWhitelist:
    - group: apps
      kind: Deployment
```

Kinds are compared where everything that the Applications of a project deploy is rendered in this run. An entry of
`clusterResourceWhitelist` must have a name, since no destination bounds what has no namespace; versions of Argo CD that
do not know `name` there need `cluster-names = false` under `[rules.project-least-privilege]`. The project `default` has
a rule of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from policy.argocd.objects import DEFAULT_PROJECT, Application, Project, ProjectSpec
from policy.argocd.projects import (
    Deployed,
    Scopes,
    deployed_kinds,
    matches,
    permits_destination,
    permits_source,
    refused,
)
from policy.findings import FieldPath, Finding, Severity, Skipped
from policy.rules.rule import Context, Options, Rule
from policy.rules.subjects import Repository

_MOST = 3
_CLUSTER, _NAMESPACE = "clusterResourceWhitelist", "namespaceResourceWhitelist"


class ProjectLeastPrivilegeOptions(Options, frozen=True):
    """``cluster_names``: kinds without a namespace must be allowed by name."""

    cluster_names: bool = True


def check(repository: Repository, context: Context) -> Iterator[Finding | Skipped]:
    if not repository.deployments.applications and not repository.deployments.projects:
        return
    scopes = Scopes(repository.indexes.values())
    by_project: dict[int, list[Application]] = {}
    elsewhere: dict[str, list[str]] = {}
    for application in repository.deployments.applications:
        project = repository.deployments.project_of(application)
        if project is not None:
            by_project.setdefault(id(project), []).append(application)
        elif application.project != DEFAULT_PROJECT:
            elsewhere.setdefault(application.project, []).append(application.name)
    for name, names in elsewhere.items():
        yield Skipped(None, f"the project {name}, of {_some(names)}, is not among what is checked")
    for project in repository.deployments.projects:
        if project.name != DEFAULT_PROJECT:
            checked = _Checked(repository, project, by_project.get(id(project), []), scopes)
            yield from checked.all(context.options(ProjectLeastPrivilegeOptions).cluster_names)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_MOST]) + (f" and {len(names) - _MOST} more" if len(names) > _MOST else "")


class _Checked:
    def __init__(
        self, repository: Repository, project: Project, applications: Sequence[Application], scopes: Scopes
    ) -> None:
        self.repository, self.project, self.applications, self.scopes = repository, project, applications, scopes

    def all(self, wants_names: bool) -> Iterator[Finding | Skipped]:
        if not self.applications:
            yield Skipped(self.project.field(), f"no Application of the project {self.project.name} is checked here")
            return
        yield from self.sources()
        yield from self.destinations()
        kinds = self.kinds()
        if kinds is None:
            reason = (
                f"not all that the project {self.project.name} deploys is rendered here, so its kinds are not compared"
            )
            yield Skipped(self.project.field("spec", _NAMESPACE), reason)
            return
        yield from self.refused(kinds)
        yield from self.needless(_NAMESPACE, [kind for kind in kinds if kind.is_namespaced])
        yield from self.needless(_CLUSTER, [kind for kind in kinds if not kind.is_namespaced])
        if self.project.spec.namespace_resource_whitelist is None and kinds:
            rendered = ", ".join(str(kind) for kind in kinds if kind.is_namespaced)
            message = f"the project {self.project.name} allows every kind of a namespace; it deploys {rendered}"
            yield self.finding((_NAMESPACE,), message, "list the kinds that are rendered")
        if wants_names:
            yield from self.unnamed()

    def kinds(self) -> list[Deployed] | None:
        """The kinds that the Applications deploy; None where not all of it is rendered here."""
        resources = []
        for application in self.applications:
            overlays = self.repository.deployments.overlays_of(application)
            if overlays is None or not all(self.repository.indexes[overlay].resources for overlay in overlays):
                return None
            resources += [item for overlay in overlays for item in self.repository.indexes[overlay].resources]
        return deployed_kinds(resources, self.scopes)

    def refused(self, kinds: Sequence[Deployed]) -> Iterator[Finding]:
        for kind in kinds:
            verb = refused(self.project.spec, kind)
            if verb is not None:
                field = _NAMESPACE if kind.is_namespaced else _CLUSTER
                named = f" {', '.join(kind.names)}" if kind.names else ""
                message = f"the project {self.project.name} {verb} {kind}{named}, which it deploys: the sync is refused"
                yield self.finding((field,), message, f"add group {kind.group!r}, kind {kind.kind}")

    def needless(self, field: str, kinds: Sequence[Deployed]) -> Iterator[Finding]:
        spec = self.project.spec
        entries = spec.namespace_resource_whitelist if field == _NAMESPACE else spec.cluster_resource_whitelist
        for number, entry in enumerate(entries or ()):
            meant = [kind for kind in kinds if matches(entry, kind)]
            name = f"{entry.group}/{entry.kind}" if entry.group else entry.kind
            if "*" in entry.group + entry.kind:
                rendered = ", ".join(map(str, meant)) or "none of them"
                message = f"the project {self.project.name} allows {name}; it deploys {rendered}"
                yield self.finding((field, number), message, "list the kinds that are rendered")
            elif not meant:
                message = f"the project {self.project.name} allows {name}, which it does not deploy"
                yield self.finding((field, number), message, "delete it")

    def unnamed(self) -> Iterator[Finding]:
        for number, entry in enumerate(self.project.spec.cluster_resource_whitelist or ()):
            if not entry.name and "*" not in entry.kind:
                message = f"the project {self.project.name} allows every {entry.kind} of the cluster, by no name"
                fix = "add the name of the one that it deploys"
                yield self.finding((_CLUSTER, number), message, fix)

    def sources(self) -> Iterator[Finding]:
        used = {source.repo_url for application in self.applications for _, source in application.sources}
        stated = self.project.spec.source_repos or ()
        for number, pattern in enumerate(stated):
            if "*" in pattern:
                message = f"the project {self.project.name} deploys from any repository like {pattern}"
                yield self.finding(("sourceRepos", number), message, f"name {', '.join(sorted(used))}")
            elif not any(
                permits_source(ProjectSpec(source_repos=(pattern,)), url) for url in used
            ) and not pattern.startswith("!"):
                message = f"the project {self.project.name} allows {pattern}, which none of its Applications deploys"
                yield self.finding(("sourceRepos", number), message, "delete it")
        for application in self.applications:
            for path, source in application.sources:
                if not permits_source(self.project.spec, source.repo_url):
                    message = f"{application}: its project {self.project.name} does not allow {source.repo_url}"
                    fix = "name the repository under sourceRepos of the project"
                    yield Finding(application.field(*path, "repoURL"), message, fix, overlay=application.overlay)

    def destinations(self) -> Iterator[Finding]:
        for number, entry in enumerate(self.project.spec.destinations or ()):
            words = [entry.server or "", entry.name or "", entry.namespace or ""]
            if any(word.startswith("!") for word in words):
                continue
            if any("*" in word for word in words):
                used = ", ".join(sorted({application.destination.namespace or "" for application in self.applications}))
                message = f"the project {self.project.name} deploys to {' '.join(filter(None, words))}; it needs {used}"
                yield self.finding(("destinations", number), message, "name the cluster and the namespace")
            elif not any(
                permits_destination(ProjectSpec(destinations=(entry,)), each.destination) for each in self.applications
            ):
                message = f"the project {self.project.name} allows the namespace {entry.namespace}, and does not use it"
                yield self.finding(("destinations", number), message, "delete it")
        for application in self.applications:
            yield from self.destination(application)

    def destination(self, application: Application) -> Iterator[Finding]:
        namespace = application.destination.namespace
        if not permits_destination(self.project.spec, application.destination):
            message = f"{application}: its project {self.project.name} does not allow the namespace {namespace}"
            fix = "name the destination under destinations of the project"
            yield Finding(application.field("spec", "destination"), message, fix, overlay=application.overlay)
            return
        for overlay in self.repository.deployments.overlays_of(application) or ():
            others = {
                item.ref.namespace: item
                for item in self.repository.indexes[overlay].resources
                if item.ref.namespace not in ("", namespace)
            }
            for other in sorted(others):
                wanted = msgspec.structs.replace(application.destination, namespace=other)
                if not permits_destination(self.project.spec, wanted):
                    message = f"{application} deploys into the namespace {other}, which its project does not allow"
                    fix = f"render everything into {namespace}, or allow {other} too"
                    yield Finding(application.field("spec", "destination"), message, fix, overlay=application.overlay)

    def finding(self, path: FieldPath, message: str, fix: str) -> Finding:
        return Finding(self.project.field("spec", *path), message, fix, overlay=self.project.overlay)


RULE = Rule(
    id="project-least-privilege",
    applies_to=Repository,
    severity=Severity.ERROR,
    check=check,
    options=ProjectLeastPrivilegeOptions,
)
