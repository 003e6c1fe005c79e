"""Every namespace with workloads has a ResourceQuota and a LimitRange.

Why: without a quota one team's mistake, an autoscaler without bounds or a loop that makes Jobs, takes the whole
cluster's room. Without a LimitRange a container that states nothing has no bounds, and under a quota it is refused.

Fix: add both to the namespace, beside its Namespace object.

Bad:

```yaml
apiVersion: v1
kind: Namespace
metadata:
  name: shop
```

Good:

```yaml
apiVersion: v1
kind: Namespace
metadata:
  name: shop
---
apiVersion: v1
kind: ResourceQuota
metadata:
  name: compute
  namespace: shop
spec:
  hard:
    requests.cpu: "4"
    requests.memory: 8Gi
---
apiVersion: v1
kind: LimitRange
metadata:
  name: defaults
  namespace: shop
spec:
  limits:
    - type: Container
      default:
        memory: 256Mi
      defaultRequest:
        cpu: 100m
        memory: 128Mi
```

A ResourceQuota without an entry under `hard` and a LimitRange without limits bound nothing and do not count.
"""

from __future__ import annotations

from collections.abc import Iterator

from policy.findings import Finding, Severity
from policy.manifests.index import Index
from policy.rules.rule import Context, Rule


def check(index: Index, context: Context) -> Iterator[Finding]:
    for namespace in index.namespaces:
        missing = []
        if not any(quota.spec.hard for quota in index.quotas_in(namespace)):
            missing.append("ResourceQuota")
        if not any(limit_range.spec.limits for limit_range in index.limit_ranges_in(namespace)):
            missing.append("LimitRange")
        if missing:
            yield Finding(
                at=index.place_of_namespace(namespace),
                message=f"{'namespace ' + namespace if namespace else 'the namespace of these workloads'} has no "
                + " and no ".join(missing),
                fix="add " + " and ".join(f"a {kind}" for kind in missing),
            )


RULE = Rule(id="quota-covers-namespace", applies_to=Index, severity=Severity.ERROR, check=check)
