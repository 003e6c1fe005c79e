"""Every container has a seccomp profile.

Windows pods are exempt, as in the Pod Security Standards. The annotations of old have no effect since Kubernetes 1.27
and do not count.

Why: without a profile a process may make every system call of the node's kernel, and most ways out of a container begin
with one that no service needs.

Fix: set `seccompProfile.type: RuntimeDefault` in the pod's securityContext.

Bad:

```yaml
spec:
  securityContext:
    seccompProfile:
      type: Unconfined
```

Good:

```yaml
spec:
  securityContext:
    seccompProfile:
      type: RuntimeDefault
```
"""

from __future__ import annotations

from collections.abc import Iterator

from policy.findings import Finding, Severity
from policy.manifests.security import by_field, listed, seccomp_profile
from policy.manifests.workloads import Workload
from policy.rules.rule import Context, Rule

_FILTERS = ("RuntimeDefault", "Localhost")


def check(workload: Workload, context: Context) -> Iterator[Finding]:
    if workload.is_windows:
        return
    unfiltered = (
        setting for setting in seccomp_profile(workload) if setting.value is None or setting.value.type not in _FILTERS
    )
    for setting, containers in by_field(unfiltered):
        kind = setting.value.type if setting.value is not None else None
        yield Finding(
            at=setting.at["type"],
            message=f"{f'the seccomp profile {kind} is' if kind else 'no seccomp profile is'} set for "
            f"{listed(containers)}",
            fix="set seccompProfile.type: RuntimeDefault",
        )


RULE = Rule(id="seccomp-set", applies_to=Workload, severity=Severity.ERROR, check=check, by_settings=True)
