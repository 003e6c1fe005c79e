"""Every field of a patch or replacement is one that Kustomize knows.

Kustomize refuses unknown fields of its own file. It says nothing of those in JSON patch operations, in files of
replacements, in `buildMetadata` and `openapi`, nor of directives such as `$retainKeys`, which it takes for fields.

Why: what was meant does not happen, and what happens instead is worse: an operation with `vlaue` sets null, and a
replacement into `spec.hosts.-` makes a mapping with the key `-` where a list was meant.

Fix: the name as Kustomize has it.

Bad:

```yaml
- op: replace
  path: /spec/replicas
  vlaue: 3
```

Good:

```yaml
- op: replace
  path: /spec/replicas
  value: 3
```
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from policy.findings import Finding, Severity
from policy.rules.rule import Context, Rule, Sources

if TYPE_CHECKING:
    from policy.kustomize.sources import SourceTree
    from policy.kustomize.unknown import Unknown


def check(tree: SourceTree, context: Context) -> Iterator[Finding]:
    from policy.kustomize.unknown import unknown_fields

    for unknown in unknown_fields(tree):
        yield Finding(
            at=unknown.place,
            message=unknown.message or _message(unknown),
            fix="write it as Kustomize has it: https://kubectl.docs.kubernetes.io/references/kustomize/",
        )


def _message(unknown: Unknown) -> str:
    import difflib  # only errors need it

    near = difflib.get_close_matches(unknown.name, unknown.known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"known here: {', '.join(unknown.known)}"
    return f"Kustomize passes over {unknown.name}; {hint}"


RULE = Rule(id="field-known", applies_to=Sources, severity=Severity.ERROR, check=check)
