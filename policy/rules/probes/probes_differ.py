"""A container's liveness probe is not its readiness probe over again.

Why: readiness takes a pod out of the load balancing, liveness restarts it. Where both ask the same and give up after
the same time, a short overload that should only pause the traffic restarts every pod at once, and makes it worse.

Fix: let readiness ask what a request needs and liveness only the process. Or keep one question, and let liveness give
up later: a longer failureThreshold × periodSeconds.

Bad:

```yaml
readinessProbe:
  httpGet:
    path: /health
    port: http
livenessProbe:
  httpGet:
    path: /health
    port: http
```

Good:

```yaml
readinessProbe:
  httpGet:
    path: /ready
    port: http
livenessProbe:
  httpGet:
    path: /alive
    port: http
```

Two probes ask the same when they would send the same request: `port: http` and the number that the container declares
under that name are one port. What counts is how long a probe fails before it acts; a longer initialDelaySeconds alone
changes nothing after the start.
"""

from __future__ import annotations

from collections.abc import Iterator

from policy.findings import Finding, Severity
from policy.manifests.pod_spec import ExecAction, GrpcAction, HttpGetAction, IntOrString, Probe
from policy.manifests.workloads import Container
from policy.rules.rule import Context, Rule


def check(container: Container, context: Context) -> Iterator[Finding]:
    readiness, liveness = container.spec.readiness_probe, container.spec.liveness_probe
    if readiness is None or liveness is None or readiness.action is None or liveness.action is None:
        return
    if _question(readiness, container) != _question(liveness, container):
        return
    ready_after, alive_after = readiness.failures * readiness.period, liveness.failures * liveness.period
    if alive_after > ready_after:
        return
    same = alive_after == ready_after
    when = f"after the same {alive_after} s" if same else f"sooner ({alive_after} s, {ready_after} s)"
    yield Finding(
        at=container.field("livenessProbe"),
        message=f"the liveness probe of {container} asks the same as its readiness probe and gives up {when}",
        fix="ask only the process itself, or raise failureThreshold so that liveness gives up later",
        related=(container.field("readinessProbe"),),
    )


def _question(probe: Probe, container: Container) -> tuple[object, ...]:
    """What a probe sends, with the API server's defaults, so that two of them can be compared."""
    action = probe.action
    if isinstance(action, HttpGetAction):
        headers = tuple(tuple(sorted(header.items())) for header in action.http_headers or ())
        port = _number(action.port, container)
        return "http", action.host or "", port, action.path or "/", action.scheme or "HTTP", headers
    if isinstance(action, ExecAction):
        return "exec", action.command or ()
    if isinstance(action, GrpcAction):
        return "grpc", action.port, action.service or ""
    return ("tcp", action.host or "", _number(action.port, container)) if action else ()


def _number(port: IntOrString, container: Container) -> IntOrString:
    return next((item.container_port for item in container.spec.ports or () if item.name == port), port)


RULE = Rule(id="probes-differ", applies_to=Container, severity=Severity.WARNING, check=check, by_settings=True)
