"""Containers run under a user and a group with a high number.

Why: outside a user namespace a number in the container is the same number on the node. A low one belongs to somebody
there, often to a service of the node, whose files the container may then read. Without `runAsGroup` the group of a user
whom the image does not list is 0, the group of root.

Fix: set `runAsUser` and `runAsGroup` in the pod's securityContext, both at or above the minimum.

Settings: `minimum`, the lowest number that passes (10000).

Bad:

```yaml
spec:
  securityContext:
    runAsUser: 1000
```

Good:

```yaml
spec:
  securityContext:
    runAsUser: 10001
    runAsGroup: 10001
```
"""

from __future__ import annotations

from collections.abc import Iterator

from policy.findings import Finding, Severity
from policy.manifests.security import by_field, listed, run_as_group, run_as_user
from policy.manifests.workloads import Workload
from policy.rules.rule import Context, Options, Rule


class UserIdHighOptions(Options, frozen=True):
    minimum: int = 10000


def check(workload: Workload, context: Context) -> Iterator[Finding]:
    if workload.is_windows:
        return
    minimum = context.options(UserIdHighOptions).minimum
    for name, settings in (("runAsUser", run_as_user(workload)), ("runAsGroup", run_as_group(workload))):
        low = (setting for setting in settings if setting.value is None or setting.value < minimum)
        for setting, containers in by_field(low):
            says = "is not set" if setting.value is None else f"is {setting.value}, below {minimum},"
            yield Finding(
                at=setting.at,
                message=f"{name} {says} for {listed(containers)}",
                fix=f"set {name} to {minimum} or above",
            )


RULE = Rule(
    id="user-id-high",
    applies_to=Workload,
    severity=Severity.WARNING,
    check=check,
    options=UserIdHighOptions,
    by_settings=True,
)
