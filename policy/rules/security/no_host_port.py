"""No container takes a port of its node.

Why: a port of the node can be had once, so pods compete for nodes; and it is reached past Services and, in most
clusters, past NetworkPolicies.

Fix: remove `hostPort`, and let a Service or an Ingress lead there.

Bad:

```yaml
ports:
  - name: http
    containerPort: 8080
    hostPort: 80
```

Good:

```yaml
ports:
  - name: http
    containerPort: 8080
```
"""

from __future__ import annotations

from collections.abc import Iterator

from policy.findings import Finding, Severity
from policy.manifests.workloads import Workload
from policy.rules.rule import Context, Rule


def check(workload: Workload, context: Context) -> Iterator[Finding]:
    for container in workload.containers:
        for index, port in enumerate(container.spec.ports or ()):
            if port.host_port:
                yield Finding(
                    at=container.field("ports", index, "hostPort"),
                    message=f"{container} takes port {port.host_port} of the node",
                    fix="remove hostPort, and let a Service or an Ingress lead there",
                )


RULE = Rule(id="no-host-port", applies_to=Workload, severity=Severity.ERROR, check=check, by_settings=True)
