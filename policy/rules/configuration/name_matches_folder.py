"""A workload has the name of the folder that it is written in.

The folder of the file that first states the object; a prefix or suffix that a kustomization adds does not count. Where
the object has the label `app.kubernetes.io/name`, that is the folder's name too. Off by default: it is for repositories
with a folder for each workload. Switch it on with `enabled = true` under `[rules.name-matches-folder]` in policy.toml.
Plain manifests have no folders that mean anything, and are not judged.

Why: with one word for the folder, the object and the label, there is one place to look, whichever of them one knows.

Fix: rename one of them. The name of a workload that runs is not changed lightly: it is another workload then.

Bad:

```yaml
# base/user-service/deployment.yaml
kind: Deployment
metadata:
  name: users
```

Good:

```yaml
# base/user-service/deployment.yaml
kind: Deployment
metadata:
  name: user-service
```
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from policy.findings import Finding, Severity
from policy.manifests.workloads import Workload
from policy.rules.rule import Context, Rule

_LABEL = "app.kubernetes.io/name"


def check(workload: Workload, context: Context) -> Iterator[Finding]:
    origins = context.origins()
    declared = origins.declared(workload.resource.raw) if origins else None
    if declared is None:
        return
    name, place = declared
    folder = PurePosixPath(place.file).parent.name
    label = workload.resource.labels.get(_LABEL, folder)
    if not folder:
        return
    if name != folder:
        yield Finding(
            at=workload.field(),
            message=f"{workload.kind} {name} is written in the folder {folder}",
            fix=f"name the folder {name}, or the {workload.kind} {folder}",
        )
    elif label != folder:
        yield Finding(
            at=workload.field("metadata", "labels", _LABEL),
            message=f"{_LABEL} is {label}, and the folder and the {workload.kind} are {folder}",
            fix=f"set the label to {folder}",
        )


RULE = Rule(
    id="name-matches-folder",
    applies_to=Workload,
    severity=Severity.WARNING,
    check=check,
    enabled=False,
)
