"""No container is privileged.

On Windows the same power is called a HostProcess container, and is found too.

Why: a privileged container has every capability, every device and no filter of system calls: it is the node.

Fix: remove `privileged`, and add the one capability that is needed instead.

Bad:

```yaml
securityContext:
  privileged: true
```

Good:

```yaml
securityContext:
  allowPrivilegeEscalation: false
  capabilities:
    drop: [ALL]
```
"""

from __future__ import annotations

from collections.abc import Iterator

from policy.findings import Finding, Severity
from policy.manifests.security import by_field, host_process, listed
from policy.manifests.workloads import Workload
from policy.rules.rule import Context, Rule


def check(workload: Workload, context: Context) -> Iterator[Finding]:
    for container in workload.containers:
        if container.spec.security_context is not None and container.spec.security_context.privileged:
            yield Finding(
                at=container.field("securityContext", "privileged"),
                message=f"{container} is privileged",
                fix="remove privileged, and add only the capability that it needs",
            )
    for setting, containers in by_field(setting for setting in host_process(workload) if setting.value):
        yield Finding(
            at=setting.at,
            message=f"hostProcess is true for {listed(containers)}: a process of the Windows node itself",
            fix="remove hostProcess",
        )


RULE = Rule(id="no-privileged-container", applies_to=Workload, severity=Severity.ERROR, check=check, by_settings=True)
