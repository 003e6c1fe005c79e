"""A rollout takes away no more pods at a time than may be missing.

What may be missing is `unavailable` under `[rules.rollout-keeps-capacity]` in policy.toml, a number or a percentage,
rounded down; by default `"25%"`, what Kubernetes itself allows. It is held against what the rollout does with the
fewest pods there may be. A StatefulSet replaces its pods in place, so one of them may always be missing.

A Deployment whose volume only one node may mount has to stop its pod first, and is not judged. ReplicaSets, DaemonSets
and the strategies OnDelete and Custom do not replace pods beside others by themselves.

Why: `Recreate` stops everything before it starts anything. A `maxUnavailable` that suits ten replicas is half of two.

Fix: use `RollingUpdate`, with `maxUnavailable: 0` and a `maxSurge` of 1 or more.

Bad:

```yaml
spec:
  replicas: 2
  strategy:
    type: Recreate
```

Good:

```yaml
spec:
  replicas: 2
  strategy:
    type: RollingUpdate
    rollingUpdate:
      maxSurge: 1
      maxUnavailable: 0
```
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import msgspec

from policy.findings import Finding, Severity
from policy.manifests.int_or_percent import scaled
from policy.manifests.rollouts import is_recreated, unavailable
from policy.manifests.volumes import mounted_claims
from policy.manifests.workloads import Workload
from policy.rules.rule import Context, Options, Rule

_KNOWN = {
    "Deployment": frozenset({None, "", "RollingUpdate", "Recreate"}),
    "DeploymentConfig": frozenset({None, "", "Rolling", "Recreate", "Custom"}),
}
_FIX = "use RollingUpdate with maxUnavailable 0 and a maxSurge of 1 or more"


class RolloutKeepsCapacityOptions(Options, frozen=True):
    """``unavailable``: how many pods, or what share of them, a rollout may take away."""

    unavailable: int | Annotated[str, msgspec.Meta(pattern="^[0-9]+%$")] = "25%"


def check(workload: Workload, context: Context) -> Iterator[Finding]:
    replicas = context.index.replicas_of(workload)
    if replicas is None:
        return
    strategy = workload.spec.strategy
    if workload.kind in _KNOWN and strategy and strategy.type not in _KNOWN[workload.kind]:
        yield Finding(
            at=workload.field("spec", "strategy", "type"),
            message=f"there is no strategy {strategy.type}",
            fix=_FIX,
        )
        return
    pods = replicas.fewest
    gone = unavailable(workload, pods)
    allowed = scaled(context.options(RolloutKeepsCapacityOptions).unavailable, pods, round_up=False) or 0
    if workload.kind == "StatefulSet":
        allowed = max(1, allowed)
    if gone is None or gone <= allowed or any(claim.single_mode for claim in mounted_claims(workload, context.index)):
        return
    missing = f"{allowed} may be missing" if allowed else "none may be missing"
    if is_recreated(workload):
        at, does = workload.field("spec", "strategy", "type"), f"Recreate stops all {pods} pods"
        if pods == 1:
            does = "Recreate stops the one pod"
        message = f"{does} before a new one starts; {missing}"
    else:
        update = "updateStrategy" if workload.kind == "StatefulSet" else "strategy"
        at = workload.field("spec", update, "rollingUpdate", "maxUnavailable")
        message = f"a rollout takes away {gone} of {pods} pods at a time ({replicas.source}); {missing}"
    yield Finding(at=at, message=message, fix=_FIX if workload.kind != "StatefulSet" else "lower maxUnavailable")


RULE = Rule(
    id="rollout-keeps-capacity",
    applies_to=Workload,
    severity=Severity.ERROR,
    check=check,
    options=RolloutKeepsCapacityOptions,
)
