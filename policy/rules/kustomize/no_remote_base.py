"""A kustomization names only what is in its own repository.

Why: what is fetched at build time can change without a commit here, is reviewed by nobody here, and is gone when its
host is. Argo CD fetches it again for every refresh, with whatever access its server has.

Fix: copy what is used into the repository, in a folder that names where it comes from and its version, and list that.

Bad:

```yaml
resources:
  - https://github.com/example/charts//redis?ref=v1.2.3
```

Good:

```yaml
resources:
  - ../vendor/redis-1.2.3
```

Nothing is ever fetched by this check, so a kustomization with a remote base is not rendered: that it could not be is
told beside this finding, and what its objects would be stays unknown.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from policy.findings import Finding, Severity
from policy.rules.rule import Context, Rule, Sources

if TYPE_CHECKING:
    from policy.kustomize.kustomization import Kustomization
    from policy.kustomize.marks import Scalar
    from policy.kustomize.sources import SourceTree


def check(tree: SourceTree, context: Context) -> Iterator[Finding]:
    for remote in tree.remotes:
        yield _finding(remote.entry, remote.stated)
    for kustomization in tree.kustomizations.values():
        for entry, repository in _charts(kustomization):
            yield _finding(entry, repository)


def _charts(kustomization: Kustomization) -> Iterator[tuple[str, Scalar]]:
    """Charts that Kustomize would have Helm fetch."""
    from policy.kustomize.marks import Scalar

    for field, key in (("helmCharts", "repo"), ("helmChartInflationGenerator", "chartRepoUrl")):
        for entry, chart in kustomization.maps(field):
            stated = chart.fields.get(key)
            if isinstance(stated, Scalar) and stated.text:
                yield entry, stated


def _finding(entry: str, stated: Scalar) -> Finding:
    return Finding(
        at=stated.mark.place,
        message=f"{entry} is fetched from {stated.text}",
        fix="copy what is used into this repository and list that",
    )


RULE = Rule(id="no-remote-base", applies_to=Sources, severity=Severity.ERROR, check=check)
