"""Every port that a probe or a lifecycle hook asks is declared by its own container.

Why: the kubelet resolves a named port among the ports of the container that has the probe, and nowhere else; an
unknown name fails every time. A number that is not declared is as a rule a slip: the server moved, the probe stayed.

Fix: declare the port on this container, or let the probe ask one that is. Probes speak TCP, so a UDP port is none.

Bad:

```yaml
ports:
  - name: http
    containerPort: 8080
readinessProbe:
  httpGet:
    path: /ready
    port: web
```

Good:

```yaml
ports:
  - name: http
    containerPort: 8080
readinessProbe:
  httpGet:
    path: /ready
    port: http
```

A probe that names another `host` asks that host, not the container: it is reported as not checked.
"""

from __future__ import annotations

from collections.abc import Iterator

from policy.findings import Finding, Severity, Skipped
from policy.manifests.pod_spec import ContainerPort, GrpcAction, HttpGetAction, IntOrString, TcpSocketAction
from policy.manifests.workloads import Container, Workload
from policy.rules.rule import Context, Rule

_Action = HttpGetAction | TcpSocketAction | GrpcAction


def check(workload: Workload, context: Context) -> Iterator[Finding | Skipped]:
    for container in workload.containers:
        for name, field, action in _asked(container):
            at = container.field(*field, "port")
            if not isinstance(action, GrpcAction) and action.host:
                yield Skipped(at, f"the {name} of {container} asks the host {action.host}, not the container")
                continue
            wrong = _wrong(action.port, container, workload)
            if wrong:
                yield Finding(
                    at=at,
                    message=f"the {name} of {container} asks port {action.port}, {wrong}",
                    fix=f"ask a port that {container} declares, or declare it there",
                )


def _asked(container: Container) -> Iterator[tuple[str, tuple[str, ...], _Action]]:
    """What is asked over the network: a name for people, the path to the action, the action."""
    spec = container.spec
    for name, field, probe in (
        ("readiness probe", "readinessProbe", spec.readiness_probe),
        ("liveness probe", "livenessProbe", spec.liveness_probe),
        ("startup probe", "startupProbe", spec.startup_probe),
    ):
        if probe:
            for kind, action in (("httpGet", probe.http_get), ("tcpSocket", probe.tcp_socket), ("grpc", probe.grpc)):
                if action:
                    yield name, (field, kind), action
    for field, handler in (
        ("postStart", spec.lifecycle and spec.lifecycle.post_start),
        ("preStop", spec.lifecycle and spec.lifecycle.pre_stop),
    ):
        if handler:
            for kind, action in (("httpGet", handler.http_get), ("tcpSocket", handler.tcp_socket)):
                if action:
                    yield f"{field} hook", ("lifecycle", field, kind), action


def _wrong(port: IntOrString, container: Container, workload: Workload) -> str | None:
    declared = container.spec.ports or ()
    found = [item for item in declared if _is(item, port)]
    if any(item.transport == "TCP" for item in found):
        return None
    if found:
        return f"which it declares as {found[0].transport}; probes speak TCP"
    if isinstance(port, str):
        if port.isdigit():
            return "a text of digits: a port is a number, or a name that has a letter"
        for other in workload.containers:
            if any(_is(item, port) for item in other.spec.ports or ()):
                return f"a name that {other} declares: a name is looked up on the probe's own container only"
    if not declared:
        return "and it declares no port"
    names = ", ".join(
        f"{item.name} {item.container_port}" if item.name else str(item.container_port) for item in declared
    )
    return f"which it does not declare (it declares {names})"


def _is(item: ContainerPort, port: IntOrString) -> bool:
    return port == (item.name if isinstance(port, str) else item.container_port)


RULE = Rule(id="probe-port-declared", applies_to=Workload, severity=Severity.ERROR, check=check, by_settings=True)
