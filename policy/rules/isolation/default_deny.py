"""Every namespace with workloads denies all traffic by default, in both directions.

Why: without it a pod that no other policy selects, tomorrow's pod among them, talks to everyone and is reached by
everyone. A policy for each service that there is today does not cover the next one.

Fix: a NetworkPolicy in the namespace that selects every pod, names both directions and has no rules.

Bad:

```yaml
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: default-deny
spec:
  podSelector: {}
  policyTypes:
    - Ingress
```

Good:

```yaml
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: default-deny
spec:
  podSelector: {}
  policyTypes:
    - Ingress
    - Egress
```

A pod is isolated in a direction as soon as one policy of its own namespace selects it and has that direction; what it
may then do is the union of all rules. So two things must hold for each direction: some policy with an empty
podSelector has it, and no such policy opens it again with a rule for everybody on every port (`- {}`). Two policies may
share the directions, and a policy for all pods may have rules that allow something, such as DNS: the rest stays denied.
A policy of another namespace counts for nothing. Pods on the host's network are beyond any NetworkPolicy.

Policies of other kinds (AdminNetworkPolicy, those of Cilium and Calico) may deny what no NetworkPolicy denies, and
allow what one denies. They are not understood: a namespace that one of them touches is reported as not checked, and
what its NetworkPolicies lack is a warning.
"""

from __future__ import annotations

from collections.abc import Iterator

from policy.connectivity.wording import not_understood, unless
from policy.findings import Field, Finding, Severity, Skipped
from policy.manifests.index import Index
from policy.manifests.resources import NetworkPolicy
from policy.rules.rule import Context, Rule

_DIRECTIONS = (("Ingress", "ingress"), ("Egress", "egress"))


def check(index: Index, context: Context) -> Iterator[Finding | Skipped]:
    for namespace in index.namespaces:
        policies = [policy for policy in index.network_policies_in(namespace) if policy.spec.selects_every_pod]
        for policy in policies:
            yield from _opened(policy)
        missing = [
            direction
            for direction, _ in _DIRECTIONS
            if not any(direction in policy.spec.directions for policy in policies)
        ]
        if missing:
            yield unless(context.isolation.touching(namespace), _missing(index, namespace, policies, missing))
    for foreign, namespaces in context.isolation.unjudged.items():
        yield Skipped(Field(foreign[0], ("spec",)), not_understood(foreign, namespaces))


def _opened(policy: NetworkPolicy) -> Iterator[Finding]:
    """Rules of a policy for every pod that allow everything, and so take back what the policy denies."""
    rules = {
        "Ingress": [(rule.peers, rule.ports) for rule in policy.spec.ingress or ()],
        "Egress": [(rule.peers, rule.ports) for rule in policy.spec.egress or ()],
    }
    for direction, field in _DIRECTIONS:
        for number, (peers, ports) in enumerate(rules[direction]):
            if direction in policy.spec.directions and not peers and not ports:
                yield Finding(
                    at=policy.field("spec", field, number),
                    message=f"{policy.ref} selects every pod and allows all {direction.lower()}: nothing is denied",
                    fix="remove this rule; let each service's own policy allow what it needs",
                )


def _missing(index: Index, namespace: str, policies: list[NetworkPolicy], missing: list[str]) -> Finding:
    closed = [policy for policy in policies if not policy.spec.ingress and not policy.spec.egress]
    at: Field = index.place_of_namespace(namespace)
    message = f"{index.named_namespace(namespace)} has no policy that denies {' and '.join(missing).lower()} by default"
    if closed:  # it has one of the two directions, so the other one is missing
        at = closed[0].field("spec", "policyTypes")
        message = f"{closed[0].ref} denies only {_other(missing[0])} by default, not {missing[0].lower()}"
    return Finding(
        at=at,
        message=message,
        fix="add a NetworkPolicy with podSelector {}, policyTypes Ingress and Egress, and no rules"
        if at.object.kind != "NetworkPolicy"
        else f"add {missing[0]} to its policyTypes",
    )


def _other(direction: str) -> str:
    return "egress" if direction == "Ingress" else "ingress"


RULE = Rule(id="default-deny", applies_to=Index, severity=Severity.ERROR, check=check)
