"""Every container drops all capabilities.

`ALL` is written in capitals: the admission control of Kubernetes knows no other spelling. Windows pods are exempt, as
in the Pod Security Standards.

Why: container runtimes give a container some parts of root's power (to change owners of files, to send raw packets)
that hardly any service uses, and an intruder does.

Fix: set `capabilities.drop: [ALL]`, and add back what is needed by name.

Bad:

```yaml
securityContext:
  capabilities:
    drop: [NET_RAW]
```

Good:

```yaml
securityContext:
  capabilities:
    drop: [ALL]
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
        dropped = security.capabilities.drop or () if security is not None and security.capabilities is not None else ()
        if "ALL" not in dropped:
            yield Finding(
                at=container.field("securityContext", "capabilities", "drop"),
                message=f"{container} {_says(dropped)}",
                fix="set capabilities.drop: [ALL]",
            )


def _says(dropped: tuple[str, ...]) -> str:
    misspelt = next((name for name in dropped if name.upper().removeprefix("CAP_") == "ALL"), None)
    if misspelt:
        return f"drops {misspelt}, which is not ALL"
    return f"drops only {', '.join(dropped)}" if dropped else "drops no capabilities"


RULE = Rule(id="capabilities-dropped", applies_to=Workload, severity=Severity.ERROR, check=check, by_settings=True)
