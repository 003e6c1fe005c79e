"""Pods get the token of their ServiceAccount only if the account has a role.

The pod's `automountServiceAccountToken` goes before the one of its ServiceAccount; where neither is set it is true. An
account has a role if a RoleBinding or ClusterRoleBinding among the checked objects names it, or a group that it is in.
A role that is bound elsewhere cannot be seen here; such a workload needs an exception that says where.

Why: the token is a credential for the API server, in a file that every process of the container can read. A workload
that has no role has no use for it, an intruder has: each authenticated caller may learn about the cluster.

Fix: set `automountServiceAccountToken: false` in the ServiceAccount, or in the pod.

Bad:

```yaml
apiVersion: v1
kind: ServiceAccount
metadata:
  name: user-service
```

Good:

```yaml
apiVersion: v1
kind: ServiceAccount
metadata:
  name: user-service
automountServiceAccountToken: false
```
"""

from __future__ import annotations

from collections.abc import Iterator

from policy.findings import Field, Finding, Severity
from policy.manifests.index import Index
from policy.manifests.service_accounts import Automount, BoundAccounts, automount
from policy.manifests.workloads import Workload
from policy.rules.rule import Context, Rule


def check(index: Index, context: Context) -> Iterator[Finding]:
    bound = BoundAccounts(index)
    needless: dict[Field, list[tuple[Automount, Workload]]] = {}
    for workload in index.workloads:
        mounted = automount(workload, index)
        if mounted.value and (workload.namespace, workload.service_account) not in bound:
            needless.setdefault(mounted.at, []).append((mounted, workload))
    for at, same in needless.items():
        mounted, first = same[0]
        others = f" and {len(same) - 1} more" if len(same) > 1 else ""
        says = "true" if mounted.is_set else "not set, which means true"
        yield Finding(
            at=at,
            message=f"automountServiceAccountToken is {says}: the pods of {first.ref}{others} get a token, though the "
            f"ServiceAccount {first.service_account} has no role",
            fix="set automountServiceAccountToken: false",
            related=tuple(
                field for _, workload in same if (field := workload.pod_field("automountServiceAccountToken")) != at
            ),
        )


RULE = Rule(id="no-token-automount", applies_to=Index, severity=Severity.ERROR, check=check)
