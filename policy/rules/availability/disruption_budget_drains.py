"""Every PodDisruptionBudget lets a drain go on.

Reckoned as the disruption controller does, with the fewest pods there may be: the minimum of the autoscaler, or
`replicas`. An eviction needs more healthy pods than the budget keeps, so `minAvailable` equal to the number of pods
blocks. Percentages are of the replicas of all selected workloads together, and are rounded up: `minAvailable: 50%` of
one pod is that pod, `maxUnavailable: 1%` of one pod lets it go.

Also wrong: two budgets over one pod, which the API server then refuses to evict; a percentage or `maxUnavailable` over
pods whose owner has no scale, such as a Job. A budget that does not state `unhealthyPodEvictionPolicy` is a warning: by
default a pod that is not ready holds up the drain while the others are too few.

Why: a drain waits for ever for a pod that may not go: node upgrades hang, and somebody deletes the budget at night.

Fix: `maxUnavailable: 1`, or a `minAvailable` below the fewest pods there may be.

Bad:

```yaml
# the autoscaler goes down to 2 pods
kind: PodDisruptionBudget
spec:
  minAvailable: 2
```

Good:

```yaml
kind: PodDisruptionBudget
spec:
  maxUnavailable: 1
  unhealthyPodEvictionPolicy: AlwaysAllow
```
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from policy.findings import Finding, Severity
from policy.manifests.disruption import Room, budget_field, never_allows, number, room
from policy.manifests.index import Index
from policy.manifests.resources import PodDisruptionBudget
from policy.manifests.workloads import Workload
from policy.rules.rule import Context, Rule

_FIX = "set maxUnavailable: 1, or keep fewer pods than there may be at least"


def check(budget: PodDisruptionBudget, context: Context) -> Iterator[Finding]:
    index = context.index
    selector = budget.spec.selector
    workloads = () if selector is None else index.selected(budget.namespace, selector)
    yield from _numbers(budget, room(budget, workloads, index))
    yield from _shared(budget, workloads, index)
    if budget.spec.unhealthy_pod_eviction_policy is None:
        yield Finding(
            at=budget.field("spec", "unhealthyPodEvictionPolicy"),
            message="does not say whether a pod that is not ready may be evicted; by default it may hold up a drain",
            fix="set unhealthyPodEvictionPolicy: AlwaysAllow",
            severity=Severity.WARNING,
        )


def _numbers(budget: PodDisruptionBudget, found: Room) -> Iterator[Finding]:
    at = budget_field(budget)
    says = f"{at.path[-1]} {number(budget)}"
    if never_allows(budget):
        wrong = "sets neither minAvailable nor maxUnavailable" if number(budget) is None else says
        yield Finding(at=at, message=f"{wrong}: no pod may be evicted, however many there are", fix=_FIX)
    elif found.without_scale:
        others = " and ".join(str(workload.ref) for workload in found.without_scale)
        yield Finding(
            at=at,
            message=f"{says} needs a scale, and {others} has none: no pod may be evicted",
            fix="select other pods, or state minAvailable as a number of pods",
        )
    elif found.pods and not found.allowed:
        sources = "; ".join(f"{replicas.workload.ref}: {replicas.source}" for replicas in found.replicas)
        counted = f" ({sources})" if sources else ""
        pods = "1 pod" if found.pods == 1 else f"{found.pods} pods"
        yield Finding(
            at=at,
            message=f"{says} keeps {found.kept} of as few as {pods}{counted}: none of them may be evicted",
            fix=_FIX,
            related=tuple(replicas.at for replicas in found.replicas),
        )


def _shared(budget: PodDisruptionBudget, workloads: Sequence[Workload], index: Index) -> Iterator[Finding]:
    """Pods that an earlier budget selects too."""
    for workload in workloads:
        first = index.budgets_of(workload)[0]
        if first is not budget:
            yield Finding(
                at=budget.field("spec", "selector"),
                message=f"selects the pods of {workload.ref}, and so does {first.ref}: a pod under two budgets "
                "cannot be evicted",
                fix="let one budget select these pods",
                related=(first.field("spec", "selector"),),
            )
            return


RULE = Rule(id="disruption-budget-drains", applies_to=PodDisruptionBudget, severity=Severity.ERROR, check=check)
