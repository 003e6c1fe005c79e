"""Workloads: whatever makes pods, seen alike.

Every kind that holds a pod specification is a ``Workload`` with containers that know their place and their role, so
that no rule repeats where the pod template of a CronJob sits or what a native sidecar is.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from policy.findings import Field, FieldPath, ObjectRef
from policy.lazy import cached_property
from policy.manifests.decode import NotDecodable, convert, convert_what_fits
from policy.manifests.images import Image, parse_image
from policy.manifests.pod_spec import ContainerSpec, PodSpec
from policy.manifests.resources import Resource, WorkloadSpec
from policy.manifests.selectors import LabelSelector

_APPS = frozenset({"apps", "extensions"})
_KINDS: dict[str, tuple[frozenset[str], FieldPath]] = {
    "Pod": (frozenset({""}), ()),
    "ReplicationController": (frozenset({""}), ("spec", "template")),
    "Deployment": (_APPS, ("spec", "template")),
    "StatefulSet": (_APPS, ("spec", "template")),
    "DaemonSet": (_APPS, ("spec", "template")),
    "ReplicaSet": (_APPS, ("spec", "template")),
    "DeploymentConfig": (frozenset({"apps.openshift.io"}), ("spec", "template")),
    "Job": (frozenset({"batch"}), ("spec", "template")),
    "CronJob": (frozenset({"batch"}), ("spec", "jobTemplate", "spec", "template")),
}
_CONTAINERS = ("containers", "initContainers", "ephemeralContainers")
_OWN_OF_POD = frozenset({*_CONTAINERS, "serviceAccount", "serviceAccountName"})
_OWN_OF_CONTAINER = frozenset({"args", "command", "env", "envFrom", "image", "name"})
_FINITE = frozenset({"Job", "CronJob"})
_REPLICATED = frozenset({"Deployment", "StatefulSet", "ReplicaSet", "ReplicationController", "DeploymentConfig"})


class Role(enum.Enum):
    """What a container is in its pod."""

    MAIN = "container"
    INIT = "init container"
    SIDECAR = "sidecar container"  # an init container with restartPolicy Always (KEP-753)
    EPHEMERAL = "ephemeral container"


class Container(msgspec.Struct, frozen=True):
    """A container of a workload and where it stands."""

    spec: ContainerSpec
    role: Role
    ref: ObjectRef
    path: FieldPath
    image: Image | None

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def runs_on(self) -> bool:
        """Whether it runs as long as its pod: main containers and native sidecars."""
        return self.role in (Role.MAIN, Role.SIDECAR)

    def field(self, *path: str | int) -> Field:
        return Field(self.ref, self.path + path)

    def __str__(self) -> str:
        return f"{self.role.value} {self.name or '(unnamed)'}"


class Workload(msgspec.Struct, frozen=True, dict=True):
    """An object that makes pods."""

    resource: Resource
    spec: WorkloadSpec
    pod: PodSpec
    template_path: FieldPath
    containers: tuple[Container, ...]

    @property
    def ref(self) -> ObjectRef:
        return self.resource.ref

    @property
    def kind(self) -> str:
        return self.resource.ref.kind

    @property
    def name(self) -> str:
        return self.resource.ref.name

    @property
    def namespace(self) -> str:
        return self.resource.ref.namespace

    def field(self, *path: str | int) -> Field:
        return Field(self.ref, path)

    def pod_field(self, *path: str | int) -> Field:
        """A field of the pod specification, e.g. ``workload.pod_field("hostNetwork")``."""
        return Field(self.ref, (*self.template_path, "spec", *path))

    @cached_property
    def pod_raw(self) -> Mapping[str, Any]:
        """The pod specification as written."""
        return _at(self.resource.raw, (*self.template_path, "spec"))

    @cached_property
    def pod_labels(self) -> Mapping[str, str]:
        """The labels of its pods."""
        return _texts(_at(self.resource.raw, (*self.template_path, "metadata", "labels")))

    @cached_property
    def pod_annotations(self) -> Mapping[str, str]:
        """The annotations of its pods."""
        return _texts(_at(self.resource.raw, (*self.template_path, "metadata", "annotations")))

    @cached_property
    def settings(self) -> tuple[object, ...]:
        """Equal for workloads of one kind whose pods differ in nothing but what is each one's own.

        That is names, labels, accounts, images, commands and variables. Compared by identity, since equal parts of
        documents that are alike are one object; so pods that differ in none of it may have other settings all the same.
        Names of containers count where an annotation sets something, since it may be for the container of a name.
        """
        found: list[object] = [self.kind]
        _add_identities(found, self.pod_raw, _OWN_OF_POD)
        for key in _CONTAINERS:
            containers = self.pod_raw.get(key)
            for container in containers if isinstance(containers, list) else ():
                found.append(key)
                _add_identities(found, container, _OWN_OF_CONTAINER)
        if self.pod_annotations:
            annotations = [item for item in self.pod_annotations.items() if ".kubernetes.io/" in item[0]]
            if annotations:
                found += annotations
                found += (container.name for container in self.containers)
        return tuple(found)

    @cached_property
    def volume_types(self) -> tuple[str, ...]:
        """The type of each volume of the pod, e.g. ``configMap``; one that names none is an emptyDir (API default)."""
        volumes = self.pod_raw.get("volumes")
        return tuple(
            next((key for key, value in volume.items() if key != "name" and value is not None), "emptyDir")
            if isinstance(volume, dict)
            else ""
            for volume in (volumes if isinstance(volumes, list) else ())
        )

    @property
    def is_windows(self) -> bool:
        """Says that its pods run on Windows, where the Linux security settings do not exist (KEP-2802)."""
        return self.pod.os is not None and self.pod.os.name == "windows"

    @property
    def service_account(self) -> str:
        """The ServiceAccount that its pods run under; ``default`` where none is named."""
        return self.pod.service_account_name or self.pod.service_account or "default"

    @cached_property
    def selector(self) -> LabelSelector | None:
        """The pods it owns; None for kinds that need no selector."""
        raw = self.spec.selector
        if raw is None:
            return None
        if self.kind in ("ReplicationController", "DeploymentConfig"):
            return LabelSelector(match_labels={str(key): str(value) for key, value in raw.items()})
        labels = raw.get("matchLabels")
        if len(raw) == 1 and isinstance(labels, dict) and all(isinstance(value, str) for value in labels.values()):
            return LabelSelector(match_labels=labels)
        return convert(raw, LabelSelector, ("spec", "selector"))

    @cached_property
    def job_spec(self) -> WorkloadSpec | None:
        """How a Job, or the Jobs of a CronJob, run; None for other kinds."""
        if self.kind == "Job":
            return self.spec
        if self.kind == "CronJob":
            path: FieldPath = ("spec", "jobTemplate", "spec")
            return convert_what_fits(_at(self.resource.raw, path), WorkloadSpec, path, [])
        return None

    @property
    def is_finite(self) -> bool:
        """Jobs and CronJobs: their containers are meant to end."""
        return self.kind in _FINITE

    @property
    def is_replicated(self) -> bool:
        """Has ``spec.replicas`` that a person, Kustomize or an autoscaler sets."""
        return self.kind in _REPLICATED

    @cached_property
    def long_running(self) -> tuple[Container, ...]:
        """The containers that a probe must watch: those that run as long as the pod of a workload that does not end."""
        if self.is_finite or self.pod.restart_policy in ("Never", "OnFailure"):
            return ()
        return tuple(container for container in self.containers if container.runs_on)

    @cached_property
    def main_containers(self) -> tuple[Container, ...]:
        return tuple(container for container in self.containers if container.role is Role.MAIN)


def workload(resource: Resource, lost: list[NotDecodable] | None = None) -> Workload | None:
    """The resource as a workload, None where it makes no pods.

    Fields of another type than their kind prescribes are left out and added to ``lost``.

    Raises:
        NotDecodable: nothing is left without such a field.
    """
    entry = _KINDS.get(resource.ref.kind)
    if entry is None or resource.group not in entry[0]:
        return None
    lost = [] if lost is None else lost
    template_path = entry[1]
    pod_path: FieldPath = (*template_path, "spec")
    raw_spec = {} if resource.ref.kind == "Pod" else resource.raw.get("spec") or {}
    spec = convert_what_fits(raw_spec, WorkloadSpec, ("spec",), lost)
    pod = convert_what_fits(_at(resource.raw, pod_path), PodSpec, pod_path, lost)
    return Workload(resource, spec, pod, template_path, tuple(_containers(resource.ref, pod, pod_path)))


def _containers(ref: ObjectRef, pod: PodSpec, pod_path: FieldPath) -> Iterator[Container]:
    for key, role, specs in (
        ("initContainers", Role.INIT, pod.init_containers),
        ("containers", Role.MAIN, pod.containers),
        ("ephemeralContainers", Role.EPHEMERAL, pod.ephemeral_containers),
    ):
        for index, spec in enumerate(specs or ()):
            actual = Role.SIDECAR if role is Role.INIT and spec.restart_policy == "Always" else role
            image = parse_image(spec.image) if spec.image else None
            yield Container(spec, actual, ref, (*pod_path, key, index), image)


def _add_identities(found: list[object], raw: Any, without: frozenset[str]) -> None:
    """The keys of a mapping, and which objects its values are."""
    if isinstance(raw, dict):
        for key, value in raw.items():
            if key not in without:
                found.append(key)
                found.append(id(value))


def _texts(raw: Mapping[str, Any]) -> Mapping[str, str]:
    for value in raw.values():
        if not isinstance(value, str):
            return {key: value for key, value in raw.items() if isinstance(value, str)}
    return raw


def _at(raw: Any, path: FieldPath) -> Mapping[str, Any]:
    for step in path:
        raw = raw.get(step) if isinstance(raw, dict) else None
    return raw if isinstance(raw, dict) else {}
