"""What an autoscaler scales exists, and can be scaled.

The target is looked up as the controller does: by API group and kind, in the autoscaler's own namespace. Without
`apiVersion` the group is the core group, which has no Deployment. A ScaledObject of KEDA means a Deployment of `apps`
where it does not say.

Why: an autoscaler without its target says so in its status and nowhere else. The workload stays at the replicas it has.

Fix: name the target with its `apiVersion`, `kind` and `name`.

Bad:

```yaml
kind: HorizontalPodAutoscaler
spec:
  scaleTargetRef:
    kind: Deployment
    name: product-servce
```

Good:

```yaml
kind: HorizontalPodAutoscaler
spec:
  scaleTargetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: product-service
```
"""

from __future__ import annotations

from collections.abc import Iterator

from policy.findings import Finding, Severity
from policy.manifests.index import Index
from policy.manifests.names import nearest
from policy.manifests.replicas import Autoscaler
from policy.rules.rule import Context, Rule

_WITHOUT_SCALE = frozenset({"CronJob", "DaemonSet", "Job", "Pod"})


def check(index: Index, context: Context) -> Iterator[Finding]:
    for autoscaler in index.autoscalers:
        at = autoscaler.field("spec", "scaleTargetRef")
        kind, name = autoscaler.target_kind, autoscaler.target_name
        target = index.resource(kind, autoscaler.ref.namespace, name)
        if kind in _WITHOUT_SCALE:
            yield Finding(
                at=at["kind"],
                message=f"a {kind} has no scale that an autoscaler could set",
                fix="name a Deployment or another kind with replicas, or remove the autoscaler",
            )
        elif target is None:
            yield _missing(autoscaler, index)
        elif target.group != autoscaler.target_group:
            group = autoscaler.target_group or "the core group"
            yield Finding(
                at=at["apiVersion"],
                message=f"there is no {kind} in {group}; {target.ref} is {target.ref.api_version}",
                fix=f"set apiVersion: {target.ref.api_version}",
            )


def _missing(autoscaler: Autoscaler, index: Index) -> Finding:
    namespace = autoscaler.ref.namespace
    others = index.names(autoscaler.target_kind, namespace)
    where = f" in namespace {namespace}" if namespace else ""
    return Finding(
        at=autoscaler.field("spec", "scaleTargetRef", "name"),
        message=f"there is no {autoscaler.target_kind} {autoscaler.target_name}{where}"
        + nearest(autoscaler.target_name, others),
        fix="name what is to be scaled, or remove the autoscaler",
    )


RULE = Rule(id="hpa-target-exists", applies_to=Index, severity=Severity.ERROR, check=check)
