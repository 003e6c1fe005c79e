"""No variable is set twice in a container.

Two entries of `env` with one name; a variable that also comes from `envFrom` is fine, `env` is meant to override that.

Why: the last one counts, so the value that a reviewer reads first is not the one that the process gets. Patches and
server-side apply merge `env` by name, and keep either.

Fix: remove one of them.

Bad:

```yaml
env:
  - name: LOG_LEVEL
    value: info
  - name: LOG_LEVEL
    value: debug
```

Good:

```yaml
env:
  - name: LOG_LEVEL
    value: debug
```
"""

from __future__ import annotations

from collections.abc import Iterator

from policy.findings import Finding, Severity
from policy.manifests.workloads import Container
from policy.rules.rule import Context, Rule


def check(container: Container, context: Context) -> Iterator[Finding]:
    first: dict[str, int] = {}
    for number, variable in enumerate(container.spec.env or ()):
        before = first.setdefault(variable.name, number)
        if before != number:
            yield Finding(
                at=container.field("env", number, "name"),
                message=f"{container} sets {variable.name} a second time; only the last one counts",
                fix="remove one of them",
                related=(container.field("env", before, "name"),),
            )


RULE = Rule(id="env-unique", applies_to=Container, severity=Severity.ERROR, check=check)
