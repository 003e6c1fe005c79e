"""Every long-running container has a readiness probe.

Why: without one a pod gets traffic as soon as its process exists, and keeps it while its dependencies are down. A pod
is ready only when all its containers are, so a sidecar needs its own as much as the main container does.

Fix: add a `readinessProbe` that asks what the container needs to serve a request.

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
    readinessProbe:
      httpGet:
        path: /ready
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
        probe = container.spec.readiness_probe
        if probe is None or probe.action is None:
            wrong = "has no readiness probe" if probe is None else "has a readiness probe that asks nothing"
            yield Finding(
                at=container.field("readinessProbe"),
                message=f"{container} {wrong}",
                fix="add a readinessProbe that asks what it needs to serve a request",
            )


RULE = Rule(id="readiness-probe-set", applies_to=Workload, severity=Severity.ERROR, check=check, by_settings=True)
