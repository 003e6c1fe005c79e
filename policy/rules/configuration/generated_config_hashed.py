"""Configuration that a kustomization generates, and a workload reads, has the hash of its content in its name.

Looked at are ConfigMaps and Secrets of a `configMapGenerator` or `secretGenerator` that a workload mounts or takes
variables from. Those that others find by their name, such as Argo CD's settings, are not asked.

Why: the name is what makes a rollout. With `disableNameSuffixHash` a changed value reaches variables never, and files
some time later, in pods that read them at their start; a rollback brings back the old pods with the new configuration.

Fix: remove `disableNameSuffixHash`; Kustomize renames the references itself.

Bad:

```yaml
configMapGenerator:
  - name: settings
    files:
      - settings.conf
    options:
      disableNameSuffixHash: true
```

Good:

```yaml
configMapGenerator:
  - name: settings
    files:
      - settings.conf
```
"""

from __future__ import annotations

from collections.abc import Iterator

from policy.findings import Finding, Severity
from policy.manifests.index import Index
from policy.manifests.references import of_workload
from policy.manifests.secret_uses import secret_uses
from policy.patterns import Pattern
from policy.rules.rule import Context, Rule

_GENERATORS = ("configMapGenerator", "secretGenerator")
_HASHED = Pattern(r"-[2456789bcdfghkmt]{10}$")
"""The letters that Kustomize writes a hash with."""


def check(index: Index, context: Context) -> Iterator[Finding]:
    origins = context.origins()
    if origins is None:
        return
    read = {
        ("ConfigMap", workload.namespace, reference.name): workload
        for workload in index.workloads
        for reference in of_workload(workload)
        if reference.kind == "ConfigMap"
    }
    for workload in index.workloads:
        read.update({("Secret", workload.namespace, use.name): workload for use in secret_uses(workload)})
    for (kind, namespace, name), workload in read.items():
        resource = index.resource(kind, namespace, name)
        if resource is None or _HASHED.search(name):
            continue
        if origins.place(resource.raw, ()).field in _GENERATORS:
            yield Finding(
                at=resource.field(),
                message=f"{workload.ref} reads {kind} {name}, whose name stays the same when it changes: no rollout",
                fix="remove disableNameSuffixHash from the generator",
            )


RULE = Rule(id="generated-config-hashed", applies_to=Index, severity=Severity.WARNING, check=check)
