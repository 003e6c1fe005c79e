"""Every rule of a NetworkPolicy is needed by a flow of topology.yaml, and allows no more than the flows need.

A rule without which everything stated would still work has no purpose: it was left over, or another rule allows the
same. A rule that allows more than is stated, where only the policy of the other end still stops it, is a leak that
waits for a change at the other end.

All this needs a topology.yaml. What leaks already is topology-leak's to report. Without one, too, rules for a direction
that `policyTypes` does not name are found: Kubernetes ignores them.

Why: two policies guard a connection. While one is too wide, a mistake in the other opens it.

Fix: remove the rule, or narrow it to what the flows state.

Bad:

```yaml
# topology.yaml states "api -> db : TCP 5432"; this is the policy of api
egress:
  - to:
      - podSelector:
          matchLabels:
            app: db
      - podSelector:
          matchLabels:
            app: cache
```

Good:

```yaml
egress:
  - to:
      - podSelector:
          matchLabels:
            app: db
    ports:
      - protocol: TCP
        port: 5432
```
"""

from __future__ import annotations

from collections.abc import Iterator

from policy.connectivity.policies import TYPES
from policy.connectivity.ports import described
from policy.connectivity.wording import named
from policy.findings import Finding, Severity
from policy.manifests.index import Index
from policy.rules.rule import Context, Rule


def check(index: Index, context: Context) -> Iterator[Finding]:
    isolation = context.isolation
    for policy, direction in isolation.faults.muted_rules:
        yield Finding(
            at=policy.field("spec", direction),
            message=f"the {direction} rules of {policy.ref} count for nothing: "
            f"its policyTypes lacks {TYPES[direction]}",
            fix=f"add {TYPES[direction]} to policyTypes, or remove them",
        )
    if isolation.proof is None:
        return
    for needless in isolation.faults.needless:
        rule = needless.rule
        if needless.source is None or needless.destination is None:
            yield Finding(
                at=rule.at,
                message=f"no flow of topology.yaml needs this {rule.direction} rule of {rule.policy.ref}",
                fix="remove it, or state the flow that it is for",
            )
            continue
        yield Finding(
            at=rule.at,
            message=f"this {rule.direction} rule of {rule.policy.ref} would let {named(needless.source, index)} reach "
            f"{named(needless.destination, index)} on {described(needless.ports)}, which no flow states; only the "
            "other end still stops it",
            fix="narrow it to what the flows state",
        )


RULE = Rule(id="policy-rule-unneeded", applies_to=Index, severity=Severity.WARNING, check=check)
