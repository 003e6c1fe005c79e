"""No container may gain more privileges than it was started with.

Windows pods are exempt, as in the Pod Security Standards: the field does not exist there.

Why: `allowPrivilegeEscalation` is true where it is not set. A set-user-ID program inside the image then makes root of
any process.

Fix: set `allowPrivilegeEscalation: false` in the securityContext of every container; a pod has no such field.

Bad:

```yaml
containers:
  - name: user-service
```

Good:

```yaml
containers:
  - name: user-service
    securityContext:
      allowPrivilegeEscalation: false
```
"""

from __future__ import annotations

from collections.abc import Iterator

from policy.findings import Finding, Severity
from policy.manifests.workloads import Workload
from policy.rules.rule import Context, Rule


def check(workload: Workload, context: Context) -> Iterator[Finding]:
    if workload.is_windows:
        return
    for container in workload.containers:
        security = container.spec.security_context
        allowed = security.allow_privilege_escalation if security is not None else None
        if allowed is not False:
            says = "is true" if allowed else "is not set, which means true,"
            yield Finding(
                at=container.field("securityContext", "allowPrivilegeEscalation"),
                message=f"allowPrivilegeEscalation {says} for {container}",
                fix="set allowPrivilegeEscalation: false",
            )


RULE = Rule(id="no-privilege-escalation", applies_to=Workload, severity=Severity.ERROR, check=check, by_settings=True)
