"""Every StatefulSet is governed by a headless Service that selects its pods.

Why: the pods of a StatefulSet have names that last, such as `redis-0.redis`, and only the Service that `serviceName`
names gives them: it must exist, be headless (`clusterIP: None`), and select the pods. Otherwise replicas do not find
each other, and clients cannot address one of them.

Fix: add a Service with `clusterIP: None` that selects the pods, and name it in `serviceName`.

Bad:

```yaml
kind: StatefulSet
spec:
  serviceName: redis
---
kind: Service
metadata:
  name: redis
spec:
  selector:
    app.kubernetes.io/name: redis
```

Good:

```yaml
kind: StatefulSet
spec:
  serviceName: redis
---
kind: Service
metadata:
  name: redis
spec:
  clusterIP: None
  selector:
    app.kubernetes.io/name: redis
```
"""

from __future__ import annotations

from collections.abc import Iterator

from policy.findings import Finding, Severity
from policy.manifests.resources import Service
from policy.manifests.selectors import LabelSelector
from policy.manifests.workloads import Workload
from policy.rules.rule import Context, Rule


def check(workload: Workload, context: Context) -> Iterator[Finding]:
    if workload.kind != "StatefulSet":
        return
    at = workload.field("spec", "serviceName")
    name = workload.spec.service_name
    if not name:
        yield Finding(
            at=at,
            message="names no Service, so its pods have no names of their own in DNS",
            fix="add a headless Service that selects these pods, and name it here",
        )
        return
    service = context.index.find(Service, workload.namespace, name)
    if service is None:
        yield Finding(
            at=at,
            message=f"there is no Service {name}"
            + (f" in namespace {workload.namespace}" if workload.namespace else ""),
            fix="add a headless Service of that name that selects these pods",
        )
    elif not service.spec.is_headless:
        yield Finding(
            at=service.field("spec", "clusterIP"),
            message=f"this Service gives the pods of {workload.ref} their names, and is not headless",
            fix="set clusterIP: None; if clients need one address, add a second Service for them",
            related=(at,),
        )
    elif service not in context.index.services_of(workload):
        selector = LabelSelector(match_labels=service.spec.selector)
        has = f"selects {selector}, which is not them" if service.spec.selects else "has no selector"
        yield Finding(
            at=service.field("spec", "selector"),
            message=f"this Service gives the pods of {workload.ref} their names, and {has}",
            fix="select the labels of these pods",
            related=(at,),
        )


RULE = Rule(id="stateful-service-headless", applies_to=Workload, severity=Severity.ERROR, check=check)
