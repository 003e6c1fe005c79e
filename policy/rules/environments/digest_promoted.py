"""Every image that production runs by its digest has been in the environment before it.

The environments are those of policy.toml, the last one is production and the one before it is staging;
`[rules.digest-promoted] from = "staging"` and `to = "prod"` say otherwise. It counts what staging has now and what
any file that staging is made of ever held, by Git's history.

Why: an image that staging has never run was proven by nobody. Promotion is a copy of a digest, so one that was never
there was typed, or built anew.

Fix: promote through staging: first its overlay, and when that has proven it, production's.

Bad:

```yaml
# overlays/prod: this digest was never in overlays/staging
images:
  - name: user-service
    digest: sha256:7d1f…
```

Good:

```yaml
# overlays/prod: this digest was in overlays/staging last week
images:
  - name: user-service
    digest: sha256:3c9a…
```

Without a history, or with one that was not fetched in full (`fetch-depth: 0` of actions/checkout fetches it), a digest
that staging does not have now is not checked.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from policy.errors import PolicyError
from policy.findings import Finding, Severity, Skipped
from policy.manifests.index import Index
from policy.manifests.workloads import Container
from policy.rules.rule import Context, Options, Rule
from policy.rules.subjects import Repository


class DigestPromotedOptions(Options, frozen=True):
    """``from``: the environment that proves an image; ``to``: the one that may only run what was proven."""

    source: str = msgspec.field(default="", name="from")
    target: str = msgspec.field(default="", name="to")


def check(repository: Repository, context: Context) -> Iterator[Finding | Skipped]:
    options = context.options(DigestPromotedOptions)
    named = repository.environments
    source = options.source or (named[-2] if len(named) > 1 and repository.is_whole else "")
    target = options.target or (named[-1] if len(named) > 1 and repository.is_whole else "")
    if source not in repository.indexes or target not in repository.indexes:
        return
    known = set(_digests(repository.indexes[source]))
    new = [
        container
        for container in _containers(repository.indexes[target])
        if container.image is not None and container.image.digest is not None and container.image.digest not in known
    ]
    if not new:
        return
    try:
        past = repository.facts.past_of(_folders(repository, source))
    except PolicyError as error:
        yield from (_unknown(container, source, str(error)) for container in new)
        return
    for container in new:
        if container.image is None or container.image.digest in past.digests:
            continue
        if past.is_complete:
            yield _finding(container, source, target)
        else:
            yield _unknown(container, source, "older commits were not fetched")


def _containers(index: Index) -> Iterator[Container]:
    return (container for workload in index.workloads for container in workload.containers)


def _digests(index: Index) -> Iterator[str]:
    return (container.image.digest for container in _containers(index) if container.image and container.image.digest)


def _folders(repository: Repository, overlay: str) -> list[str]:
    """The folders that an environment is made of."""
    tree = repository.trees.get(overlay)
    if tree is None:
        return [repository.folders[overlay]]
    names = dict.fromkeys(each.file.name.rpartition("/")[0] or "." for each in tree.kustomizations.values())
    return list(names)


def _finding(container: Container, source: str, target: str) -> Finding:
    return Finding(
        at=container.field("image"),
        message=f"{container} runs {container.image}, a digest that was never in {source}",
        fix=f"let {source} run it first",
        overlay=target,
    )


def _unknown(container: Container, source: str, why: str) -> Skipped:
    return Skipped(container.field("image"), f"whether {container.image} was ever in {source} is not known: {why}")


RULE = Rule(
    id="digest-promoted",
    applies_to=Repository,
    severity=Severity.ERROR,
    check=check,
    options=DigestPromotedOptions,
)
