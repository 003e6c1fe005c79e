"""An autoscaler that holds a utilisation finds a request to hold it against, in every container.

A utilisation of cpu or memory is a share of the requests of all main containers and native sidecars; a
`ContainerResource` metric is one of the container it names, which must exist. LimitRange defaults, limits that stand in
for requests, and requests of the whole pod count. Without any metric an autoscaler holds 80% of the cpu request.

Why: if one container of a pod, a sidecar say, has no request, the controller cannot reckon the pod's utilisation, and
does not scale at all.

Fix: request the resource in every container, or measure one container with a `ContainerResource` metric.

Bad:

```yaml
# a HorizontalPodAutoscaler holds 70% cpu
containers:
  - name: product-service
    resources:
      requests:
        cpu: 100m
  - name: proxy
```

Good:

```yaml
containers:
  - name: product-service
    resources:
      requests:
        cpu: 100m
  - name: proxy
    resources:
      requests:
        cpu: 20m
```
"""

from __future__ import annotations

from collections.abc import Iterator

from policy.findings import Finding, Severity
from policy.manifests.index import Index
from policy.manifests.metrics import Utilisation, utilisations
from policy.manifests.names import nearest
from policy.manifests.replicas import Autoscaler
from policy.manifests.workloads import Container, Workload
from policy.rules.rule import Context, Rule


def check(index: Index, context: Context) -> Iterator[Finding]:
    told: set[tuple[int, str]] = set()
    for autoscaler in index.autoscalers:
        target = index.workload(autoscaler.target_kind, autoscaler.ref.namespace, autoscaler.target_name)
        if target is None:
            continue
        for metric in utilisations(autoscaler):
            yield from _named(metric, target)
            for container in _without(metric, target, index):
                if (id(container), metric.resource) not in told:
                    told.add((id(container), metric.resource))
                    yield _finding(container, metric, autoscaler)


def _named(metric: Utilisation, target: Workload) -> Iterator[Finding]:
    names = [container.name for container in target.containers if container.runs_on]
    if metric.container is not None and metric.container not in names:
        yield Finding(
            at=metric.at,
            message=f"{target.ref} has no container {metric.container}{nearest(metric.container, names)}",
            fix="name the container whose utilisation is meant",
        )


def _without(metric: Utilisation, target: Workload, index: Index) -> Iterator[Container]:
    for item in index.requirements_of(target).without("requests", metric.resource):
        if item.container.runs_on and metric.container in (None, item.container.name):
            yield item.container


def _finding(container: Container, metric: Utilisation, autoscaler: Autoscaler) -> Finding:
    return Finding(
        at=container.field("resources", "requests", metric.resource),
        message=f"{container} requests no {metric.resource}, and {autoscaler.ref} holds a share of it: it cannot scale",
        fix=f"request {metric.resource}",
        related=(metric.at,),
    )


RULE = Rule(id="hpa-request-set", applies_to=Index, severity=Severity.ERROR, check=check)
