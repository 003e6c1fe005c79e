"""The refresh paths of an Application cover everything that it is rendered from.

They are the annotation `argocd.argoproj.io/manifest-generate-paths`; without it every commit refreshes an Application,
which is safe.

Why: with it, a commit that touches none of these paths renders nothing anew. If a base lies outside of them, a change
to it is merged, shown as synced, and not deployed until something else is touched.

Fix: every folder that the overlay reads, from the root of the repository.

Bad:

```yaml
metadata:
  annotations:
    argocd.argoproj.io/manifest-generate-paths: /overlays/prod
spec:
  source:
    path: overlays/prod # whose base is ../../base
```

Good:

```yaml
metadata:
  annotations:
    argocd.argoproj.io/manifest-generate-paths: /base;/overlays/prod
```
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from fnmatch import fnmatchcase

from policy.argocd.objects import Application
from policy.argocd.repositories import normalized_path
from policy.findings import Finding, Severity
from policy.rules.rule import Context, Rule
from policy.rules.subjects import Repository

_ANNOTATION = "argocd.argoproj.io/manifest-generate-paths"
_MOST = 3


def check(repository: Repository, context: Context) -> Iterator[Finding]:
    for application in repository.deployments.applications:
        stated = application.annotations.get(_ANNOTATION)
        if stated is None:
            continue
        paths = list(_paths(stated, application))
        missing = [path for path in paths if not _exists(repository, path)]
        for path in missing:
            yield _finding(application, f"/{path} does not exist, so it covers nothing", "correct it, or delete it")
        uncovered = _uncovered(repository, application, paths)
        if uncovered:
            shown = ", ".join(uncovered[:_MOST]) + (
                f" and {len(uncovered) - _MOST} more" if len(uncovered) > _MOST else ""
            )
            message = f"{application} is rendered from {shown} too: a commit there would not be deployed"
            yield _finding(application, message, f"add /{uncovered[0]}, or a folder above it")


def _paths(stated: str, application: Application) -> Iterator[str]:
    """The paths from the root of the repository; relative ones are relative to each source's own path."""
    folders = [source.path or "" for _, source in application.sources if source.is_folder]
    for path in stated.split(";"):
        path = path.strip()
        if path.startswith("/"):
            yield normalized_path(path.lstrip("/"))
        elif path:
            yield from (normalized_path(posixpath.join(folder, path)) for folder in folders)


def _exists(repository: Repository, path: str) -> bool:
    """Whether there is such a file or folder; a pattern is taken as it is."""
    if any(character in path for character in "*?["):
        return True
    above, _, name = path.rpartition("/")
    entries = repository.facts.entries_of(above) or ()
    return not path or name in entries or f"{name}/" in entries


def _uncovered(repository: Repository, application: Application, paths: list[str]) -> list[str]:
    """The folders of files that an Application is rendered from and that no path covers."""
    found: dict[str, None] = {}
    for _, source in application.sources:
        overlay = repository.deployments.overlay_of(source)
        tree = repository.trees.get(overlay) if overlay is not None else None
        for file in tree.files.values() if tree is not None else ():
            if not any(_covers(path, file.name) for path in paths):
                found[posixpath.dirname(file.name) or file.name] = None
    return list(found)


def _covers(path: str, file: str) -> bool:
    return not path or file == path or file.startswith(f"{path}/") or _fits(path, file)


def _fits(pattern: str, file: str) -> bool:
    """Whether a pattern means the file or a folder that it is in; ``*`` does not cross a slash, as in Go."""
    wanted, steps = pattern.split("/"), file.split("/")
    return len(wanted) <= len(steps) and all(map(fnmatchcase, steps, wanted))


def _finding(application: Application, message: str, fix: str) -> Finding:
    return Finding(
        at=application.field("metadata", "annotations", _ANNOTATION),
        message=message,
        fix=fix,
        overlay=application.overlay,
    )


RULE = Rule(id="refresh-paths-cover", applies_to=Repository, severity=Severity.ERROR, check=check)
