"""Every Service that has a selector selects pods.

A pod is selected only if it has all labels of the selector, and is in the Service's own namespace. Services without a
selector, and those of type ExternalName, get their endpoints from elsewhere and are not judged.

Why: a Service that selects nothing has an address that answers nothing. It shows in no status, only in the time-outs of
those who call it.

Fix: select labels that the pods have, all of them.

Bad:

```yaml
kind: Service
spec:
  selector:
    app: user-service   # the pods have app.kubernetes.io/name
```

Good:

```yaml
kind: Service
spec:
  selector:
    app.kubernetes.io/name: user-service
```
"""

from __future__ import annotations

from collections.abc import Iterator

from policy.findings import Finding, Severity
from policy.manifests.index import Index
from policy.manifests.resources import Service
from policy.manifests.selectors import LabelSelector
from policy.rules.rule import Context, Rule

_MOST = 500
"""Among more workloads the search for the nearest one would cost more than the hint is worth."""


def check(service: Service, context: Context) -> Iterator[Finding]:
    selector = service.spec.selector
    if not service.spec.selects or not selector or context.index.pods_of(service):
        return
    where = f" in namespace {service.namespace}" if service.namespace else ""
    yield Finding(
        at=service.field("spec", "selector"),
        message=f"selects no pod{where}: none has {LabelSelector(match_labels=selector)}"
        + _nearest(service, selector, context.index),
        fix="select labels that the pods have",
    )


def _nearest(service: Service, selector: dict[str, str], index: Index) -> str:
    """What the workload has that shares most labels, or that has the Service's name."""
    workloads = index.workloads_in(service.namespace)
    if len(workloads) > _MOST:
        return ""
    shared = {id(item): sum(item.pod_labels.get(key) == value for key, value in selector.items()) for item in workloads}
    near = max(workloads, key=lambda item: (shared[id(item)], item.name == service.name), default=None)
    if near is None or not (shared[id(near)] or near.name == service.name):
        return ""
    key = next(key for key, value in selector.items() if near.pod_labels.get(key) != value)
    has = f"{key}={near.pod_labels[key]}" if key in near.pod_labels else f"no label {key}"
    return f"; {near.ref} has {has}"


RULE = Rule(id="service-selects-pods", applies_to=Service, severity=Severity.ERROR, check=check)
