"""Every workload runs under a ServiceAccount of its own.

Its own is not `default`, and no other workload of the namespace uses it. Where several share one, the workload that has
its name keeps it, else the first.

Why: permissions, pull secrets and, in a mesh or a cloud, the identity itself hang on the ServiceAccount. What is given
to one workload is given to all that share its account, and `default` is every pod that names none.

Fix: add a ServiceAccount named like the workload, and name it in `serviceAccountName`.

Bad:

```yaml
kind: Deployment
metadata:
  name: user-service
spec:
  template:
    spec:
      serviceAccountName: default
```

Good:

```yaml
kind: Deployment
metadata:
  name: user-service
spec:
  template:
    spec:
      serviceAccountName: user-service
```
"""

from __future__ import annotations

from collections.abc import Iterator

from policy.findings import Field, Finding, Severity
from policy.manifests.index import Index
from policy.manifests.workloads import Workload
from policy.rules.rule import Context, Rule


def check(index: Index, context: Context) -> Iterator[Finding]:
    users: dict[tuple[str, str], list[Workload]] = {}
    for workload in index.workloads:
        users.setdefault((workload.namespace, workload.service_account), []).append(workload)
    for (_, account), workloads in users.items():
        if account == "default":
            yield from map(_unnamed, workloads)
        elif len(workloads) > 1:
            owner = next((workload for workload in workloads if workload.name == account), workloads[0])
            yield from (_shared(workload, owner) for workload in workloads if workload is not owner)


def _unnamed(workload: Workload) -> Finding:
    return Finding(
        at=_account_field(workload),
        message="the pods run under the ServiceAccount default, which every pod of the namespace gets",
        fix=f"add a ServiceAccount {workload.name}, and name it in serviceAccountName",
    )


def _shared(workload: Workload, owner: Workload) -> Finding:
    return Finding(
        at=_account_field(workload),
        message=f"the pods run under the ServiceAccount {workload.service_account}, as those of {owner.ref} do",
        fix=f"add a ServiceAccount {workload.name}, and name it in serviceAccountName",
        related=(_account_field(owner),),
    )


def _account_field(workload: Workload) -> Field:
    """Where the account is named; ``serviceAccount`` is the deprecated name of the field."""
    by_old_name = workload.pod.service_account and not workload.pod.service_account_name
    return workload.pod_field("serviceAccount" if by_old_name else "serviceAccountName")


RULE = Rule(id="service-account-own", applies_to=Index, severity=Severity.ERROR, check=check)
