"""Every setting and policy of Argo CD can take effect.

Looked at are the ConfigMaps `argocd-cm` and `argocd-rbac-cm` and the policies of the roles of AppProjects.

Why: Argo CD passes over a setting that it does not know, takes a boolean that it cannot read for false, and a policy
with a misspelt resource or action grants nothing, or, worse, denies nothing. Its own validation calls
`p, role:dev, aplications, gett, shop/*, alow` valid.

Fix: the key, value, resource or action as Argo CD has it.

Bad:

```yaml
data:
  application.resourceTrackingMethods: annotation
  policy.csv: |
    p, role:dev, aplications, get, shop/*, allow
```

Good:

```yaml
data:
  application.resourceTrackingMethod: annotation
  policy.csv: |
    p, role:dev, applications, get, shop/*, allow
    g, example:developers, role:dev
```
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from policy.argocd.objects import Project
from policy.argocd.rbac import policy_problems
from policy.argocd.settings import problems
from policy.findings import Finding, Severity
from policy.rules.rule import Context, Rule
from policy.rules.subjects import Repository


def check(repository: Repository, context: Context) -> Iterator[Finding]:
    known = _applications(repository)
    for overlay, index in repository.indexes.items():
        for resource in index.resources:
            if resource.ref.kind == "ConfigMap":
                for problem in problems(resource, known):
                    yield Finding(resource.field(*problem.path), problem.message, problem.fix, overlay=overlay)
    for project in repository.deployments.projects:
        yield from _roles(project, known)


def _applications(repository: Repository) -> Collection[str] | None:
    """The Applications as policies name them; None where there may be others that are not known here."""
    deployments = repository.deployments
    if not deployments.applications or deployments.unknown or not repository.is_whole:
        return None
    return [f"{application.project}/{application.name}" for application in deployments.applications]


def _roles(project: Project, known: Collection[str] | None) -> Iterator[Finding]:
    for number, role in enumerate(project.spec.roles or ()):
        for line, policy in enumerate(role.policies or ()):
            for problem in policy_problems(policy, project=project.name, role=role.name, applications=known):
                yield Finding(
                    at=project.field("spec", "roles", number, "policies", line),
                    message=f"this policy has no effect: {problem.message}",
                    fix="correct the policy, or delete it",
                    overlay=project.overlay,
                )


RULE = Rule(id="settings-valid", applies_to=Repository, severity=Severity.ERROR, check=check)
