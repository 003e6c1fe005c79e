"""A workload never has fewer pods than the wanted number.

Counted are the fewest pods there may be: the minimum of the autoscaler where one scales the workload (1 where it states
none), else `replicas` (1 where it is absent). An autoscaler does not excuse anything: one that goes down to a single
pod leaves a single pod. What is at zero `replicas` is switched off on purpose and is not judged.

`minimum` under `[rules.replicas-enough]` in policy.toml is the wanted number, 2 by default; an environment may want
more, and may call it an error: `[rules.replicas-enough.environments.prod] severity = "error"`. `kinds` are the kinds
that are judged: those whose pods stand in for each other. StatefulSets are not among them, since a second pod of a
database is a second database unless its software makes it a replica; name the kind where yours does.

Why: a single pod is an outage whenever its node is drained, its process crashes or its zone fails.

Fix: raise `replicas`, or `minReplicas` of the autoscaler.

Bad:

```yaml
kind: Deployment
spec:
  replicas: 1
```

Good:

```yaml
kind: Deployment
spec:
  replicas: 2
```
"""

from __future__ import annotations

from collections.abc import Iterator

from policy.findings import Finding, Severity
from policy.manifests.workloads import Workload
from policy.rules.rule import Context, Options, Rule


class ReplicasEnoughOptions(Options, frozen=True):
    """``minimum``: how many pods are wanted. ``kinds``: which kinds of workload are judged."""

    minimum: int = 2
    kinds: tuple[str, ...] = ("Deployment", "DeploymentConfig", "ReplicaSet", "ReplicationController")


def check(workload: Workload, context: Context) -> Iterator[Finding]:
    options = context.options(ReplicasEnoughOptions)
    if workload.kind not in options.kinds:
        return
    replicas = context.index.replicas_of(workload)
    if replicas is None or not replicas.ceiling or replicas.floor >= options.minimum:
        return
    yield Finding(
        at=replicas.at,
        message=f"{replicas.source}; at least {options.minimum} pods are wanted",
        fix=f"set {replicas.at.path[-1]} to {options.minimum} or more",
    )


RULE = Rule(
    id="replicas-enough",
    applies_to=Workload,
    severity=Severity.WARNING,
    check=check,
    options=ReplicasEnoughOptions,
)
