"""The folders of all environments hold the same files.

Compared are the files that each environment uses out of its own folder.

Why: a reader who knows one environment knows them all. A file that only one has is a difference in structure, not in
values: what was proven before production is then not what production gets.

Fix: give every environment the file, with its own values, or move what it does into the base.

Bad:

```yaml
# overlays/prod/tuning.yaml, and no overlays/staging/tuning.yaml
spec:
  replicas: 3
```

Good:

```yaml
# overlays/prod/tuning.yaml, and overlays/staging/tuning.yaml with replicas: 2
spec:
  replicas: 3
```
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from policy.findings import Finding, Place, Severity
from policy.rules.rule import Context, Rule
from policy.rules.subjects import Repository

if TYPE_CHECKING:
    from policy.kustomize.sources import SourceTree


def check(repository: Repository, context: Context) -> Iterator[Finding]:
    files = {name: _files(repository.trees[name]) for name in repository.environments if name in repository.trees}
    for file in dict.fromkeys(file for mine in files.values() for file in mine):
        having = [name for name, mine in files.items() if file in mine]
        lacking = [name for name in files if name not in having]
        if not lacking:
            continue
        if len(having) < len(lacking):
            for name in having:
                yield Finding(
                    at=files[name][file],
                    message=f"{', '.join(lacking)} {'has' if len(lacking) == 1 else 'have'} no such file",
                    fix="give every environment this file, or move what it does into the base",
                    overlay=name,
                )
        else:
            for name in lacking:
                yield Finding(
                    at=Place(repository.trees[name].root.file.name, 1),
                    message=f"{name} has no {file}, which {', '.join(having)} {'has' if len(having) == 1 else 'have'}",
                    fix="give every environment this file, or move what it does into the base",
                    overlay=name,
                )


def _files(tree: SourceTree) -> Mapping[str, Place]:
    """The files that the environment's own kustomization uses out of its folder, by their path inside of it."""
    folder = tree.root.folder
    return {
        path.relative_to(folder).as_posix(): Place(file.name, 1)
        for path, file in tree.files.items()
        if path != tree.root.file.path and path.is_relative_to(folder)
    }


RULE = Rule(id="environments-same-files", applies_to=Repository, severity=Severity.ERROR, check=check)
