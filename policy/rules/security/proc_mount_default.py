"""Every container has the default, masked /proc.

Why: container runtimes hide the parts of /proc that tell about the node or change it. `procMount: Unmasked` shows them.

Fix: remove `procMount`; only a container that builds containers inside a user namespace needs another.

Bad:

```yaml
securityContext:
  procMount: Unmasked
```

Good:

```yaml
securityContext:
  procMount: Default
```
"""

from __future__ import annotations

from collections.abc import Iterator

from policy.findings import Finding, Severity
from policy.manifests.workloads import Workload
from policy.rules.rule import Context, Rule


def check(workload: Workload, context: Context) -> Iterator[Finding]:
    for container in workload.containers:
        security = container.spec.security_context
        if security is not None and security.proc_mount not in (None, "Default"):
            yield Finding(
                at=container.field("securityContext", "procMount"),
                message=f"procMount of {container} is {security.proc_mount or 'empty'}, not Default",
                fix="remove procMount",
            )


RULE = Rule(id="proc-mount-default", applies_to=Workload, severity=Severity.ERROR, check=check, by_settings=True)
