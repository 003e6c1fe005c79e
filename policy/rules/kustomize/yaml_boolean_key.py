"""No key of a source file is a word that some YAML parsers read as true or false.

The words are y, n, yes, no, on, off, true and false, in any case, without quotes.

Why: YAML 1.1 calls them booleans, YAML 1.2 only true and false. Kustomize reads its own files and JSON patches by the
one and manifests by the other, and neither says so: labels `y`, `on` and `yes` of a kustomization become one label
`true`, which cannot be rendered, and the build fails with a message that names no file.

Fix: put the key in quotes, or choose another word.

Bad:

```yaml
data:
  on: "08:00"
  off: "18:00"
```

Good:

```yaml
data:
  "on": "08:00"
  "off": "18:00"
```
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from policy.findings import Finding, Severity
from policy.rules.rule import Context, Rule, Sources

if TYPE_CHECKING:
    from policy.kustomize.sources import SourceTree


def check(tree: SourceTree, context: Context) -> Iterator[Finding]:
    for place, key in tree.boolean_keys:
        yield Finding(
            at=place,
            message=f"the key {key} is a boolean to a YAML 1.1 parser",
            fix=f'write "{key}", or choose another word',
        )


RULE = Rule(id="yaml-boolean-key", applies_to=Sources, severity=Severity.ERROR, check=check)
