"""Every Application is in a project of its own environment, never in `default`.

Why: a project is the only bound on what an Application may deploy, from where and to where. `default` has none: Argo CD
makes it with everything allowed. A project that two environments share allows each of them what the other needs.

Fix: an AppProject for each environment, named by its Applications.

Bad:

```yaml
kind: Application
spec:
  project: default
```

Good:

```yaml
kind: Application
spec:
  project: shop-prod
```
"""

from __future__ import annotations

from collections.abc import Iterator

from policy.argocd.deployments import Deployments
from policy.argocd.objects import DEFAULT_PROJECT, Application
from policy.findings import Finding, Severity
from policy.rules.rule import Context, Rule
from policy.rules.subjects import Repository


def check(repository: Repository, context: Context) -> Iterator[Finding]:
    deployments = repository.deployments
    environments = _environments(repository)
    for application in deployments.stated:
        if application.project == DEFAULT_PROJECT:
            yield _finding(application, "is in the project default, which allows everything unless it is locked")
        elif deployments.project_of(application) is None:
            near = _near(deployments, application)
            if near:
                yield _finding(application, f"there is no AppProject {application.project}; did you mean {near}?")
    for application in deployments.applications:
        mine = environments.get(id(application))
        others = {
            environments[id(each)]: each
            for each in deployments.applications
            if each.project == application.project and environments.get(id(each)) not in (None, mine)
        }
        if mine is not None and others and application.project != DEFAULT_PROJECT:
            shared = ", ".join(str(name) for name in others)
            yield _finding(
                application, f"deploys {mine} in the project {application.project}, which deploys {shared} too"
            )


def _environments(repository: Repository) -> dict[int, str]:
    """The environment that each Application deploys, by identity; none for those that deploy several, or no such."""
    found: dict[int, str] = {}
    for application in repository.deployments.applications:
        overlays = repository.deployments.overlays_of(application) or []
        names = [name for name in overlays if name in repository.environments]
        if len(names) == 1:
            found[id(application)] = names[0]
    return found


def _near(deployments: Deployments, application: Application) -> str | None:
    known = [project.name for project in deployments.projects if project.name != DEFAULT_PROJECT]
    import difflib  # only errors need it

    return next(iter(difflib.get_close_matches(application.project, known, n=1)), None)


def _finding(application: Application, message: str) -> Finding:
    return Finding(
        at=application.field("spec", "project"),
        message=f"{application} {message}" if not message.startswith("there") else f"{application}: {message}",
        fix="name an AppProject that is this environment's alone",
        overlay=application.overlay,
    )


RULE = Rule(id="application-own-project", applies_to=Repository, severity=Severity.ERROR, check=check)
