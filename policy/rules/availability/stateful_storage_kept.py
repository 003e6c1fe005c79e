"""What a database writes outlives its pod, and its claim outlives the database.

The data directory of a known database image lies on a volume that is not removed with the pod: a claim, not an
`emptyDir`, and not the container's own file system. Known are the images of the common databases by the end of their
name; `data-directories` under `[rules.stateful-storage-kept]` in policy.toml adds others, or stops asking for one with
an empty directory, e.g. `redis = "/data"` where Redis is a store and no cache.

Of a StatefulSet: each of its `volumeClaimTemplates` is mounted, and its `persistentVolumeClaimRetentionPolicy` deletes
no claim.

Why: an `emptyDir` is deleted with its pod, and a pod is deleted by every rollout, drain and eviction. With the policy
`Delete`, one wrong prune or one scale to zero takes the data along.

Fix: mount a claim from `volumeClaimTemplates` at the data directory, and retain it.

Bad:

```yaml
kind: Deployment
spec:
  template:
    spec:
      containers:
        - name: postgres
          image: postgres:17.6
          volumeMounts:
            - name: data
              mountPath: /var/lib/postgresql/data
      volumes:
        - name: data
          emptyDir: {}
```

Good:

```yaml
kind: StatefulSet
spec:
  template:
    spec:
      containers:
        - name: postgres
          image: postgres:17.6
          volumeMounts:
            - name: data
              mountPath: /var/lib/postgresql/data
  volumeClaimTemplates:
    - metadata:
        name: data
```
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import field

from policy.findings import Finding, Severity
from policy.manifests.databases import data_directory, storage
from policy.manifests.workloads import Workload
from policy.rules.rule import Context, Options, Rule

_FIX = "mount a claim from volumeClaimTemplates of a StatefulSet at the data directory"


class StatefulStorageKeptOptions(Options, frozen=True):
    """``data-directories``: image name to the directory it keeps data in, besides those that are known."""

    data_directories: dict[str, str] = field(default_factory=dict)


def check(workload: Workload, context: Context) -> Iterator[Finding]:
    more = context.options(StatefulStorageKeptOptions).data_directories
    for container in workload.long_running:
        directory = data_directory(container, more)
        if directory is None:
            continue
        found = storage(workload, container, directory)
        if found.is_kept:
            continue
        if found.type is None:
            where = "in its own file system: it is lost with the container"
            if found.volume is not None:
                where = f"on volume {found.volume}, which this pod does not have"
        else:
            where = f"on volume {found.volume} ({found.type}): it is lost with the pod"
        message = f"{container} keeps its data, {directory}, {where}"
        yield Finding(at=found.at, message=message, fix=_FIX)
    if workload.spec.volume_claim_templates:
        yield from _claims(workload)


def _claims(workload: Workload) -> Iterator[Finding]:
    used: set[str] = set()
    for container in workload.containers:
        used.update(mount.name for mount in container.spec.volume_mounts or ())
        used.update(device.name for device in container.spec.volume_devices or ())
    for number, template in enumerate(workload.spec.volume_claim_templates or ()):
        if template.name not in used:
            yield Finding(
                at=workload.field("spec", "volumeClaimTemplates", number, "metadata", "name"),
                message=f"no container mounts claim {template.name}: what is written is written elsewhere",
                fix="mount it where the data are",
            )
    policy = workload.spec.persistent_volume_claim_retention_policy or {}
    for key, when in (("whenDeleted", "the StatefulSet is deleted"), ("whenScaled", "it is scaled down")):
        if policy.get(key) == "Delete":
            yield Finding(
                at=workload.field("spec", "persistentVolumeClaimRetentionPolicy", key),
                message=f"the claims, and the data, are deleted when {when}",
                fix="set it to Retain",
            )


RULE = Rule(
    id="stateful-storage-kept",
    applies_to=Workload,
    severity=Severity.ERROR,
    check=check,
    options=StatefulStorageKeptOptions,
)
