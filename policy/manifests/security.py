"""Security settings as they take effect: a container's own, or what it inherits from its pod.

Source: ``core/v1`` SecurityContext, API reference: a field that both contexts have is the container's, where it is set.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

import msgspec

from policy.findings import Field, FieldPath
from policy.manifests.pod_spec import PodSecurityContext, Profile, SecurityContext
from policy.manifests.workloads import Container, Workload

T = TypeVar("T")


class Effective(msgspec.Struct, Generic[T], frozen=True):
    """A setting of one container as it takes effect: from its pod (``pod`` is set then), or from itself."""

    container: Container
    value: T | None
    pod: Workload | None
    path: FieldPath

    @property
    def at(self) -> Field:
        """The field to edit: where the value is set.

        Where it is set nowhere (``value`` is None), where it belongs: in the container, if a sibling container has its
        own, else in the pod, for all containers at once.
        """
        return self.container.field(*self.path) if self.pod is None else self.pod.pod_field(*self.path)


def run_as_non_root(workload: Workload) -> list[Effective[bool]]:
    """``runAsNonRoot`` of each container, in the order of ``workload.containers``."""
    return _inherited(workload, "runAsNonRoot", lambda own: own.run_as_non_root, lambda pod: pod.run_as_non_root)


def run_as_user(workload: Workload) -> list[Effective[int]]:
    """``runAsUser`` of each container, in the order of ``workload.containers``."""
    return _inherited(workload, "runAsUser", lambda own: own.run_as_user, lambda pod: pod.run_as_user)


def run_as_group(workload: Workload) -> list[Effective[int]]:
    """``runAsGroup`` of each container, in the order of ``workload.containers``."""
    return _inherited(workload, "runAsGroup", lambda own: own.run_as_group, lambda pod: pod.run_as_group)


def seccomp_profile(workload: Workload) -> list[Effective[Profile]]:
    """``seccompProfile`` of each container, in the order of ``workload.containers``."""
    return _inherited(workload, "seccompProfile", lambda own: own.seccomp_profile, lambda pod: pod.seccomp_profile)


def host_process(workload: Workload) -> list[Effective[bool]]:
    """``windowsOptions.hostProcess`` of each container, in the order of ``workload.containers``."""
    return _inherited(
        workload,
        "hostProcess",
        lambda own: own.windows_options.host_process if own.windows_options else None,
        lambda pod: pod.windows_options.host_process if pod.windows_options else None,
        parents=("windowsOptions",),
    )


def by_field(settings: Iterable[Effective[T]]) -> Iterator[tuple[Effective[T], tuple[Container, ...]]]:
    """Settings that one field decides, taken together: the first of them, and all the containers it decides for."""
    together: dict[Field, list[Effective[T]]] = {}
    for setting in settings:
        together.setdefault(setting.at, []).append(setting)
    for same in together.values():
        yield same[0], tuple(setting.container for setting in same)


def listed(containers: Iterable[Container]) -> str:
    """``container app``, or ``container app and init container prepare``."""
    *others, last = map(str, containers)
    return f"{', '.join(others)} and {last}" if others else last


def _inherited(
    workload: Workload,
    name: str,
    of_container: Callable[[SecurityContext], T | None],
    of_pod: Callable[[PodSecurityContext], T | None],
    parents: tuple[str, ...] = (),
) -> list[Effective[T]]:
    path = ("securityContext", *parents, name)
    of_all = workload.pod.security_context
    inherited = of_pod(of_all) if of_all is not None else None
    owned = [
        of_container(container.spec.security_context) if container.spec.security_context is not None else None
        for container in workload.containers
    ]
    pod = workload if inherited is not None or not any(value is not None for value in owned) else None
    return [
        Effective(container, inherited, pod, path) if own is None else Effective(container, own, None, path)
        for container, own in zip(workload.containers, owned, strict=True)
    ]
