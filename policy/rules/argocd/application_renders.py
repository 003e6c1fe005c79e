"""Every Application deploys a folder of its repository that is there and renders.

Why: an Application whose path does not exist is an error that only Argo CD's own page shows, after the merge. One that
names the repository by another URL than the others is fetched twice, and may be refused by its project.

Fix: the path from the root of the repository, and the URL as the other Applications have it.

Bad:

```yaml
source:
  repoURL: https://github.com/example/shop.git
  path: overlay/prod
```

Good:

```yaml
source:
  repoURL: https://github.com/example/shop.git
  path: overlays/prod
```

ApplicationSets are expanded here as Argo CD would: generators of lists, of the repository's own folders, and matrices
of these; templates of Go with fields, `index` and common functions, and the older ones. A parameter that is not there
is told, and so are a generator that finds nothing and two Applications of one name. What asks for more than this
repository (clusters, pull requests, other repositories) is not checked, and neither is the path of an Application whose
repository is another one. This repository is the one whose paths are found here most often, else a remote of Git.
"""

from __future__ import annotations

from collections.abc import Iterator

from policy.argocd.deployments import Deployments
from policy.argocd.objects import Application, Source
from policy.argocd.repositories import normalized_path, normalized_url
from policy.argocd.template import is_unfilled
from policy.findings import Field, FieldPath, Finding, Severity, Skipped
from policy.rules.rule import Context, Rule
from policy.rules.subjects import Repository

_KUSTOMIZATIONS = frozenset({"kustomization.yaml", "kustomization.yml", "Kustomization"})
_MANIFESTS = (".yaml", ".yml", ".json", ".jsonnet")
_MOST = 3


def check(repository: Repository, context: Context) -> Iterator[Finding | Skipped]:
    deployments = repository.deployments
    for problem in deployments.problems:
        yield Finding(problem.at, problem.message, problem.fix, problem.related, overlay=problem.overlay)
    for unknown in deployments.unknown:
        yield Skipped(unknown.at, unknown.reason)
    if deployments.own is None:
        yield from _unknown(deployments)
        return
    spelled = _spelling(deployments)
    for application in deployments.applications:
        for path, source in application.sources:
            if not source.is_folder or is_unfilled(source.path or ""):
                continue
            if deployments.is_own(source):
                yield from _folder(repository, application, path, source)
                if spelled is not None and source.repo_url != spelled:
                    yield _another_spelling(application, path, source, spelled)
            elif _is_here_only(deployments, source):
                yield _another_repository(application, path, source, deployments.own)


def _unknown(deployments: Deployments) -> Iterator[Skipped]:
    """One word for all whose paths cannot be looked for."""
    names = [each.name for each in deployments.applications if any(source.is_folder for _, source in each.sources)]
    if names:
        shown = ", ".join(names[:_MOST]) + (f" and {len(names) - _MOST} more" if len(names) > _MOST else "")
        yield Skipped(None, f"which repository this is cannot be told, so the path of {shown} is not looked for")


def _spelling(deployments: Deployments) -> str | None:
    """How most Applications write the URL of this repository; None where each says it differently."""
    urls = [
        source.repo_url
        for application in deployments.applications
        for _, source in application.sources
        if deployments.is_own(source)
    ]
    return max(urls, key=urls.count) if urls else None


def _folder(
    repository: Repository, application: Application, path: FieldPath, source: Source
) -> Iterator[Finding | Skipped]:
    stated, folder = source.path or ".", normalized_path(source.path or "")
    at = application.field(*path, "path")
    entries = repository.facts.entries_of(folder)
    if stated.startswith("/") or folder == ".." or folder.startswith("../"):
        yield _finding(application, at, f"{stated} is no path inside of the repository, which Argo CD refuses", None)
    elif entries is None:
        yield _finding(application, at, f"there is no folder {stated} in this repository", _near(repository, folder))
    elif repository.deployments.overlay_of(source) is None and _KUSTOMIZATIONS.intersection(entries):
        reason = f"{application}: {stated} is not among what is checked here, so whether it renders is not known"
        yield Skipped(at, reason)
    elif not _KUSTOMIZATIONS.intersection(entries) and not _holds_manifests(repository, folder, source, entries):
        yield _finding(application, at, f"{stated} holds nothing that Argo CD could render", None)


def _holds_manifests(repository: Repository, folder: str, source: Source, entries: tuple[str, ...]) -> bool:
    if "Chart.yaml" in entries or any(name.endswith(_MANIFESTS) for name in entries):
        return True
    if not (source.directory or {}).get("recurse"):
        return False
    below = [f"{folder}/{name.rstrip('/')}".lstrip("/") for name in entries if name.endswith("/") and name != ".git/"]
    return any(_holds_manifests(repository, each, source, repository.facts.entries_of(each) or ()) for each in below)


def _near(repository: Repository, folder: str) -> str | None:
    """A folder that was perhaps meant: one that is checked, or a neighbour of the first step that is missing."""
    known = list(repository.folders.values())
    above = folder.rpartition("/")[0]
    known += [
        f"{above}/{name.rstrip('/')}".lstrip("/") for name in repository.facts.entries_of(above) or () if "/" in name
    ]
    import difflib  # only errors need it

    return next(iter(difflib.get_close_matches(folder, known, n=1)), None)


def _is_here_only(deployments: Deployments, source: Source) -> bool:
    """Whether the path of another repository is an overlay of this one that nothing else deploys."""
    here = {normalized_path(folder) for folder in deployments.folders.values()}
    folder = normalized_path(source.path or "")
    deployed = {normalized_path(deployments.folders[overlay]) for overlay in deployments.deployed()}
    return folder in here and folder not in deployed and folder != ""


def _finding(application: Application, at: Field, message: str, near: str | None) -> Finding:
    return Finding(
        at=at,
        message=f"{application}: {message}" + (f"; did you mean {near}?" if near else ""),
        fix=f"write {near}" if near else "write the path of a kustomization from the root of the repository",
        related=_related(application),
        overlay=application.overlay,
    )


def _another_spelling(application: Application, path: FieldPath, source: Source, spelled: str) -> Finding:
    return Finding(
        at=application.field(*path, "repoURL"),
        message=f"{application}: {source.repo_url} is this repository, which others name {spelled}",
        fix=f"write {spelled}",
        related=_related(application),
        overlay=application.overlay,
    )


def _another_repository(application: Application, path: FieldPath, source: Source, own: str) -> Finding:
    return Finding(
        at=application.field(*path, "repoURL"),
        message=f"{application}: {source.path} is a folder of {own}, not of {normalized_url(source.repo_url)}",
        fix="write the URL that the other Applications have",
        related=_related(application),
        overlay=application.overlay,
    )


def _related(application: Application) -> tuple[Field, ...]:
    return (application.resource.field(*application.element),) if application.element is not None else ()


RULE = Rule(id="application-renders", applies_to=Repository, severity=Severity.ERROR, check=check)
