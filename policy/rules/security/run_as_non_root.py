"""Containers run as another user than root, and not in root's group.

A container runs as root unless something keeps it from it: `runAsNonRoot: true` (Kubernetes then refuses to start an
image whose user is root), or a `runAsUser` other than 0. Both may be set in the pod for all its containers. A
`runAsGroup` of 0 is found where it is written; where none is, `user-id-high` says so.

Why: who breaks out of a process that runs as root is root on the node, unless every other line of defence holds. And
much of what root keeps to itself its group may read.

Fix: set `runAsNonRoot: true` in the pod's securityContext, with a `runAsUser` where the image names none by number.

Bad:

```yaml
spec:
  containers:
    - name: user-service
      securityContext:
        runAsUser: 0
```

Good:

```yaml
spec:
  securityContext:
    runAsNonRoot: true
    runAsUser: 10001
  containers:
    - name: user-service
```
"""

from __future__ import annotations

from collections.abc import Iterator

from policy.findings import Finding, Severity
from policy.manifests.security import Effective, by_field, listed, run_as_group, run_as_non_root, run_as_user
from policy.manifests.workloads import Workload
from policy.rules.rule import Context, Rule


def check(workload: Workload, context: Context) -> Iterator[Finding]:
    users = run_as_user(workload)
    for name, settings in (("runAsUser", users), ("runAsGroup", run_as_group(workload))):
        for zero, containers in by_field(setting for setting in settings if setting.value == 0):
            yield Finding(
                at=zero.at,
                message=f"{name} is 0, which is root, for {listed(containers)}",
                fix="use another number",
            )
    unknown = [
        setting
        for setting, user in zip(run_as_non_root(workload), users, strict=True)
        if user.value is None and not setting.value
    ]
    for setting, containers in by_field(unknown):
        yield _may_be_root(setting, listed(containers))


def _may_be_root(setting: Effective[bool], who: str) -> Finding:
    says = "is not set" if setting.value is None else "is false"
    return Finding(
        at=setting.at,
        message=f"runAsNonRoot {says} for {who}, so the image decides whether it is root",
        fix="set runAsNonRoot: true",
    )


RULE = Rule(id="run-as-non-root", applies_to=Workload, severity=Severity.ERROR, check=check, by_settings=True)
