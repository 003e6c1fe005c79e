"""Ports that a pod declares, and how a Service's target finds them.

Sources: the endpoints controllers (``FindPort``): a name is looked up, with its protocol, among the ports of the main
containers, then of the native sidecars; a number is taken as it is. ``validation.IsValidPortName`` and
``IsValidPortNum`` for what a port may be.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from policy.manifests.pod_spec import ContainerPort, IntOrString
from policy.manifests.workloads import Container, Role, Workload
from policy.patterns import Pattern

_NAME = Pattern(r"[a-z0-9]+(-[a-z0-9]+)*")
_MAX_NAME = 15
_MAX_PORT = 65535


@lru_cache(maxsize=1024)
def port_problem(port: IntOrString) -> str | None:
    """Why the API server refuses a port; None where it is a valid number or name."""
    if isinstance(port, int):
        return None if 1 <= port <= _MAX_PORT else f"a port is a number from 1 to {_MAX_PORT}"
    if len(port) > _MAX_NAME:
        return f"the name of a port has at most {_MAX_NAME} characters, not {len(port)}"
    if not any(character.isalpha() for character in port):
        return "the name of a port has a letter"
    if not _NAME.fullmatch(port):
        return "the name of a port is lower case letters, digits, and single hyphens between them"
    return None


def port_of(container: Container, target: IntOrString, transport: str) -> ContainerPort | None:
    """The port that a container declares by that name or number, for that protocol."""
    for port in container.spec.ports or ():
        if port.transport == transport and target == (port.name if isinstance(target, str) else port.container_port):
            return port
    return None


def serving_containers(workload: Workload) -> Iterator[Container]:
    """The containers whose ports a Service can lead to, in the order in which a name is looked up."""
    yield from workload.main_containers
    for container in workload.containers:
        if container.role is Role.SIDECAR:
            yield container


def target_port(workload: Workload, target: IntOrString, transport: str) -> ContainerPort | None:
    """The port of a pod that a Service's target means, as the pod declares it."""
    for container in serving_containers(workload):
        found = port_of(container, target, transport)
        if found is not None:
            return found
    return None


def declared_ports(workload: Workload) -> tuple[ContainerPort, ...]:
    """Every port that a Service can lead to and that the pod declares."""
    return tuple(port for container in serving_containers(workload) for port in container.spec.ports or ())
