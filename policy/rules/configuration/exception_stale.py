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

import msgspec

from policy.findings import Finding, Place, Severity
from policy.rules.rule import Context, Rule


class Unneeded(msgspec.Struct, frozen=True):
    """An exception that no finding of the whole run needed, and where it stands."""

    place: Place
    rule: str
    object: str


def check(exception: Unneeded, context: Context | None) -> Iterator[Finding]:
    yield Finding(
        at=exception.place,
        message=f"no finding of {exception.rule} about {exception.object} needs this exception",
        fix="delete the exception, or correct its rule, object, container or environments",
    )


RULE = Rule(id="exception-stale", applies_to=Unneeded, severity=Severity.ERROR, check=check, exceptable=False)
