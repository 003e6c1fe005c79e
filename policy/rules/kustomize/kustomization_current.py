"""No kustomization uses a field that Kustomize has deprecated.

Why: Kustomize warns on standard error, where nobody looks in a pipeline, and will one day refuse the build. The old
fields also do more than they say: `commonLabels` changes the selectors of what already runs, which the API server
refuses.

Fix: the field that took its place; `kustomize edit fix` rewrites most of them.

Bad:

```yaml
bases:
  - ../../base
commonLabels:
  environment: prod
patchesStrategicMerge:
  - replicas.yaml
```

Good:

```yaml
resources:
  - ../../base
labels:
  - pairs:
      environment: prod
patches:
  - path: replicas.yaml
```
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from policy.findings import Finding, Severity
from policy.rules.rule import Context, Rule, Sources

if TYPE_CHECKING:
    from policy.kustomize.kustomization import Kustomization
    from policy.kustomize.marks import Node
    from policy.kustomize.sources import SourceTree

_DEPRECATED = {
    "bases": "resources",
    "commonLabels": "labels, with includeSelectors where the selectors must have them",
    "helmChartInflationGenerator": "helmCharts",
    "imageTags": "images",
    "patchesJson6902": "patches",
    "patchesStrategicMerge": "patches",
    "vars": "replacements",
}
"""The fields of a kustomization that Kustomize 5.8 warns of or rewrites, and what took their place."""


def check(tree: SourceTree, context: Context) -> Iterator[Finding]:
    for kustomization in tree.kustomizations.values():
        for name, instead, node in _deprecated(kustomization):
            yield Finding(at=node.mark.place, message=f"{name} is deprecated", fix=f"use {instead}")


def _deprecated(kustomization: Kustomization) -> Iterator[tuple[str, str, Node]]:
    for name, instead in _DEPRECATED.items():
        if name in kustomization.root.fields:
            yield name, instead, kustomization.root.fields[name]
    for field in ("configMapGenerator", "secretGenerator"):
        for entry, generator in kustomization.maps(field):
            if "env" in generator.fields:
                yield f"{entry}.env", "envs, which is a list", generator.fields["env"]


RULE = Rule(id="kustomization-current", applies_to=Sources, severity=Severity.ERROR, check=check)
