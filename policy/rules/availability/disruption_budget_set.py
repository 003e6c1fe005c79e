"""Every workload that may have several pods has a PodDisruptionBudget.

Asked are kinds with `replicas` that may have two pods or more, by `replicas` or by the maximum of an autoscaler. A
single pod needs none: a budget could only forbid its eviction, or say nothing. The pods of a DaemonSet are not evicted
by a drain. A budget that selects no pod protects nothing, and is a warning: its pods may be made by somebody else.

Why: a drain evicts every pod of its node at once. Without a budget nobody asks whether the others can carry the load,
and two nodes drained together may take all pods of a service.

Fix: add a PodDisruptionBudget with `maxUnavailable: 1` that selects the workload's pods.

Bad:

```yaml
kind: Deployment
metadata:
  name: user-service
spec:
  replicas: 3
# and no PodDisruptionBudget
```

Good:

```yaml
kind: PodDisruptionBudget
metadata:
  name: user-service
spec:
  maxUnavailable: 1
  selector:
    matchLabels:
      app.kubernetes.io/name: user-service
```
"""

from __future__ import annotations

from collections.abc import Iterator

from policy.findings import Finding, Severity
from policy.manifests.index import Index
from policy.manifests.resources import PodDisruptionBudget
from policy.rules.rule import Context, Rule


def check(index: Index, context: Context) -> Iterator[Finding]:
    for workload in index.workloads:
        replicas = index.replicas_of(workload)
        if replicas is not None and replicas.ceiling > 1 and not index.budgets_of(workload):
            most = f"up to {replicas.ceiling} pods" if replicas.autoscaler else f"{replicas.ceiling} pods"
            yield Finding(
                at=workload.field(),
                message=f"{most} and no PodDisruptionBudget that selects them",
                fix="add a PodDisruptionBudget with maxUnavailable 1 that selects these pods",
            )
    for budget in index.all(PodDisruptionBudget):
        selector = budget.spec.selector
        if selector is None or not index.selected(budget.namespace, selector):
            yield Finding(
                at=budget.field("spec", "selector"),
                message="selects no pod: " + ("it has no selector" if selector is None else f"none has {selector}"),
                fix="select the labels of the pods that it is to protect, or remove it",
                severity=Severity.WARNING,
            )


RULE = Rule(id="disruption-budget-set", applies_to=Index, severity=Severity.ERROR, check=check)
