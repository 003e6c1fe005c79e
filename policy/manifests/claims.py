"""PersistentVolumeClaims: those in Git, and those that are made for the pods of a workload."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from policy.findings import Field
from policy.manifests.pod_spec import Quantity
from policy.manifests.requirements import read_quantity
from policy.manifests.resources import PersistentVolumeClaim
from policy.manifests.workloads import Workload

_CLASS_ANNOTATION = "volume.beta.kubernetes.io/storage-class"
"""Still read before ``spec.storageClassName`` (API reference, PersistentVolumeClaim)."""


class Claim(msgspec.Struct, frozen=True):
    """A claim; ``spec_field`` is where its specification stands."""

    name: str
    spec_field: Field
    storage: Quantity | None
    storage_class: str | None
    """The StorageClass by name, "" for none at all; None leaves it to the cluster's default."""

    @property
    def storage_field(self) -> Field:
        return self.spec_field["resources"]["requests"]["storage"]

    @property
    def amount(self) -> int | None:
        """The storage asked for, in nano-bytes; None where that is absent or no quantity."""
        return read_quantity(self.storage)


def claim_of(item: PersistentVolumeClaim) -> Claim:
    """A claim that is an object of its own."""
    return _claim(item.name, item.field("spec"), item.resource.raw)


def claims_per_pod(workload: Workload) -> Iterator[Claim]:
    """The claims made for each pod: a StatefulSet's volumeClaimTemplates, and generic ephemeral volumes of any kind."""
    if workload.kind == "StatefulSet":
        spec = _mapping(workload.resource.raw.get("spec"))
        templates = spec.get("volumeClaimTemplates")
        for index, template in enumerate(templates if isinstance(templates, list) else ()):
            name = str(_mapping(_mapping(template).get("metadata")).get("name") or "")
            yield _claim(name, workload.field("spec", "volumeClaimTemplates", index, "spec"), _mapping(template))
    for index, volume in enumerate(workload.pod.volumes or ()):
        template = _mapping((volume.ephemeral or {}).get("volumeClaimTemplate"))
        if template:
            at = workload.pod_field("volumes", index, "ephemeral", "volumeClaimTemplate", "spec")
            yield _claim(volume.name, at, template)


def _claim(name: str, at: Field, raw: Mapping[str, Any]) -> Claim:
    spec = _mapping(raw.get("spec"))
    storage = _mapping(_mapping(spec.get("resources")).get("requests")).get("storage")
    annotated = _mapping(_mapping(raw.get("metadata")).get("annotations")).get(_CLASS_ANNOTATION)
    storage_class = annotated if isinstance(annotated, str) else spec.get("storageClassName")
    return Claim(
        name=name,
        spec_field=at,
        storage=storage if isinstance(storage, str | int | float) and not isinstance(storage, bool) else None,
        storage_class=storage_class if isinstance(storage_class, str) else None,
    )


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
