"""Every exception in policy.toml is still needed.

Why: an exception that accepts nothing today accepts tomorrow's mistake without anyone deciding it.

Fix: delete the `[[exception]]`, or correct its rule, object, container or environments.

Bad:

```yaml
# policy.toml has an exception from read-only-root for Deployment/legacy; the Deployment has a read-only root
securityContext:
  readOnlyRootFilesystem: true
```

Good:

```yaml
# the exception is gone, the setting stays
securityContext:
  readOnlyRootFilesystem: true
```
"""

from __future__ import annotations

from collections.abc import Iterator

from policy.findings import Finding, Place, Severity
from policy.rules.rule import Context, Rule
from policy.settings import PolicyException


def unneeded(entry: PolicyException) -> Finding:
    """The finding about an exception that no finding of the whole run needed."""
    accepted = entry.accepted
    return Finding(
        at=Place(entry.file, entry.line),
        message=f"no finding of {accepted.rule} about {accepted.object} needs this exception",
        fix="delete the exception, or correct its rule, object, container or environments",
    )


def check(entry: PolicyException, context: Context) -> Iterator[Finding]:
    yield unneeded(entry)


RULE = Rule(id="exception-stale", applies_to=PolicyException, severity=Severity.ERROR, check=check, exceptable=False)
