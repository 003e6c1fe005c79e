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

What must be bounded can be set: `hard` lists the names that the ResourceQuotas bound together, `defaults` the resources
that the LimitRanges give a default limit and a default request.

A ResourceQuota without an entry under `hard` and a LimitRange without limits bound nothing and do not count.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from policy.findings import Finding, Severity
from policy.manifests.index import Index
from policy.manifests.resources import LimitRange, ResourceQuota
from policy.rules.rule import Context, Options, Rule


class CoverageOptions(Options, frozen=True):
    """What must be bounded, beyond anything at all."""

    hard: tuple[str, ...] = ()
    defaults: tuple[str, ...] = ()


def check(index: Index, context: Context) -> Iterator[Finding]:
    options = context.options(CoverageOptions)
    for namespace in index.namespaces:
        quotas = [quota for quota in index.quotas_in(namespace) if quota.spec.hard]
        limit_ranges = [limit_range for limit_range in index.limit_ranges_in(namespace) if limit_range.spec.limits]
        missing = [kind for kind, found in (("ResourceQuota", quotas), ("LimitRange", limit_ranges)) if not found]
        if missing:
            yield Finding(
                at=index.place_of_namespace(namespace),
                message=f"{index.named_namespace(namespace)} has no {' and no '.join(missing)}",
                fix="add " + " and ".join(f"a {kind}" for kind in missing),
            )
        if quotas:
            yield from _unbounded(quotas, options.hard)
        if limit_ranges:
            yield from _without_default(limit_ranges, options.defaults)


def _unbounded(quotas: Sequence[ResourceQuota], names: Iterable[str]) -> Iterator[Finding]:
    for name in names:
        if not any(name in (quota.spec.hard or {}) for quota in quotas):
            yield Finding(
                at=quotas[0].field("spec", "hard", name),
                message=f"no ResourceQuota of the namespace bounds {name}",
                fix=f"add {name} to hard",
            )


def _without_default(limit_ranges: Sequence[LimitRange], resources: Iterable[str]) -> Iterator[Finding]:
    items = [
        (limit_range.field("spec", "limits", number), item)
        for limit_range in limit_ranges
        for number, item in enumerate(limit_range.spec.limits or ())
        if item.type == "Container"
    ]
    where = items[0][0] if items else limit_ranges[0].field("spec", "limits")
    for resource in resources:
        for key, what in (("default", "limit"), ("defaultRequest", "request")):
            given = (item.default if key == "default" else item.default_request for _, item in items)
            if not any(resource in (amounts or {}) for amounts in given):
                yield Finding(
                    at=where[key][resource],
                    message=f"no LimitRange of the namespace gives a container a default {what} of {resource}",
                    fix=f"add {resource} to {key} of an item of type Container",
                )


RULE = Rule(
    id="quota-covers-namespace", applies_to=Index, severity=Severity.ERROR, check=check, options=CoverageOptions
)
