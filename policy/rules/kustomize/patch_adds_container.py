"""No patch adds a container that its base does not have.

A patch that is meant to add one is named in policy.toml: `[rules.patch-adds-container] additions = ["PATH"]`, where
PATH is the patch's file from the root of the repository and may hold `*`.

Why: Kustomize merges containers by name. A misspelt name in a patch changes nothing in the container that was meant; it
adds a second one, half configured, without a word.

Fix: write the name as the base does, or name the patch as an addition.

Bad:

```yaml
# base: containers: [{name: user-service, …}]
spec:
  template:
    spec:
      containers:
        - name: userservice
          resources: {limits: {memory: 512Mi}}
```

Good:

```yaml
spec:
  template:
    spec:
      containers:
        - name: user-service
          resources: {limits: {memory: 512Mi}}
```
"""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase

from policy.findings import Finding, Severity
from policy.manifests.workloads import Container, Workload
from policy.rules.rule import Context, Options, Rule


class PatchAddsContainerOptions(Options, frozen=True):
    """``additions``: files of patches that may add containers."""

    additions: tuple[str, ...] = ()


def check(workload: Workload, context: Context) -> Iterator[Finding]:
    origins = context.origins()
    if origins is None:
        return
    additions = context.options(PatchAddsContainerOptions).additions
    added: list[Container] = []
    others: list[str] = []
    for container in workload.containers:
        origin = origins.added_by(workload.resource.raw, container.path)
        if origin is None:
            others.append(container.name)
        elif not any(fnmatchcase(origin.place.file, pattern) for pattern in additions):
            added.append(container)
    for container in added:
        import difflib  # only errors need it

        near = difflib.get_close_matches(container.name, others, n=1)
        hint = f"did you mean {near[0]}?" if near else f"the base has {', '.join(others) or 'none'}"
        yield Finding(
            at=container.field("name"),
            message=f"this patch adds a container {container.name}; {hint}",
            fix="write the name as the base does, or name the patch under additions of this rule in policy.toml",
        )


RULE = Rule(
    id="patch-adds-container",
    applies_to=Workload,
    severity=Severity.ERROR,
    check=check,
    options=PatchAddsContainerOptions,
)
