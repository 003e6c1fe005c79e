"""What objects name that has to exist besides: ConfigMaps and their keys, accounts, claims, classes, volumes.

Secrets are in ``secret_uses``. A reference that is ``optional`` needs nothing, and is left out.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from policy.findings import Field
from policy.manifests.claims import claim_of, claims_per_pod
from policy.manifests.index import Index
from policy.manifests.pod_spec import KeyToPath
from policy.manifests.resources import PersistentVolumeClaim, RoleBinding
from policy.manifests.workloads import Container, Workload


class Reference(msgspec.Struct, frozen=True):
    """That something needs an object, or a ``key`` of it; ``at`` is where the name (or the key) stands."""

    who: str
    kind: str
    name: str
    namespace: str
    at: Field
    key: str | None = None
    key_at: Field | None = None


def of_workload(workload: Workload) -> Iterator[Reference]:
    """Everything that the pods of a workload need by name, in the order of the manifest."""
    pod, namespace = workload.pod, workload.namespace
    if workload.service_account != "default":
        field = "serviceAccountName" if pod.service_account_name else "serviceAccount"
        yield Reference("", "ServiceAccount", workload.service_account, namespace, workload.pod_field(field))
    if pod.priority_class_name:
        at = workload.pod_field("priorityClassName")
        yield Reference("", "PriorityClass", pod.priority_class_name, "", at)
    for container in workload.containers:
        if container.spec.env or container.spec.env_from:
            yield from _of_environment(container, namespace)
    if pod.volumes:
        yield from _of_volumes(workload)
    if pod.volumes or workload.spec.volume_claim_templates:
        for claim in claims_per_pod(workload):
            if claim.storage_class:
                at = claim.spec_field["storageClassName"]
                yield Reference(f"claim {claim.name}", "StorageClass", claim.storage_class, "", at)


def of_claim(item: PersistentVolumeClaim) -> Iterator[Reference]:
    """The StorageClass of a claim that is an object of its own."""
    claim = claim_of(item)
    if claim.storage_class:
        yield Reference("", "StorageClass", claim.storage_class, "", claim.spec_field["storageClassName"])


def of_binding(item: RoleBinding, index: Index) -> Iterator[Reference]:
    """The Role of a binding, and the ServiceAccounts it names in namespaces that are in the input."""
    role = item.spec.role_ref
    if role.kind == "Role":
        yield Reference("", "Role", role.name, item.namespace, item.field("roleRef", "name"))
    for number, subject in enumerate(item.spec.subjects or ()):
        namespace = item.namespace if subject.namespace is None else subject.namespace
        if subject.kind == "ServiceAccount" and (namespace == item.namespace or index.workloads_in(namespace)):
            yield Reference("", "ServiceAccount", subject.name, namespace, item.field("subjects", number, "name"))


def missing_volumes(workload: Workload) -> Iterator[tuple[Container, str, Field]]:
    """Mounts of volumes that the pod does not have."""
    has = {volume.name for volume in workload.pod.volumes or ()}
    has.update(template.name for template in workload.spec.volume_claim_templates or ())
    for container in workload.containers:
        for number, mount in enumerate(container.spec.volume_mounts or ()):
            if mount.name not in has:
                yield container, mount.name, container.field("volumeMounts", number, "name")
        for number, device in enumerate(container.spec.volume_devices or ()):
            if device.name not in has:
                yield container, device.name, container.field("volumeDevices", number, "name")


def _of_environment(container: Container, namespace: str) -> Iterator[Reference]:
    for number, variable in enumerate(container.spec.env or ()):
        source = variable.value_from.config_map_key_ref if variable.value_from else None
        if source is not None and not source.optional:
            at = container.field("env", number, "valueFrom", "configMapKeyRef")
            who = f"variable {variable.name} of {container}"
            yield Reference(who, "ConfigMap", source.name, namespace, at["name"], source.key, at["key"])
    for number, whole in enumerate(container.spec.env_from or ()):
        if whole.config_map_ref is not None and not whole.config_map_ref.optional:
            at = container.field("envFrom", number, "configMapRef", "name")
            yield Reference(f"the environment of {container}", "ConfigMap", whole.config_map_ref.name, namespace, at)


def _of_volumes(workload: Workload) -> Iterator[Reference]:
    for number, volume in enumerate(workload.pod.volumes or ()):
        who = f"volume {volume.name}"
        if volume.config_map is not None and not volume.config_map.optional:
            at = workload.pod_field("volumes", number, "configMap")
            yield from _of_files(who, volume.config_map.name, volume.config_map.items, workload.namespace, at)
        elif volume.persistent_volume_claim is not None:
            at = workload.pod_field("volumes", number, "persistentVolumeClaim", "claimName")
            name = volume.persistent_volume_claim.claim_name
            yield Reference(who, "PersistentVolumeClaim", name, workload.namespace, at)
        elif volume.projected is not None:
            for index, source in enumerate(volume.projected.sources or ()):
                projected = source.config_map
                if projected is not None and not projected.optional:
                    at = workload.pod_field("volumes", number, "projected", "sources", index, "configMap")
                    yield from _of_files(who, projected.name, projected.items, workload.namespace, at)


def _of_files(
    who: str, name: str, items: tuple[KeyToPath, ...] | None, namespace: str, at: Field
) -> Iterator[Reference]:
    if not items:
        yield Reference(who, "ConfigMap", name, namespace, at["name"])
    for number, item in enumerate(items or ()):
        yield Reference(who, "ConfigMap", name, namespace, at["name"], item.key, at["items"][number]["key"])
