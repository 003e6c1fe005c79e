"""A workload with several pods asks for different nodes for them.

Either a `topologySpreadConstraint` over `kubernetes.io/hostname` or a `podAntiAffinity` term, required or preferred,
over `kubernetes.io/hostname` or a zone. What it selects must be the workload's own pods: a term looks at its own
namespace unless it names others, an absent selector selects no pod. A constraint over zones alone allows all pods of a
zone on one node. Asked are kinds with `replicas` that may have two pods or more.

Why: the scheduler is free to put all pods of a workload on one node, and then one failure is an outage, however many
replicas there are.

Fix: add a spread constraint over `kubernetes.io/hostname` that selects the pods' labels.

Bad:

```yaml
spec:
  replicas: 3
  template:
    spec:
      containers: …
```

Good:

```yaml
spec:
  replicas: 3
  template:
    spec:
      topologySpreadConstraints:
        - maxSkew: 1
          topologyKey: kubernetes.io/hostname
          whenUnsatisfiable: ScheduleAnyway
          labelSelector:
            matchLabels:
              app.kubernetes.io/name: user-service
```
"""

from __future__ import annotations

from collections.abc import Iterator

from policy.findings import Finding, Severity
from policy.manifests.resources import Namespace
from policy.manifests.spreading import spreads
from policy.manifests.workloads import Workload
from policy.rules.rule import Context, Rule

_FIX = "add a topologySpreadConstraint over kubernetes.io/hostname that selects these pods"


def check(workload: Workload, context: Context) -> Iterator[Finding]:
    replicas = context.index.replicas_of(workload)
    if replicas is None or replicas.ceiling < 2:
        return
    namespace = context.index.find(Namespace, "", workload.namespace)
    terms = list(spreads(workload, namespace.resource.labels if namespace else {}))
    if any(term.problem is None for term in terms):
        return
    nothing = f"nothing keeps its {replicas.ceiling} pods from running on one node"
    if not terms:
        yield Finding(at=workload.pod_field("topologySpreadConstraints"), message=nothing, fix=_FIX)
    else:
        first, *others = terms
        yield Finding(
            at=first.at,
            message=f"{nothing}: this term {first.problem}",
            fix=_FIX,
            related=tuple(other.at for other in others),
        )


RULE = Rule(id="spread-across-nodes", applies_to=Workload, severity=Severity.WARNING, check=check)
