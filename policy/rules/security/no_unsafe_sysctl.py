"""Pods set only sysctls that the Pod Security Standards call safe.

The list grows with Kubernetes: a sysctl must be safe in every version that the manifests are for.

Why: a safe sysctl belongs to the pod alone. Any other changes the kernel for its neighbours too, or is refused by a
node that was not told to allow it, and then the pod never starts.

Fix: remove the sysctl; what a whole node needs is set where the node is made.

Bad:

```yaml
spec:
  securityContext:
    sysctls:
      - name: kernel.msgmax
        value: "65536"
```

Good:

```yaml
spec:
  securityContext:
    sysctls:
      - name: net.ipv4.ip_unprivileged_port_start
        value: "0"
```
"""

from __future__ import annotations

from collections.abc import Iterator

from policy.findings import Finding, Severity
from policy.manifests.pod_security import LATEST, SAFE_SYSCTLS, minor_version
from policy.manifests.workloads import Workload
from policy.rules.rule import Context, Rule


def check(workload: Workload, context: Context) -> Iterator[Finding]:
    security = workload.pod.security_context
    if security is None or not security.sysctls:
        return
    oldest = min(map(minor_version, context.kubernetes), default=LATEST)
    for index, sysctl in enumerate(security.sysctls):
        safe_from = SAFE_SYSCTLS.get(sysctl.name)
        if safe_from is None or safe_from > oldest:
            since = f": only from Kubernetes 1.{safe_from} on, not in 1.{oldest}" if safe_from else ""
            yield Finding(
                at=workload.pod_field("securityContext", "sysctls", index, "name"),
                message=f"the sysctl {sysctl.name or '(unnamed)'} is not safe{since}",
                fix="remove it",
            )


RULE = Rule(id="no-unsafe-sysctl", applies_to=Workload, severity=Severity.ERROR, check=check, by_settings=True)
