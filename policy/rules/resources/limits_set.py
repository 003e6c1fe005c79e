"""Every container has a memory limit, and a cpu limit where the repository asks for one.

A LimitRange's default counts, unless the setting `explicit` is true: then a container states its own, so that the file
shows what it gets and a change of the LimitRange changes no container.

Why: a container without a memory limit that leaks takes its whole node down, and its neighbours with it. A cpu limit
is a choice: it makes a container's speed predictable and slows it where the node would have had cpu to spare.

Fix: set `resources.limits.memory` above the highest use that is still sound. `cpu = true` under `[rules.limits-set]`
in policy.toml asks for a cpu limit too.

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
  limits:
    memory: 256Mi
```

What counts is the value in effect: a LimitRange of the namespace fills in its defaults, and a limit for the pod as a
whole (`spec.resources`) stands for its containers.
"""

from __future__ import annotations

from collections.abc import Iterator

from policy.findings import Finding, Severity
from policy.manifests.workloads import Workload
from policy.rules.rule import Context, Options, Rule


class LimitsOptions(Options, frozen=True):
    """``memory`` and ``cpu`` are the limits that are asked for; with ``explicit`` a LimitRange's default is none."""

    memory: bool = True
    cpu: bool = False
    explicit: bool = False


def check(workload: Workload, context: Context) -> Iterator[Finding]:
    options = context.options(LimitsOptions)
    requirements = context.index.requirements_of(workload)
    for entry in requirements.unreadable:
        if entry.field.path[-2] == "limits":
            yield Finding(
                at=entry.field,
                message=f"the limit of {entry.field.path[-1]} is {entry.text!r}, which is not a quantity",
                fix="write a quantity such as 500m (cpu) or 256Mi (memory)",
            )
    for resource, asked in (("cpu", options.cpu), ("memory", options.memory)):
        for item in requirements.without("limits", resource, own=options.explicit) if asked else ():
            yield Finding(
                at=item.container.field("resources", "limits", resource),
                message=f"{item.container} has no {resource} limit",
                fix=f"limit its {resource} to more than it soundly uses at most",
            )


RULE = Rule(
    id="limits-set",
    applies_to=Workload,
    severity=Severity.ERROR,
    check=check,
    options=LimitsOptions,
    by_settings=True,
)
