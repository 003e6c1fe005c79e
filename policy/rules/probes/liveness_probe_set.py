"""Every long-running container has a liveness probe.

Why: a process that hangs, in a deadlock or out of file handles, still exists; without the probe nothing restarts it,
and the pod stays broken until a person looks.

Fix: add a `livenessProbe` that asks only the process itself. It must not ask a database or another service: when that
one is down, restarting this container helps nobody.

Bad:

```yaml
containers:
  - name: user-service
    image: user-service:1.4.2
```

Good:

```yaml
containers:
  - name: user-service
    image: user-service:1.4.2
    livenessProbe:
      httpGet:
        path: /alive
        port: http
```
"""

from __future__ import annotations

from collections.abc import Iterator

from policy.findings import Finding, Severity
from policy.manifests.workloads import Workload
from policy.rules.rule import Context, Rule


def check(workload: Workload, context: Context) -> Iterator[Finding]:
    for container in workload.long_running:
        probe = container.spec.liveness_probe
        if probe is None or probe.action is None:
            wrong = "has no liveness probe" if probe is None else "has a liveness probe that asks nothing"
            yield Finding(
                at=container.field("livenessProbe"),
                message=f"{container} {wrong}",
                fix="add a livenessProbe that asks only the process itself, not what it depends on",
            )


RULE = Rule(id="liveness-probe-set", applies_to=Workload, severity=Severity.ERROR, check=check, by_settings=True)
