"""No pod shares the network, processes or memory of its node.

Why: with `hostNetwork` a pod reaches what listens only on the node itself, and NetworkPolicies do not hold it; with
`hostPID` it sees and signals every process; with `hostIPC` it reads their shared memory.

Fix: remove the field; what watches nodes belongs in a namespace of its own, with an exception that says why.

Bad:

```yaml
spec:
  hostNetwork: true
```

Good:

```yaml
spec:
  hostNetwork: false
```
"""

from __future__ import annotations

from collections.abc import Iterator

from policy.findings import Finding, Severity
from policy.manifests.workloads import Workload
from policy.rules.rule import Context, Rule


def check(workload: Workload, context: Context) -> Iterator[Finding]:
    pod = workload.pod
    for name, value, shared in (
        ("hostNetwork", pod.host_network, "network"),
        ("hostPID", pod.host_pid, "processes"),
        ("hostIPC", pod.host_ipc, "shared memory"),
    ):
        if value:
            yield Finding(
                at=workload.pod_field(name),
                message=f"{name} is true: the pods share the {shared} of their node",
                fix=f"remove {name}",
            )


RULE = Rule(id="no-host-namespace", applies_to=Workload, severity=Severity.ERROR, check=check, by_settings=True)
