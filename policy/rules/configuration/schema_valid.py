"""Every object is valid for the oldest and the newest Kubernetes version that the settings name.

Compared strictly and offline by kubeconform: unknown fields, wrong types and missing required fields are findings, and
so is a kind without a schema; nothing is skipped.

Why: the API server drops a misspelt field without a word, so the setting that it was meant to make is not made; and a
field or an API version that one of your clusters does not know fails there, after the merge.

Fix: correct the field. For a kind of your own, name its CustomResourceDefinition under `schemas.crds` in policy.toml.

Bad:

```yaml
spec:
  replica: 2
```

Good:

```yaml
spec:
  replicas: 2
```
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from policy.findings import Field, FieldPath, Finding, Severity
from policy.rules.rule import Context, Rule


class Mismatch(msgspec.Struct, frozen=True):
    """A field that a schema refuses; ``versions`` are the Kubernetes versions, empty where all refuse it."""

    at: Field
    message: str
    versions: tuple[str, ...] = ()
    fix: str | None = None


def check(mismatch: Mismatch, context: Context) -> Iterator[Finding]:
    only_some = bool(mismatch.versions) and set(mismatch.versions) != set(context.kubernetes)
    where = f" (Kubernetes {' and '.join(mismatch.versions)})" if only_some else ""
    message = mismatch.message
    if message.startswith(("is ", "must ")) and mismatch.at.path:
        message = f"{_named(mismatch.at.path)} {message}"
    yield Finding(at=mismatch.at, message=f"{message}{where}", fix=mismatch.fix)


def _named(path: FieldPath) -> str:
    """The last field of a path, and which item of it is meant: ``args[1]``."""
    field = max(position for position, step in enumerate(path) if position == 0 or isinstance(step, str))
    return str(path[field]) + "".join(f"[{item}]" for item in path[field + 1 :])


RULE = Rule(id="schema-valid", applies_to=Mismatch, severity=Severity.ERROR, check=check)
