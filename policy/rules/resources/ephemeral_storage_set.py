"""Every container requests ephemeral storage and has a limit for it.

A LimitRange's default counts, unless the setting `explicit` is true: then a container states its own, so that the file
shows what it gets and a change of the LimitRange changes no container.

Why: logs, the writable layer and emptyDir volumes share the node's disk. One container that fills it gets all pods of
that node evicted, and the scheduler cannot see it coming without requests.

Fix: set `ephemeral-storage` under requests and limits; the limit includes the container's logs and, of the pod as a
whole, its emptyDir volumes.

Bad:

```yaml
resources:
  requests:
    cpu: 100m
    memory: 128Mi
```

Good:

```yaml
resources:
  requests:
    cpu: 100m
    memory: 128Mi
    ephemeral-storage: 64Mi
  limits:
    memory: 256Mi
    ephemeral-storage: 256Mi
```
"""

from __future__ import annotations

from collections.abc import Iterator

from policy.findings import Finding, Severity
from policy.manifests.workloads import Workload
from policy.rules.rule import Context, Options, Rule


class EphemeralStorageOptions(Options, frozen=True):
    """Whether a LimitRange's default is a request of the container."""

    explicit: bool = False


def check(workload: Workload, context: Context) -> Iterator[Finding]:
    options = context.options(EphemeralStorageOptions)
    requirements = context.index.requirements_of(workload)
    for side, wrong in (("requests", "requests no ephemeral-storage"), ("limits", "has no ephemeral-storage limit")):
        for item in requirements.without(side, "ephemeral-storage", own=options.explicit):
            yield Finding(
                at=item.container.field("resources", side, "ephemeral-storage"),
                message=f"{item.container} {wrong}",
                fix="set what it writes at most to its own files, its logs and emptyDir volumes",
            )


RULE = Rule(
    id="ephemeral-storage-set",
    applies_to=Workload,
    severity=Severity.WARNING,
    check=check,
    options=EphemeralStorageOptions,
    by_settings=True,
)
