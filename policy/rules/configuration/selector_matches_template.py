"""The selector of a workload selects the pods that it makes.

Judged are Deployments, StatefulSets, DaemonSets and ReplicaSets, a ReplicationController or DeploymentConfig that has a
selector, and a Job with `manualSelector`; other Jobs get a selector of their own.

Why: the API server refuses a workload whose pods its own selector does not select, and an empty selector. A patch or a
`labels:` entry that reaches one of the two places and not the other is enough.

Fix: give the pod template all labels of the selector. The selector itself cannot be changed later.

Bad:

```yaml
spec:
  selector:
    matchLabels:
      app.kubernetes.io/name: user-service
  template:
    metadata:
      labels:
        app: user-service
```

Good:

```yaml
spec:
  selector:
    matchLabels:
      app.kubernetes.io/name: user-service
  template:
    metadata:
      labels:
        app.kubernetes.io/name: user-service
```
"""

from __future__ import annotations

from collections.abc import Iterator

from policy.findings import Finding, Severity, Skipped
from policy.manifests.decode import NotDecodable
from policy.manifests.workloads import Workload
from policy.rules.rule import Context, Rule


def check(workload: Workload, context: Context) -> Iterator[Finding | Skipped]:
    if workload.spec.selector is None or (workload.is_finite and not workload.spec.manual_selector):
        return
    try:
        selector = workload.selector
    except NotDecodable as error:
        at = workload.field("spec", "selector")
        yield Skipped(at, f"the selector of {workload.ref} is none that can be read: {error.message}")
        return
    if selector is None or (selector.matches(workload.pod_labels) and not selector.is_empty):
        return
    at = workload.field("spec", "selector")
    if selector.is_empty:
        yield Finding(
            at=at, message="the selector is empty, which the API server refuses", fix="select the pods' labels"
        )
        return
    has = ", ".join(f"{key}={value}" for key, value in sorted(workload.pod_labels.items())) or "no labels"
    yield Finding(
        at=at,
        message=f"selects {selector}, and the pods have {has}",
        fix="give the pod template all labels of the selector",
        related=(workload.field(*workload.template_path, "metadata", "labels"),),
    )


RULE = Rule(id="selector-matches-template", applies_to=Workload, severity=Severity.ERROR, check=check)
