"""Every emptyDir volume has a size limit.

Why: an emptyDir without one may fill the node's disk, or with `medium: Memory` its memory, and takes all the other pods
of that node down with it.

Fix: set `sizeLimit` to what the container writes there at most.

Bad:

```yaml
volumes:
  - name: tmp
    emptyDir: {}
```

Good:

```yaml
volumes:
  - name: tmp
    emptyDir:
      sizeLimit: 64Mi
```
"""

from __future__ import annotations

from collections.abc import Iterator

from policy.findings import Finding, Severity
from policy.manifests.requirements import read_quantity
from policy.manifests.workloads import Workload
from policy.rules.rule import Context, Rule


def check(workload: Workload, context: Context) -> Iterator[Finding]:
    for index, kind in enumerate(workload.volume_types):
        if kind != "emptyDir":
            continue
        volume = (workload.pod.volumes or ())[index]
        written = volume.empty_dir.size_limit if volume.empty_dir else None
        limit = read_quantity(written)
        if limit:
            continue
        place = "in memory" if volume.empty_dir and volume.empty_dir.medium == "Memory" else "on the node's disk"
        wrong = f"has no size limit and may grow {place}"
        if written is not None:
            wrong = f"has the size limit {written!r}, which is " + ("not a quantity" if limit is None else "none")
        yield Finding(
            at=workload.pod_field("volumes", index, "emptyDir", "sizeLimit"),
            message=f"emptyDir volume {volume.name} {wrong}",
            fix="set sizeLimit to what is written there at most",
        )


RULE = Rule(id="empty-dir-bounded", applies_to=Workload, severity=Severity.ERROR, check=check, by_settings=True)
