"""What an autoscaler scales states no replicas of its own.

Looked at is what is rendered: a `replicas:` entry of a kustomization counts as much as the field in the manifest. It
holds for every kind that can be scaled, custom ones too.

Why: both set the same field. Every apply, and with Argo CD every sync, takes the workload back to the number in Git, in
the middle of the load that the autoscaler had scaled it for; and with self-healing the two fight for ever.

Fix: remove `replicas` from the target; the autoscaler's `minReplicas` is its floor.

Bad:

```yaml
kind: Deployment
metadata:
  name: product-service   # a HorizontalPodAutoscaler scales it
spec:
  replicas: 2
```

Good:

```yaml
kind: Deployment
metadata:
  name: product-service
spec:
  selector: …
```
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from policy.findings import Finding, ObjectRef, Severity
from policy.manifests.index import Index
from policy.rules.rule import Context, Rule


def check(index: Index, context: Context) -> Iterator[Finding]:
    told: set[ObjectRef] = set()
    for autoscaler in index.autoscalers:
        target = index.resource(autoscaler.target_kind, autoscaler.ref.namespace, autoscaler.target_name)
        spec = target.raw.get("spec") if target else None
        if target is None or target.ref in told or not isinstance(spec, Mapping) or spec.get("replicas") is None:
            continue
        told.add(target.ref)
        yield Finding(
            at=target.field("spec", "replicas"),
            message=f"replicas is {spec['replicas']}, and {autoscaler.ref} sets it too: "
            "every apply takes back what was scaled",
            fix="remove replicas; the autoscaler's minimum is the floor",
            related=(autoscaler.minimum_field,),
        )


RULE = Rule(id="hpa-owns-replicas", applies_to=Index, severity=Severity.ERROR, check=check)
