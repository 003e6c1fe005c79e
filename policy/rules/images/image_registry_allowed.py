"""Every image comes from a registry, or a part of one, that is allowed.

A name without a registry is one of docker.io: `redis` is `docker.io/library/redis`. Without the setting every registry
is allowed and nothing is found.

Why: whoever can push to a place from which images are pulled decides what runs.

Fix: use the image from an allowed place, or have the place allowed after a look at who may push there.

Settings: `allowed`, registries, or registries with the first parts of a path, whole parts only: `docker.io/library`
allows `docker.io/library/redis`, not `docker.io/library-of-somebody/redis` (`[]`: every one).

Bad:

```yaml
image: docker.io/somebody/redis:7.4-alpine
```

Good:

```yaml
image: docker.io/library/redis:7.4-alpine
```
"""

from __future__ import annotations

from collections.abc import Iterator

from policy.findings import Finding, Severity
from policy.manifests.image_uses import image_uses
from policy.manifests.workloads import Workload
from policy.rules.rule import Context, Options, Rule


class ImageRegistryAllowedOptions(Options, frozen=True):
    allowed: tuple[str, ...] = ()


def check(workload: Workload, context: Context) -> Iterator[Finding]:
    allowed = context.options(ImageRegistryAllowedOptions).allowed
    if not allowed:
        return
    prefixes = tuple(f"{place.strip('/')}/" for place in allowed)
    for use in image_uses(workload):
        if use.image is not None and not f"{use.image.location}/".startswith(prefixes):
            yield Finding(
                at=use.at,
                message=f"{use.who} {use.verb} {use.image.location}; allowed: {', '.join(allowed)}",
                fix="use the image from a place that is allowed",
            )


RULE = Rule(
    id="image-registry-allowed",
    applies_to=Workload,
    severity=Severity.ERROR,
    check=check,
    options=ImageRegistryAllowedOptions,
)
