"""Every NetworkPolicy selects a pod of its own namespace.

A policy holds for the pods of its namespace that its podSelector selects, and for nothing else. Where it selects pods
of another namespace of the overlay, it stands in the wrong one; where a label has a value that is nearly one that pods
have, it is a typo. What operators make of other objects is not known here: declare such pods as outside in
topology.yaml. An expression that the API server refuses is reported too.

Two applications may share a namespace: where another environment of the same run puts such pods into it, the policy is
meant for them. The variants of one application do not vouch for each other, as dev and prod: they have a workload
(kind, namespace and name) in common, which no cluster holds twice.

Why: the policy protects nobody, and opens nothing. Everybody believes that it does.

Fix: correct the labels or the namespace, or remove the policy.

Bad:

```yaml
# the pods have app: order-service
spec:
  podSelector:
    matchLabels:
      app: orders-service
```

Good:

```yaml
spec:
  podSelector:
    matchLabels:
      app: order-service
```
"""

from __future__ import annotations

from collections.abc import Iterator

from policy.connectivity.mistakes import DeadPolicy
from policy.findings import Finding, Severity
from policy.manifests.index import Index
from policy.rules.rule import Context, Rule


def check(index: Index, context: Context) -> Iterator[Finding]:
    faults = context.isolation.faults
    for dead in faults.dead_policies:
        yield _elsewhere(dead) if dead.elsewhere else _nowhere(dead, index, faults.near(dead))
    for problem in faults.problems("selectors"):
        yield Finding(at=problem.at, message=problem.message, fix=problem.fix)


def _elsewhere(dead: DeadPolicy) -> Finding:
    policy, workload = dead.policy.policy, dead.elsewhere[0]
    return Finding(
        at=policy.field("metadata", "namespace"),
        message=f"{policy.ref} selects no pod in namespace {policy.namespace or 'default'}; {workload.ref} is in "
        f"{workload.namespace or 'default'}, and a policy holds in its own namespace only",
        fix=f"move it to namespace {workload.namespace or 'default'}",
        related=(workload.field("metadata", "namespace"),),
    )


def _nowhere(dead: DeadPolicy, index: Index, near: str) -> Finding:
    policy = dead.policy.policy
    if dead.on_host:
        host = dead.on_host[0]
        return Finding(
            at=policy.field("spec", "podSelector"),
            message=f"{policy.ref} selects {host.ref}, which is on the host's network: no NetworkPolicy holds there",
            fix="take the pods off the host's network, or remove the policy",
            related=(host.pod_field("hostNetwork"),),
        )
    return Finding(
        at=policy.field("spec", "podSelector"),
        message=f"{policy.ref} selects no pod: none of {index.named_namespace(policy.namespace)} has "
        f"{policy.spec.pod_selector}{near}",
        fix="select labels that the pods have, or remove the policy",
    )


RULE = Rule(id="policy-selects-pods", applies_to=Index, severity=Severity.ERROR, check=check)
