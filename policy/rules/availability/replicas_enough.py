"""A workload never has fewer pods than the wanted number.

Counted are the fewest pods there may be: the minimum of the autoscaler where one scales the workload (1 where it states
none), else `replicas` (1 where it is absent). An autoscaler does not excuse anything: one that goes down to a single
pod leaves a single pod, also where its target is not in the input. What is at zero `replicas` is switched off on
purpose and is not judged.

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

from policy.findings import Field, Finding, Severity
from policy.manifests.index import Index
from policy.rules.rule import Context, Options, Rule


class ReplicasEnoughOptions(Options, frozen=True):
    """``minimum``: how many pods are wanted. ``kinds``: which kinds of workload are judged."""

    minimum: int = 2
    kinds: tuple[str, ...] = ("Deployment", "DeploymentConfig", "ReplicaSet", "ReplicationController")


def check(index: Index, context: Context) -> Iterator[Finding]:
    options = context.options(ReplicasEnoughOptions)
    for workload in index.workloads:
        replicas = index.replicas_of(workload) if workload.kind in options.kinds else None
        if replicas is not None and replicas.ceiling and replicas.floor < options.minimum:
            yield _finding(replicas.at, replicas.source, options.minimum)
    for autoscaler in index.autoscalers:
        namespace, kind = autoscaler.ref.namespace, autoscaler.target_kind
        is_elsewhere = index.resource(kind, namespace, autoscaler.target_name) is None
        if is_elsewhere and kind in options.kinds and autoscaler.minimum < options.minimum:
            yield _finding(autoscaler.minimum_field, autoscaler.says, options.minimum)


def _finding(at: Field, source: str, minimum: int) -> Finding:
    return Finding(
        at=at,
        message=f"{source}; at least {minimum} pods are wanted",
        fix=f"set {at.path[-1]} to {minimum} or more",
    )


RULE = Rule(
    id="replicas-enough",
    applies_to=Index,
    severity=Severity.WARNING,
    check=check,
    options=ReplicasEnoughOptions,
)
