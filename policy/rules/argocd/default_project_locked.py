"""The project `default` allows nothing.

Why: Argo CD makes it by itself, with every source, destination and kind allowed, and cannot do without it. Whoever may
create an Application in it deploys anything anywhere.

Fix: an AppProject `default` in Git with `sourceRepos: []`, `destinations: []` and every kind forbidden. The lists are
stated though they are empty: a field that is left out keeps what Argo CD made.

Bad:

```yaml
kind: AppProject
metadata:
  name: default
spec:
  sourceRepos:
    - "*"
```

Good:

```yaml
kind: AppProject
metadata:
  name: default
spec:
  sourceRepos: []
  destinations: []
  namespaceResourceBlacklist:
    - group: "*"
      kind: "*"
```

Asked wherever projects are kept: where there is another AppProject, or policy.toml names the folder of Argo CD.
"""

from __future__ import annotations

from collections.abc import Iterator

from policy.argocd.objects import DEFAULT_PROJECT, Project
from policy.findings import Field, Finding, Place, Severity
from policy.rules.rule import Context, Rule
from policy.rules.subjects import Repository


def check(repository: Repository, context: Context) -> Iterator[Finding]:
    projects = repository.deployments.projects
    locked = [project for project in projects if project.name == DEFAULT_PROJECT]
    for project in locked:
        yield from _open(project)
    keeping = projects[0].overlay if projects else repository.argocd
    if not locked and keeping is not None and repository.indexes[keeping].resources:
        yield Finding(
            at=_place(repository, keeping),
            message="there is no AppProject default here, so the one that Argo CD makes allows everything",
            fix="add an AppProject default with sourceRepos [], destinations [] and every kind forbidden",
            overlay=keeping,
        )


def _place(repository: Repository, overlay: str) -> Field | Place:
    tree = repository.trees.get(overlay)
    if tree is not None:
        return Place(tree.root.file.name, 1)
    for project in repository.deployments.projects:
        if project.overlay == overlay:
            return project.field()
    return Field(repository.indexes[overlay].resources[0].ref)


def _open(project: Project) -> Iterator[Finding]:
    for field, what in (("sourceRepos", "repositories"), ("destinations", "destinations")):
        stated = project.stated.get(field)
        if stated is None:
            message = f"{field} is left out, so the project default keeps the * that Argo CD made"
            yield _finding(project, field, message, f"write {field}: []")
        elif stated:
            yield _finding(project, field, f"the project default allows {what}", f"write {field}: []")
    if project.spec.cluster_resource_whitelist:
        message = "the project default allows kinds that have no namespace"
        yield _finding(project, "clusterResourceWhitelist", message, "write clusterResourceWhitelist: []")
    if not any((entry.group, entry.kind) == ("*", "*") for entry in project.spec.namespace_resource_blacklist or ()):
        message = "the project default allows kinds of a namespace"
        fix = 'forbid them: namespaceResourceBlacklist with group "*" and kind "*"'
        yield _finding(project, "namespaceResourceBlacklist", message, fix)


def _finding(project: Project, field: str, message: str, fix: str) -> Finding:
    return Finding(at=project.field("spec", field), message=message, fix=fix, overlay=project.overlay)


RULE = Rule(id="default-project-locked", applies_to=Repository, severity=Severity.ERROR, check=check)
