"""Pods mount only volumes of the types that are allowed.

A `hostPath` volume is a finding of `no-host-path`, not of this rule.

Why: a pod that names a disk, a file server or a repository itself goes past the StorageClass, that is past quotas,
snapshots and encryption; most such types are deprecated, and `gitRepo` ran code on the node.

Fix: use a PersistentVolumeClaim, or one of the types that only a pod can have.

Settings: `allowed`, the types (those of the restricted level of the Pod Security Standards: `configMap`, `csi`,
`downwardAPI`, `emptyDir`, `ephemeral`, `image`, `persistentVolumeClaim`, `projected`, `secret`).

Bad:

```yaml
volumes:
  - name: data
    nfs:
      server: files.example
      path: /exports/data
```

Good:

```yaml
volumes:
  - name: data
    persistentVolumeClaim:
      claimName: data
```
"""

from __future__ import annotations

from collections.abc import Iterator

from policy.findings import Finding, Severity
from policy.manifests.pod_security import RESTRICTED_VOLUME_TYPES
from policy.manifests.workloads import Workload
from policy.rules.rule import Context, Options, Rule


class VolumeTypeAllowedOptions(Options, frozen=True):
    allowed: tuple[str, ...] = RESTRICTED_VOLUME_TYPES


def check(workload: Workload, context: Context) -> Iterator[Finding]:
    if not workload.pod.volumes:
        return
    allowed = context.options(VolumeTypeAllowedOptions).allowed
    for index, (volume, kind) in enumerate(zip(workload.pod.volumes, workload.volume_types, strict=True)):
        if kind != "hostPath" and kind not in allowed:
            yield Finding(
                at=workload.pod_field("volumes", index, kind),
                message=f"volume {volume.name} has the type {kind}; allowed: {', '.join(allowed)}",
                fix="use a PersistentVolumeClaim",
            )


RULE = Rule(
    id="volume-type-allowed",
    applies_to=Workload,
    severity=Severity.ERROR,
    check=check,
    options=VolumeTypeAllowedOptions,
    by_settings=True,
)
