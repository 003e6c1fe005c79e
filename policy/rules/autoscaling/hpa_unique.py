"""No two autoscalers scale the same workload.

A ScaledObject of KEDA counts: KEDA makes a HorizontalPodAutoscaler of it.

Why: each sets the replicas by its own metrics, and the other takes it back a few seconds later: the workload flaps for
ever.

Fix: give one autoscaler all metrics; it takes the largest number of replicas that any of them asks for.

Bad:

```yaml
kind: HorizontalPodAutoscaler
metadata:
  name: by-cpu
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
---
kind: HorizontalPodAutoscaler
metadata:
  name: by-memory
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
```

Good:

```yaml
kind: HorizontalPodAutoscaler
metadata:
  name: web
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  metrics:
    - type: Resource
      resource: {name: cpu, target: {type: Utilization, averageUtilization: 70}}
    - type: Resource
      resource: {name: memory, target: {type: Utilization, averageUtilization: 80}}
```
"""

from __future__ import annotations

from collections.abc import Iterator

from policy.findings import Finding, Severity
from policy.manifests.index import Index
from policy.manifests.replicas import Autoscaler
from policy.rules.rule import Context, Rule


def check(index: Index, context: Context) -> Iterator[Finding]:
    firsts: dict[tuple[str, str, str], Autoscaler] = {}
    for autoscaler in index.autoscalers:
        target = f"{autoscaler.target_kind}/{autoscaler.target_name}"
        first = firsts.setdefault(
            (autoscaler.ref.namespace, autoscaler.target_kind, autoscaler.target_name), autoscaler
        )
        if first is not autoscaler:
            yield Finding(
                at=autoscaler.field("spec", "scaleTargetRef"),
                message=f"{first.ref} scales {target} too: each takes back what the other sets",
                fix="give one autoscaler all metrics, and remove the other",
                related=(first.field("spec", "scaleTargetRef"),),
            )


RULE = Rule(id="hpa-unique", applies_to=Index, severity=Severity.ERROR, check=check)
