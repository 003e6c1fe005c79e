"""The kustomize that is checked with is the kustomize that Argo CD deploys with.

`[rules.kustomize-version-matches] bundled = "5.8.3"` in policy.toml says which one Argo CD brings; `argocd version`
prints it of a running server. An Application may name another one, in `source.kustomize.version`.

Why: what was rendered, reviewed and proven is what is deployed only if both are rendered by the same version: versions
of kustomize differ in the order, the quoting and the very fields that they write.

Fix: pin under `[tools]` in policy.toml what Argo CD bundles, and change both together.

Bad:

```yaml
# policy.toml: [tools] kustomize = "5.8.3"
source:
  path: overlays/prod
  kustomize:
    version: v4.5.7
```

Good:

```yaml
# policy.toml: [tools] kustomize = "5.8.3", which Argo CD bundles
source:
  path: overlays/prod
```
"""

from __future__ import annotations

from collections.abc import Iterator

from policy.findings import Finding, Severity, Skipped
from policy.rules.rule import Context, Options, Rule
from policy.rules.subjects import Repository


class KustomizeVersionMatchesOptions(Options, frozen=True):
    """``bundled``: the version of kustomize that Argo CD brings."""

    bundled: str = ""


def check(repository: Repository, context: Context) -> Iterator[Finding | Skipped]:
    bundled = context.options(KustomizeVersionMatchesOptions).bundled.removeprefix("v")
    pinned = repository.facts.tools.get("kustomize")
    deploys_with_bundled = False
    for application in repository.deployments.applications:
        for path, source in application.sources:
            if repository.deployments.overlay_of(source) not in repository.trees:
                continue
            own = (source.kustomize or {}).get("version")
            if not isinstance(own, str) or not own:
                deploys_with_bundled = True
            elif pinned is not None and own.removeprefix("v") != pinned:
                yield Finding(
                    at=application.field(*path, "kustomize", "version"),
                    message=f"{application} is rendered with kustomize {own}, and checked with {pinned}",
                    fix=f"delete it, or pin kustomize {own.removeprefix('v')} in policy.toml",
                    overlay=application.overlay,
                )
    if deploys_with_bundled:
        yield from _bundled(repository, bundled, pinned)


def _bundled(repository: Repository, bundled: str, pinned: str | None) -> Iterator[Finding | Skipped]:
    place = repository.facts.place_of("tools", "kustomize")
    if pinned is None:
        yield Skipped(None, "policy.toml names no kustomize under [tools], so Argo CD may render with another one")
    elif not bundled:
        reason = "which kustomize Argo CD bundles is not known: say it in policy.toml, bundled under this rule"
        yield Skipped(None, reason)
    elif bundled != pinned and place is not None:
        yield Finding(
            at=place,
            message=f"Argo CD renders with kustomize {bundled}, and this check with {pinned}",
            fix=f'set kustomize = "{bundled}"',
        )


RULE = Rule(
    id="kustomize-version-matches",
    applies_to=Repository,
    severity=Severity.ERROR,
    check=check,
    options=KustomizeVersionMatchesOptions,
)
