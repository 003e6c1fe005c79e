"""Every container has a read-only root filesystem.

Windows pods are exempt: the field does not exist there.

Why: an intruder who cannot write cannot bring tools or change the program, and what a service writes beside its volumes
is lost without a word when it restarts.

Fix: set `readOnlyRootFilesystem: true`, and mount an emptyDir with a sizeLimit where the program must write.

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
      readOnlyRootFilesystem: true
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
        if security is None or not security.read_only_root_filesystem:
            yield Finding(
                at=container.field("securityContext", "readOnlyRootFilesystem"),
                message=f"{container} can write to its root filesystem",
                fix="set readOnlyRootFilesystem: true, and mount an emptyDir where it must write",
            )


RULE = Rule(id="read-only-root", applies_to=Workload, severity=Severity.ERROR, check=check, by_settings=True)
