"""No pod mounts a folder or file of its node.

That is a `hostPath` volume, or a PersistentVolume that is one: a claim would carry it past the Pod Security Standards.

Why: the node's files belong to all its pods and to the node itself; a socket of the container runtime is root on it.
And what a pod finds there differs from node to node.

Fix: use a PersistentVolumeClaim for data, an emptyDir for what may be lost, a ConfigMap for configuration.

Bad:

```yaml
volumes:
  - name: data
    hostPath:
      path: /var/lib/data
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
from policy.manifests.index import Index
from policy.manifests.resources import PersistentVolume
from policy.rules.rule import Context, Rule

_FIX = "use a PersistentVolumeClaim of a StorageClass, an emptyDir, or a ConfigMap"


def check(index: Index, context: Context) -> Iterator[Finding]:
    for workload in index.workloads:
        for number, volume in enumerate(workload.pod.volumes or ()):
            if volume.host_path is not None:
                yield Finding(
                    at=workload.pod_field("volumes", number, "hostPath"),
                    message=f"volume {volume.name} is {volume.host_path.path} of the node",
                    fix=_FIX,
                )
    for persistent in index.all(PersistentVolume):
        if persistent.spec.host_path is not None:
            yield Finding(
                at=persistent.field("spec", "hostPath"),
                message=f"whoever claims {persistent.name} gets {persistent.spec.host_path.path} of the node",
                fix=_FIX,
            )


RULE = Rule(id="no-host-path", applies_to=Index, severity=Severity.ERROR, check=check)
