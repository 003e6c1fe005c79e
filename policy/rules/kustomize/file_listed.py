"""Every manifest in the folder of a kustomization is used by a kustomization.

A manifest is a `.yaml`, `.yml` or `.json` file that is not hidden, in the folder of a kustomization or below it.
Folders with a kustomization of their own answer for themselves. topology.yaml is no manifest.

Why: Kustomize reads what is listed and nothing else. A file that somebody added and nobody listed looks deployed in
every review, and is not.

Fix: list the file (under `resources`, `patches` or a generator), or delete it.

Bad:

```yaml
# the folder also holds network-policy.yaml
resources:
  - deployment.yaml
```

Good:

```yaml
resources:
  - deployment.yaml
  - network-policy.yaml
```
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from policy.connectivity.topology import FILE_NAME as TOPOLOGY_NAME
from policy.findings import Finding, Severity
from policy.rules.rule import Context, Rule, Sources

if TYPE_CHECKING:
    from policy.kustomize.sources import SourceTree


def check(tree: SourceTree, context: Context) -> Iterator[Finding]:
    from policy.kustomize.unlisted import unlisted_files

    for file, kustomization in unlisted_files(tree):
        if os.path.basename(file.file) == TOPOLOGY_NAME:  # the contract of a repository whose root is an overlay
            continue
        yield Finding(
            at=file,
            message=f"no kustomization uses this file, {kustomization} does not list it",
            fix=f"list it in {kustomization}, or delete it",
        )


RULE = Rule(id="file-listed", applies_to=Sources, severity=Severity.ERROR, check=check)
