"""No limit is below its request.

Why: the API server refuses such a pod. It is easily made without seeing it: a request is raised, the limit comes from
a LimitRange's default, and the Deployment exists while none of its pods does.

Fix: raise the limit to the request or above; state it, where so far a LimitRange gave it.

Bad:

```yaml
resources:
  requests:
    memory: 512Mi
  limits:
    memory: 256Mi
```

Good:

```yaml
resources:
  requests:
    memory: 256Mi
  limits:
    memory: 512Mi
```

Huge pages and extended resources such as `nvidia.com/gpu` cannot be overcommitted: there the two must be equal. With
resources for the pod as a whole (`spec.resources`), its containers together may not request more than it does, and
none may have a higher limit.
"""

from __future__ import annotations

from collections.abc import Iterator

from policy.findings import Finding, ObjectRef, Severity
from policy.manifests.quantities import format_quantity
from policy.manifests.requirements import (
    Amount,
    ContainerRequirements,
    PodRequirements,
    Requirements,
    can_be_overcommitted,
)
from policy.manifests.workloads import Workload
from policy.rules.rule import Context, Rule


def check(workload: Workload, context: Context) -> Iterator[Finding]:
    requirements = context.index.requirements_of(workload)
    for item in requirements.containers:
        yield from _container(item)
    if requirements.pod_level:
        yield from _pod(workload, requirements, requirements.pod_level)


def _container(item: ContainerRequirements) -> Iterator[Finding]:
    container, effective = item.container, item.effective
    for resource, request in effective.requests.items():
        limit = effective.limits.get(resource)
        at = container.field("resources", "limits", resource)
        wanted = format_quantity(request.value, resource)
        if not can_be_overcommitted(resource):
            if (limit is None or limit.value != request.value) and not effective.is_unreadable("limits", resource):
                has = "no limit" if limit is None else f"a limit of {format_quantity(limit.value, resource)}"
                yield Finding(
                    at=at,
                    message=f"{container} requests {wanted} {resource} and has {has}: the two must be equal",
                    fix=f"set the limit to {wanted}",
                )
        elif limit and request.value > limit.value and container.ref in (_owner(request), _owner(limit)):
            is_default = _owner(limit) != container.ref
            yield Finding(
                at=at,
                message=f"{container} requests {wanted} {resource} and is limited to "
                f"{format_quantity(limit.value, resource)}"
                + (f", the default of {_owner(limit)}" if is_default else ""),
                fix=f"set a limit of {wanted} or more",
                related=(limit.given_by,) if is_default else (),
            )


def _owner(amount: Amount) -> ObjectRef:
    return amount.given_by.object


def _pod(workload: Workload, requirements: PodRequirements, pod: Requirements) -> Iterator[Finding]:
    for resource, request in pod.requests.items():
        limit = pod.limits.get(resource)
        if limit and request.value > limit.value:
            yield Finding(
                at=workload.pod_field("resources", "limits", resource),
                message=f"the pod requests {format_quantity(request.value, resource)} {resource} as a whole and is "
                f"limited to {format_quantity(limit.value, resource)}",
                fix="raise the pod's limit",
            )
        together = requirements.of_containers("requests").get(resource, 0)
        if together > request.value:
            yield Finding(
                at=workload.pod_field("resources", "requests", resource),
                message=f"the containers request {format_quantity(together, resource)} {resource} together, and the "
                f"pod as a whole {format_quantity(request.value, resource)}",
                fix="raise the pod's request",
            )
    for item in requirements.containers:
        for resource, own in item.effective.limits.items():
            whole = pod.limits.get(resource)
            if whole and own.value > whole.value:
                yield Finding(
                    at=item.container.field("resources", "limits", resource),
                    message=f"{item.container} is limited to {format_quantity(own.value, resource)} {resource}, and "
                    f"the pod as a whole to {format_quantity(whole.value, resource)}",
                    fix="lower the container's limit, or raise the pod's",
                )


RULE = Rule(id="limits-cover-requests", applies_to=Workload, severity=Severity.ERROR, check=check, by_settings=True)
