"""How a container goes: how long its preStop hook waits, and how long its pod is given.

Source: pod lifecycle (Kubernetes documentation): the grace period runs from the start of the preStop hook, SIGTERM
comes when the hook is done, SIGKILL when the grace period is over. The removal from endpoints runs beside it, unwaited
for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from policy.manifests.pod_spec import LifecycleHandler
from policy.manifests.ports import port_of
from policy.manifests.resources import Service
from policy.manifests.workloads import Container, Workload
from policy.patterns import Pattern

DEFAULT_GRACE = 30
_SLEEP = Pattern(r"(?:^|[\s;&|({/])sleep\s+([0-9]+)(?:s\b|\b)")


def grace_of(workload: Workload) -> int:
    """The seconds between the order to end and SIGKILL."""
    written = workload.pod.termination_grace_period_seconds
    return DEFAULT_GRACE if written is None else written


def pre_stop(container: Container) -> LifecycleHandler | None:
    """The preStop hook, where it does anything; a tcpSocket is kept by the API and not supported by the kubelet."""
    lifecycle = container.spec.lifecycle
    hook = lifecycle.pre_stop if lifecycle else None
    return hook if hook and (hook.sleep or hook.exec or hook.http_get) else None


def waited(hook: LifecycleHandler) -> int | None:
    """The seconds that a hook waits, where it tells: a ``sleep``, its own or that of a command."""
    if hook.sleep is not None:
        return hook.sleep.seconds
    if hook.exec is not None:
        found = _SLEEP.findall(" ".join(hook.exec.command or ()))
        return sum(map(int, found)) if found else None
    return None


def serving(workload: Workload, services: Sequence[Service]) -> tuple[Container, ...]:
    """The containers that Services lead to: those that declare a target port, or the main ones where none does."""
    found: dict[int, Container] = {}
    for service in services:
        for port in service.spec.ports or ():
            for container in _declaring(workload, port.target, port.transport):
                found.setdefault(id(container), container)
    return tuple(found.values()) or workload.main_containers


def _declaring(workload: Workload, target: int | str, transport: str) -> Iterator[Container]:
    for container in workload.containers:
        if container.runs_on and port_of(container, target, transport) is not None:
            yield container
