"""Every container requests cpu and memory.

A LimitRange's default counts, unless the setting `explicit` is true: then a container states its own, so that the file
shows what it gets and a change of the LimitRange changes no container.

Why: the scheduler places a pod by its requests. Without them it is put on a full node, gets next to no cpu there, and
is among the first to be evicted.

Fix: set `resources.requests` to what the container uses on a normal day.

Bad:

```yaml
resources:
  limits:
    memory: 256Mi
```

Good:

```yaml
resources:
  requests:
    cpu: 100m
    memory: 128Mi
  limits:
    memory: 256Mi
```

What counts is the value in effect: a limit is also the request where that is absent, a LimitRange of the namespace
fills in its defaults, and a request for the pod as a whole (`spec.resources`) stands for its containers. Init
containers count as well; a request of zero is none.
"""

from __future__ import annotations

from collections.abc import Iterator

from policy.findings import Finding, Severity
from policy.manifests.workloads import Workload
from policy.rules.rule import Context, Options, Rule


class RequestsOptions(Options, frozen=True):
    """Whether a LimitRange's default is a request of the container."""

    explicit: bool = False


def check(workload: Workload, context: Context) -> Iterator[Finding]:
    options = context.options(RequestsOptions)
    requirements = context.index.requirements_of(workload)
    for entry in requirements.unreadable:
        if entry.field.path[-2] == "requests":
            yield Finding(
                at=entry.field,
                message=f"the request of {entry.field.path[-1]} is {entry.text!r}, which is not a quantity",
                fix="write a quantity such as 100m (cpu) or 128Mi (memory)",
            )
    for resource in ("cpu", "memory"):
        for item in requirements.without("requests", resource, own=options.explicit):
            yield Finding(
                at=item.container.field("resources", "requests", resource),
                message=f"{item.container} requests no {resource}",
                fix=f"request the {resource} that it uses on a normal day",
            )


RULE = Rule(
    id="requests-set",
    applies_to=Workload,
    severity=Severity.ERROR,
    check=check,
    options=RequestsOptions,
    by_settings=True,
)
