"""No mapping in a source file holds the same key twice.

Why: in patches and in its own files Kustomize takes one of them without a word (in a patch the first, in a
kustomization the last), so a line that a reviewer sees and believes has no effect. In a resource it refuses to build.

Fix: keep the one that is meant and delete the other.

Bad:

```yaml
resources:
  limits: {memory: 256Mi}
  limits: {memory: 512Mi}
```

Good:

```yaml
resources:
  limits: {memory: 512Mi}
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
    for again, first, key in tree.duplicate_keys:
        yield Finding(
            at=again,
            message=f"{key} stands twice in this mapping, first in line {first.line}",
            fix="keep the one that is meant and delete the other",
            related=(first,),
        )


RULE = Rule(id="key-unique", applies_to=Sources, severity=Severity.ERROR, check=check)
