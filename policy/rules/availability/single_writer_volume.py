"""No rollout and no second pod waits for a volume that only one node may mount.

A claim with the access mode ReadWriteOnce is mounted by one node, with ReadWriteOncePod by one pod. A Deployment that
mounts one has one pod, and stops it before it starts the next. A StatefulSet makes a claim for each pod from its
`volumeClaimTemplates`; that is the way to have several.

Why: a rolling update starts the new pod first. On another node it waits for the volume that the old pod holds, and the
old pod waits for the new one to be ready: the rollout hangs until it fails.

Fix: `strategy.type: Recreate` and one replica, or `volumeClaimTemplates`, or a volume that several nodes may mount.

Bad:

```yaml
kind: Deployment
spec:
  template:
    spec:
      volumes:
        - name: data
          persistentVolumeClaim:
            claimName: data   # accessModes: [ReadWriteOnce]
```

Good:

```yaml
kind: Deployment
spec:
  replicas: 1
  strategy:
    type: Recreate
  template:
    spec:
      volumes:
        - name: data
          persistentVolumeClaim:
            claimName: data
```

The access modes of a claim that is not in the input are unknown: it is reported as not checked.
"""

from __future__ import annotations

from collections.abc import Iterator

from policy.findings import Finding, Severity, Skipped
from policy.manifests.index import Index
from policy.manifests.rollouts import surge
from policy.manifests.volumes import MountedClaim, mounted_claims
from policy.manifests.workloads import Workload
from policy.rules.rule import Context, Rule


def check(workload: Workload, context: Context) -> Iterator[Finding | Skipped]:
    if not workload.pod.volumes or not (workload.is_replicated or workload.kind == "DaemonSet"):
        return
    for mounted in mounted_claims(workload, context.index):
        if mounted.claim is None:
            yield Skipped(mounted.at, f"who may mount claim {mounted.name} is not known: it is not in the input")
        elif mounted.single_mode:
            yield from _judged(workload, mounted, f"claim {mounted.name} ({mounted.single_mode})", context.index)


def _judged(workload: Workload, mounted: MountedClaim, claim: str, index: Index) -> Iterator[Finding]:
    replicas = index.replicas_of(workload)
    mounter = "one pod" if mounted.single_mode == "ReadWriteOncePod" else "one node"
    if replicas is None:
        yield Finding(
            at=mounted.at,
            message=f"a pod on every node mounts {claim}, which {mounter} may mount",
            fix="mount a volume that several nodes may mount",
        )
        return
    if replicas.ceiling > 1:
        yield Finding(
            at=replicas.most_at,
            message=f"{replicas.ceiling} pods mount {claim}, which {mounter} may mount",
            fix="have one pod, or make a claim for each with volumeClaimTemplates of a StatefulSet",
            related=(mounted.at,),
        )
    if surge(workload, replicas.fewest):
        yield Finding(
            at=workload.field("spec", "strategy", "type"),
            message=f"a rollout starts the new pod before the old one lets go of {claim}",
            fix="set strategy.type: Recreate",
            related=(mounted.at,),
        )


RULE = Rule(id="single-writer-volume", applies_to=Workload, severity=Severity.ERROR, check=check)
