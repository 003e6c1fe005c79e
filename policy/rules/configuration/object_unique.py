"""No object is there twice: its kind with its API group, its namespace and its name are of no other object.

Every other rule looks at each of them as if it were alone. Kustomize refuses to render two, so that only plain
manifests have such findings. Names that the cluster generates (`generateName`) are of one object each. Two with the
same fields are a warning: nothing is lost yet.

Why: `kubectl apply` takes them one after the other and keeps the last, so that which one runs is decided by the names
of files, and a change to the other does nothing.

Fix: delete one, or give it a name or a namespace of its own. Folders that are applied separately are checked
separately: name each of them as a PATH, or as an environment in policy.toml.

Bad:

```yaml
# api/config.yaml
kind: ConfigMap
metadata: {name: settings, namespace: shop}
---
# web/config.yaml
kind: ConfigMap
metadata: {name: settings, namespace: shop}
```

Good:

```yaml
# api/config.yaml
kind: ConfigMap
metadata: {name: api-settings, namespace: shop}
---
# web/config.yaml
kind: ConfigMap
metadata: {name: web-settings, namespace: shop}
```
"""

from __future__ import annotations

from collections.abc import Iterator

from policy.findings import Finding, Severity
from policy.manifests.index import Index
from policy.rules.rule import Context, Rule


def check(index: Index, context: Context) -> Iterator[Finding]:
    for again, first in index.repeated:
        ref = again.ref
        is_same = first.raw == again.raw
        yield Finding(
            at=again.field(),
            message=f"{ref} is there twice{_where(ref.namespace)}, "
            + ("with the same fields" if is_same else "with other fields: kubectl apply keeps the last"),
            fix="delete one, or give it a name of its own; check folders that are applied separately one by one",
            related=(first.field(),),
            severity=Severity.WARNING if is_same else None,
        )


def _where(namespace: str) -> str:
    return f" in the namespace {namespace}" if namespace else ""


RULE = Rule(id="object-unique", applies_to=Index, severity=Severity.ERROR, check=check)
