"""How many pods a workload has: what it says itself, or what its autoscalers make of it.

Sources: API references of HorizontalPodAutoscaler (``minReplicas`` is 1 where it is absent; it does nothing while its
target is at zero) and of KEDA's ScaledObject (``minReplicaCount`` 0, ``maxReplicaCount`` 100, and a Deployment, where
it does not say).
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from policy.findings import Field, ObjectRef
from policy.manifests.resources import HorizontalPodAutoscaler, Resource, ScaledObject
from policy.manifests.workloads import Workload

_KEDA_MAXIMUM = 100


class Autoscaler(msgspec.Struct, frozen=True):
    """Whatever sets the replicas of something else, seen alike."""

    resource: Resource
    target_kind: str
    target_name: str
    target_group: str
    minimum: int
    maximum: int
    minimum_name: str
    maximum_name: str

    @property
    def ref(self) -> ObjectRef:
        return self.resource.ref

    @property
    def is_keda(self) -> bool:
        return self.resource.group == "keda.sh"

    @property
    def says_minimum(self) -> bool:
        """Whether the minimum is written, and no default."""
        return (self.resource.raw.get("spec") or {}).get(self.minimum_name) is not None

    @property
    def says(self) -> str:
        """Its minimum, for people, e.g. ``minReplicas of HorizontalPodAutoscaler/web is 2``."""
        name = f"{self.minimum_name} of {self.ref}"
        return f"{name} is {self.minimum}" if self.says_minimum else f"{name} is unset, which means {self.minimum}"

    def field(self, *path: str | int) -> Field:
        return Field(self.ref, path)

    @property
    def minimum_field(self) -> Field:
        return self.field("spec", self.minimum_name)

    @property
    def maximum_field(self) -> Field:
        return self.field("spec", self.maximum_name)


def autoscaler(item: HorizontalPodAutoscaler | ScaledObject) -> Autoscaler:
    """The autoscaler that an object states."""
    if isinstance(item, ScaledObject):
        keda = item.spec
        of = keda.scale_target_ref
        return Autoscaler(
            resource=item.resource,
            target_kind=of.kind or "Deployment",
            target_name=of.name,
            target_group=_group(of.api_version or "apps/v1"),
            minimum=keda.min_replica_count or 0,
            maximum=_KEDA_MAXIMUM if keda.max_replica_count is None else keda.max_replica_count,
            minimum_name="minReplicaCount",
            maximum_name="maxReplicaCount",
        )
    target = item.spec.scale_target_ref
    return Autoscaler(
        resource=item.resource,
        target_kind=target.kind,
        target_name=target.name,
        target_group=_group(target.api_version or ""),
        minimum=item.spec.minimum,
        maximum=item.spec.max_replicas,
        minimum_name="minReplicas",
        maximum_name="maxReplicas",
    )


def _group(api_version: str) -> str:
    return api_version.rpartition("/")[0]


class Replicas(msgspec.Struct, frozen=True):
    """The fewest and the most pods that a workload is meant to have, and what says so."""

    workload: Workload
    floor: int
    ceiling: int
    autoscaler: Autoscaler | None = None
    """The one whose minimum is the floor; None where the workload speaks for itself."""

    @property
    def at(self) -> Field:
        """The field to edit for another floor."""
        if self.autoscaler is not None:
            return self.autoscaler.minimum_field
        return self.workload.field("spec", "replicas")

    @property
    def fewest(self) -> int:
        """The fewest pods there are whenever there are any; 0 only for what is switched off."""
        return max(self.floor, min(1, self.ceiling))

    @property
    def most_at(self) -> Field:
        """The field to edit for fewer pods at most."""
        return self.at if self.autoscaler is None else self.autoscaler.maximum_field

    @property
    def source(self) -> str:
        """What the floor comes from, for people, e.g. ``replicas is unset, which means 1``."""
        if self.autoscaler is not None:
            return self.autoscaler.says
        is_said = self.workload.spec.replicas is not None
        return f"replicas is {self.floor}" if is_said else f"replicas is unset, which means {self.floor}"


def replicas(workload: Workload, autoscalers: Sequence[Autoscaler]) -> Replicas | None:
    """How many pods a workload has under its autoscalers; None for kinds without ``spec.replicas``.

    Where several autoscalers pull at it, any of their bounds may win.
    """
    if not workload.is_replicated:
        return None
    written = workload.spec.replicas
    if written == 0:
        autoscalers = [item for item in autoscalers if item.is_keda]
    if autoscalers:
        lowest = min(autoscalers, key=lambda item: item.minimum)
        return Replicas(workload, lowest.minimum, max(item.maximum for item in autoscalers), lowest)
    count = 1 if written is None else written
    return Replicas(workload, count, count)
