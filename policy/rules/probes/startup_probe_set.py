"""Every long-running container has a startup probe.

Why: the liveness probe begins at once. A container that one day starts more slowly (a cold cache, a migration, a busy
node) is restarted before it is up, again and again. A startup probe holds the other two back until it has passed, so
that they can be quick.

Fix: add a `startupProbe` whose failureThreshold × periodSeconds is longer than the slowest start.

Bad:

```yaml
containers:
  - name: user-service
    image: user-service:1.4.2
    livenessProbe:
      httpGet:
        path: /alive
        port: http
      initialDelaySeconds: 60
```

Good:

```yaml
containers:
  - name: user-service
    image: user-service:1.4.2
    startupProbe:
      httpGet:
        path: /alive
        port: http
      periodSeconds: 2
      failureThreshold: 30
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
        probe = container.spec.startup_probe
        if probe is None or probe.action is None:
            wrong = "has no startup probe" if probe is None else "has a startup probe that asks nothing"
            yield Finding(
                at=container.field("startupProbe"),
                message=f"{container} {wrong}",
                fix="add a startupProbe that allows for the slowest start",
            )


RULE = Rule(id="startup-probe-set", applies_to=Workload, severity=Severity.WARNING, check=check, by_settings=True)
