"""Every container, pod and claim is within the LimitRanges of its namespace.

Why: the API server refuses what is outside. A Deployment is accepted all the same, and then makes no pods; the reason
stands only in the events of its ReplicaSet.

Fix: change the request or limit to what the LimitRange allows, or the LimitRange.

Bad:

```yaml
# the LimitRange: {type: Container, max: {memory: 1Gi}}
resources:
  limits:
    memory: 2Gi
```

Good:

```yaml
# the LimitRange: {type: Container, max: {memory: 1Gi}}
resources:
  limits:
    memory: 1Gi
```

Judged as at admission, after all defaults: `min`, `max` and `maxLimitRequestRatio` of the types Container and Pod (a
pod needs what its init containers need, where that is more), `min` and `max` of PersistentVolumeClaim, also for the
claims that a StatefulSet or a generic ephemeral volume makes. A LimitRange that contradicts itself is found too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from policy.findings import Field, Finding, Severity
from policy.manifests.claims import Claim, claim_of, claims_per_pod
from policy.manifests.index import Index
from policy.manifests.quantities import NANO, format_quantity
from policy.manifests.requirements import Amounts, ContainerRequirements, PodRequirements, amounts_of
from policy.manifests.resources import LimitRange, LimitRangeItem, PersistentVolumeClaim
from policy.manifests.workloads import Workload
from policy.rules.rule import Context, Rule

_Place = Callable[[str, str], Field]
"""The field of a request or limit: side (``requests``, ``limits``) and resource."""


def check(index: Index, context: Context) -> Iterator[Finding]:
    for limit_range in index.all(LimitRange):
        for number, item in enumerate(limit_range.spec.limits or ()):
            yield from _contradictions(limit_range, number, item)
    for workload in index.workloads if index.all(LimitRange) else ():
        for limit_range in index.limit_ranges_in(workload.namespace):
            yield from _pod(workload, index.requirements_of(workload), limit_range)
            for claim in claims_per_pod(workload):
                yield from _claim(claim, limit_range)
    for claim_object in index.all(PersistentVolumeClaim):
        for limit_range in index.limit_ranges_in(claim_object.namespace):
            yield from _claim(claim_of(claim_object), limit_range)


def _contradictions(limit_range: LimitRange, number: int, item: LimitRangeItem) -> Iterator[Finding]:
    """What the API server refuses about the LimitRange itself: min <= defaultRequest <= default <= max."""
    named = (
        ("min", amounts_of(item.min)),
        ("defaultRequest", amounts_of(item.default_request)),
        ("default", amounts_of(item.default)),
        ("max", amounts_of(item.max)),
    )
    for position, (lower, low) in enumerate(named):
        for resource in sorted(low):
            above = [(upper, high[resource]) for upper, high in named[position + 1 :] if resource in high]
            for upper, bound in above:
                if low[resource] > bound:
                    yield Finding(
                        at=limit_range.field("spec", "limits", number, lower, resource),
                        message=f"{lower} of {resource} is {format_quantity(low[resource], resource)}, above {upper}, "
                        f"{format_quantity(bound, resource)}",
                        fix=f"lower {lower} or raise {upper}",
                    )
                    break


def _pod(workload: Workload, requirements: PodRequirements, limit_range: LimitRange) -> Iterator[Finding]:
    for number, item in enumerate(limit_range.spec.limits or ()):
        rule = limit_range.field("spec", "limits", number)
        if item.type == "Container":
            for one in requirements.containers:
                requests = {name: amount.value for name, amount in one.effective.requests.items()}
                limits = {name: amount.value for name, amount in one.effective.limits.items()}
                place = _place_in(one)
                skip = {entry.field.path[-1] for entry in one.effective.unreadable}
                yield from _bounds(str(one.container), requests, limits, place, item, rule, skip)
        elif item.type == "Pod":
            place = _whole(workload, requirements)
            skip = {entry.field.path[-1] for entry in requirements.unreadable}
            yield from _bounds(
                "the pod as a whole", requirements.requests, requirements.limits, place, item, rule, skip
            )


def _place_in(one: ContainerRequirements) -> _Place:
    """Where the container states it, or would have to; a limit that is also the request is the place of both."""

    def place(side: str, resource: str) -> Field:
        amount = one.effective.named(side).get(resource)
        if amount and amount.given_by.object == one.container.ref:
            return amount.given_by
        return one.container.field("resources", side, resource)

    return place


def _whole(workload: Workload, requirements: PodRequirements) -> _Place:
    pod = requirements.pod_level

    def place(side: str, resource: str) -> Field:
        if pod and resource in pod.named(side):
            return workload.pod_field("resources", side, resource)
        return workload.pod_field("containers")

    return place


def _bounds(
    who: str,
    requests: Amounts,
    limits: Amounts,
    place: _Place,
    item: LimitRangeItem,
    rule: Field,
    skip: set[str | int],
) -> Iterator[Finding]:
    """The first violation of each resource; the conditions are those of the admission plugin."""
    for resource in sorted({*(item.min or {}), *(item.max or {}), *(item.max_limit_request_ratio or {})} - skip):
        lowest, highest = amounts_of(item.min).get(resource), amounts_of(item.max).get(resource)
        ratio = amounts_of(item.max_limit_request_ratio).get(resource)
        request, limit = requests.get(resource), limits.get(resource)
        for wrong, side, bound in (
            (_below(request, "request", lowest, resource, required=True), "requests", "min"),
            (_below(limit, "limit", lowest, resource, required=False), "limits", "min"),
            (_above(limit, "limit", highest, resource, required=True), "limits", "max"),
            (_above(request, "request", highest, resource, required=False), "requests", "max"),
            (_too_far_apart(request, limit, ratio, resource), "limits", "maxLimitRequestRatio"),
        ):
            if wrong:
                yield _refusal(f"{who} {wrong} of {rule.object}", place(side, resource), rule[bound][resource])
                break


def _refusal(message: str, at: Field, bound: Field) -> Finding:
    return Finding(at=at, message=message, fix="stay within the LimitRange, or change it", related=(bound,))


def _below(value: int | None, what: str, bound: int | None, resource: str, *, required: bool) -> str | None:
    if bound is None or (value is None and not required) or (value is not None and value >= bound):
        return None
    has = "no" if value is None else "a"
    amount = "" if value is None else f" of {format_quantity(value, resource)}"
    return f"has {has} {resource} {what}{amount}, below the minimum {format_quantity(bound, resource)}"


def _above(value: int | None, what: str, bound: int | None, resource: str, *, required: bool) -> str | None:
    if bound is None or (value is None and not required) or (value is not None and value <= bound):
        return None
    if value is None:
        return f"has no {resource} {what}, under the maximum {format_quantity(bound, resource)}"
    return (
        f"has a {resource} {what} of {format_quantity(value, resource)}, "
        f"above the maximum {format_quantity(bound, resource)}"
    )


def _too_far_apart(request: int | None, limit: int | None, ratio: int | None, resource: str) -> str | None:
    if ratio is None:
        return None
    bound = f"the highest ratio {ratio / NANO:g}"
    if not request or not limit:
        return f"lacks a {resource} {'limit' if request else 'request'}, under {bound}"
    if request < 0 or limit * NANO <= ratio * request:
        return None
    return (
        f"has a {resource} limit of {format_quantity(limit, resource)}, {limit / request:.5g} times "
        f"its request of {format_quantity(request, resource)}, above {bound}"
    )


def _claim(claim: Claim, limit_range: LimitRange) -> Iterator[Finding]:
    for number, item in enumerate(limit_range.spec.limits or ()):
        if item.type != "PersistentVolumeClaim" or (claim.amount is None and claim.storage is not None):
            continue
        lowest, highest = amounts_of(item.min).get("storage"), amounts_of(item.max).get("storage")
        for wrong, bound in (
            (_below(claim.amount, "request", lowest, "storage", required=True), "min"),
            (_above(claim.amount, "request", highest, "storage", required=True), "max"),
        ):
            if wrong:
                at = limit_range.field("spec", "limits", number, bound, "storage")
                yield _refusal(f"claim {claim.name} {wrong} of {limit_range.ref}", claim.storage_field, at)


RULE = Rule(id="limit-range-admits", applies_to=Index, severity=Severity.ERROR, check=check)
