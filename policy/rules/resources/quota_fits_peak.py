"""The namespace at its peak fits its ResourceQuotas.

Why: a quota that is too small shows only under load. The autoscaler then asks for pods that are refused, or a rollout
gets stuck in the middle, and the reason stands in an event that nobody reads.

Fix: raise the quota, or lower the maximum of the autoscaler; the message shows the sum, line by line.

Bad:

```yaml
# 10 × 200m, and 3 × 200m for the surge of a rollout, is 2600m
apiVersion: v1
kind: ResourceQuota
metadata:
  name: compute
spec:
  hard:
    limits.cpu: "2"
```

Good:

```yaml
apiVersion: v1
kind: ResourceQuota
metadata:
  name: compute
spec:
  hard:
    limits.cpu: "3"
```

Peak is every autoscaled workload at its maximum, everything else at its replicas, all Jobs running, and the rollout of
the one Deployment whose surge weighs most (`maxSurge`, 25 % rounded up by default; a strategy Recreate has none). A
pod weighs what admission and scheduler make of it: LimitRange defaults, init containers, sidecars, overhead, resources
of the pod as a whole. All keys are judged that follow from manifests: compute, pods, claims and their storage, by
StorageClass too, Services, and `count/…`; scopes are honoured. Pods that are refused because a quota counts a
resource for which a container states nothing are found as well.

What the manifests do not tell is reported as not checked: how many pods a DaemonSet makes (unless `nodes` is set under
`[rules.quota-fits-peak]` in policy.toml), how many runs of a CronJob overlap, which StorageClass is the default.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from policy.capacity.namespace import NamespacePeak, without_namesakes
from policy.capacity.remedy import Cause, Overrun, cause
from policy.capacity.scopes import is_charged
from policy.findings import Finding, Severity, Skipped
from policy.manifests.index import Index
from policy.manifests.quantities import format_quantity
from policy.manifests.requirements import read_quantity
from policy.manifests.resources import ResourceQuota
from policy.rules.rule import Context, Options, Rule


class PeakOptions(Options, frozen=True):
    """``nodes`` is how many pods a DaemonSet makes."""

    nodes: int | None = None


_STATED = {
    "cpu": ("requests", "cpu"),
    "requests.cpu": ("requests", "cpu"),
    "limits.cpu": ("limits", "cpu"),
    "memory": ("requests", "memory"),
    "requests.memory": ("requests", "memory"),
    "limits.memory": ("limits", "memory"),
}
"""The keys under which the API server refuses a container that states nothing (``podEvaluator.Constraints``)."""


def check(index: Index, context: Context) -> Iterator[Finding | Skipped]:
    nodes = context.options(PeakOptions).nodes
    for namespace in dict.fromkeys(quota.namespace for quota in index.all(ResourceQuota)):
        quotas = index.quotas_in(namespace)
        yield from _refused(index, namespace, quotas)
        yield from _judged(NamespacePeak(namespace, index, nodes), quotas)


def _refused(index: Index, namespace: str, quotas: tuple[ResourceQuota, ...]) -> Iterator[Finding]:
    """Containers that state nothing where a quota counts; once each, whatever the number of quotas."""
    said = set()
    for quota in quotas:
        for key in quota.spec.hard or {}:
            if key not in _STATED:
                continue
            side, resource = _STATED[key]
            for workload in index.workloads_in(namespace):
                requirements = index.requirements_of(workload)
                if requirements.pod_level or not is_charged(quota, workload, requirements, index):
                    continue
                for item in requirements.containers:
                    at = item.container.field("resources", side, resource)
                    if resource in item.effective.named(side) or item.effective.is_unreadable(side, resource):
                        continue
                    if at not in said:
                        said.add(at)
                        yield Finding(
                            at=at,
                            message=f"{item.container} states no {resource} {side[:-1]}, and {quota.ref} counts {key}: "
                            "its pods are refused",
                            fix=f"state resources.{side}.{resource}, or give the LimitRange a default for it",
                            related=(quota.field("spec", "hard", key),),
                        )


def _judged(namespace: NamespacePeak, quotas: tuple[ResourceQuota, ...]) -> Iterator[Finding | Skipped]:
    overruns: list[tuple[Cause, Overrun]] = []
    for quota in quotas:
        gaps: dict[str, list[str]] = {}
        for key, written in (quota.spec.hard or {}).items():
            hard = read_quantity(written)
            if hard is None:
                yield Finding(
                    at=quota.field("spec", "hard", key),
                    message=f"{key} is {str(written)!r}, which is not a quantity",
                    fix="write a quantity such as 4 or 8Gi",
                )
                continue
            demand = namespace.demand(quota, key)
            if demand.total > hard:
                overrun = Overrun(quota, key, hard, demand)
                overruns.append((cause(overrun, namespace), overrun))
                continue
            for gap in demand.gaps:
                gaps.setdefault(gap, []).append(key)
        for gap, keys in gaps.items():
            yield Skipped(quota.field("spec", "hard"), f"{quota.ref}, {', '.join(keys)}: {gap}")
    overruns.sort(key=lambda pair: str(pair[0].at))
    for _, group in groupby(overruns, key=lambda pair: pair[0].at):
        yield _finding(list(group))


def _finding(group: list[tuple[Cause, Overrun]]) -> Finding:
    """One finding for one field, whatever the number of keys that it makes too large."""
    lines: list[str] = []
    raises: dict[str, list[str]] = {}
    for _, overrun in group:
        total = format_quantity(overrun.demand.total, overrun.key)
        hard = format_quantity(overrun.hard, overrun.key)
        lines.append(f"{overrun.key} at peak is {total}, the quota is {hard}")
        lines += [f"  {line}" for line in without_namesakes(overrun.demand).table()]
        raises.setdefault(str(overrun.quota.ref), []).append(f"{overrun.key} to {total}")
    first = group[0][0]
    fix = "raise " + " and ".join(f"{', '.join(entries)} in {quota}" for quota, entries in raises.items())
    if first.autoscaler is None:
        return Finding(at=first.at, message="\n".join(lines), fix=f"{fix}, or let less run there")
    highest = min(one.highest for one, _ in group if one.highest is not None)
    return Finding(
        at=first.at,
        message="\n".join(lines),
        fix=f"lower {first.autoscaler.maximum_name} to {highest} at most, or {fix}",
        related=tuple(overrun.quota_field for _, overrun in group),
    )


RULE = Rule(id="quota-fits-peak", applies_to=Index, severity=Severity.ERROR, check=check, options=PeakOptions)
