"""Volumes of a workload that are claims, and whether several nodes may mount them."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from policy.findings import Field
from policy.manifests.index import Index
from policy.manifests.resources import PersistentVolumeClaim
from policy.manifests.workloads import Workload

_OF_ONE = frozenset({"ReadWriteOnce", "ReadWriteOncePod"})


class MountedClaim(msgspec.Struct, frozen=True):
    """A volume that is a claim by name; ``claim`` is None where that is not in the input."""

    name: str
    at: Field
    claim: PersistentVolumeClaim | None

    @property
    def single_mode(self) -> str | None:
        """The access mode that binds it to one node or pod; None where several may mount it, or nobody knows."""
        modes = (self.claim.spec.access_modes or ()) if self.claim else ()
        return modes[-1] if modes and _OF_ONE.issuperset(modes) else None


def mounted_claims(workload: Workload, index: Index) -> Iterator[MountedClaim]:
    """The claims that all pods of a workload share; not those that a StatefulSet makes for each."""
    for number, volume in enumerate(workload.pod.volumes or ()):
        if volume.persistent_volume_claim is not None:
            name = volume.persistent_volume_claim.claim_name
            yield MountedClaim(
                name,
                workload.pod_field("volumes", number, "persistentVolumeClaim", "claimName"),
                index.find(PersistentVolumeClaim, workload.namespace, name),
            )
