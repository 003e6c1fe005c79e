"""No container adds a capability that is not allowed.

Why: each capability is a part of root's power. Only `NET_BIND_SERVICE`, to listen below port 1024, is so small that the
restricted level of the Pod Security Standards allows it.

Fix: remove the capability; where the container cannot do without, list it in the setting, or make an exception.

Settings: `allowed`, the capabilities that may be added, spelt without CAP_ (`["NET_BIND_SERVICE"]`).

Bad:

```yaml
securityContext:
  capabilities:
    drop: [ALL]
    add: [NET_ADMIN]
```

Good:

```yaml
securityContext:
  capabilities:
    drop: [ALL]
```
"""

from __future__ import annotations

from collections.abc import Iterator

from policy.findings import Finding, Severity
from policy.manifests.workloads import Workload
from policy.rules.rule import Context, Options, Rule


class CapabilitiesAddedOptions(Options, frozen=True):
    allowed: tuple[str, ...] = ("NET_BIND_SERVICE",)


def check(workload: Workload, context: Context) -> Iterator[Finding]:
    allowed = context.options(CapabilitiesAddedOptions).allowed
    for container in workload.containers:
        security = container.spec.security_context
        if security is None or security.capabilities is None:
            continue
        for index, capability in enumerate(security.capabilities.add or ()):
            if capability not in allowed:
                yield Finding(
                    at=container.field("securityContext", "capabilities", "add", index),
                    message=f"{container} adds the capability {capability}; allowed: {', '.join(allowed) or 'none'}",
                    fix=f"remove {capability}",
                )


RULE = Rule(
    id="capabilities-added",
    applies_to=Workload,
    severity=Severity.ERROR,
    check=check,
    options=CapabilitiesAddedOptions,
    by_settings=True,
)
