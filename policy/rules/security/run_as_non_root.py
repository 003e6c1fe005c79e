"""Containers run as another user than root.

A container runs as root unless something keeps it from it: `runAsNonRoot: true` (Kubernetes then refuses to start an
image whose user is root), or a `runAsUser` other than 0. Both may be set in the pod for all its containers.

Why: who breaks out of a process that runs as root is root on the node, unless every other line of defence holds.

Fix: set `runAsNonRoot: true` in the pod's securityContext, and a `runAsUser` where the image names none by number.

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
from policy.manifests.security import Effective, by_field, listed, run_as_non_root, run_as_user
from policy.manifests.workloads import Workload
from policy.rules.rule import Context, Rule


def check(workload: Workload, context: Context) -> Iterator[Finding]:
    users = run_as_user(workload)
    for user, containers in by_field(user for user in users if user.value == 0):
        yield Finding(
            at=user.at,
            message=f"runAsUser is 0, which is root, for {listed(containers)}",
            fix="name the number of another user",
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


RULE = Rule(id="run-as-non-root", applies_to=Workload, severity=Severity.ERROR, check=check)
