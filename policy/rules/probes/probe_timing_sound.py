"""The times of a container's probes fit each other.

Why: a timeout as long as the period leaves no pause between two questions; a startup probe that gives up before the
delay that the other probes were given restarts a container that was still allowed to start; and some values the API
server refuses: a liveness or startup probe needs exactly one success, and only they may have a grace period.

Fix: timeoutSeconds below periodSeconds (defaults: 1 and 10); failureThreshold × periodSeconds of the startup probe at
least as long as every initialDelaySeconds; successThreshold above 1 only on a readiness probe.

Bad:

```yaml
readinessProbe:
  httpGet:
    path: /ready
    port: http
  periodSeconds: 5
  timeoutSeconds: 5
```

Good:

```yaml
readinessProbe:
  httpGet:
    path: /ready
    port: http
  periodSeconds: 5
  timeoutSeconds: 2
```
"""

from __future__ import annotations

from collections.abc import Iterator

from policy.findings import Finding, Severity
from policy.manifests.pod_spec import Probe
from policy.manifests.workloads import Container
from policy.rules.rule import Context, Rule


def check(container: Container, context: Context) -> Iterator[Finding]:
    spec = container.spec
    for kind, probe in (
        ("readiness", spec.readiness_probe),
        ("liveness", spec.liveness_probe),
        ("startup", spec.startup_probe),
    ):
        if probe:
            yield from _refused(container, kind, probe)
            if probe.timeout >= probe.period > 0:
                yield Finding(
                    at=container.field(f"{kind}Probe", "timeoutSeconds" if probe.timeout_seconds else "periodSeconds"),
                    message=f"the {kind} probe of {container} waits {probe.timeout} s for an answer and asks every "
                    f"{probe.period} s",
                    fix="let timeoutSeconds be shorter than periodSeconds",
                )
    yield from _startup(container)


def _refused(container: Container, kind: str, probe: Probe) -> Iterator[Finding]:
    name = f"the {kind} probe of {container}"
    for field, value in (
        ("initialDelaySeconds", probe.initial_delay_seconds),
        ("periodSeconds", probe.period_seconds),
        ("timeoutSeconds", probe.timeout_seconds),
        ("successThreshold", probe.success_threshold),
        ("failureThreshold", probe.failure_threshold),
    ):
        if value is not None and value < 0:
            yield Finding(
                at=container.field(f"{kind}Probe", field),
                message=f"{name} has a negative {field}, {value}: the API server refuses it",
                fix=f"give {field} a positive value",
            )
    if kind != "readiness" and (probe.success_threshold or 1) > 1:
        yield Finding(
            at=container.field(f"{kind}Probe", "successThreshold"),
            message=f"{name} asks for {probe.success_threshold} successes: the API server accepts only 1 there",
            fix="remove successThreshold",
        )
    if kind == "readiness" and probe.termination_grace_period_seconds is not None:
        yield Finding(
            at=container.field("readinessProbe", "terminationGracePeriodSeconds"),
            message=f"{name} has a grace period, though it never ends anything: the API server refuses it",
            fix="remove terminationGracePeriodSeconds",
        )


def _startup(container: Container) -> Iterator[Finding]:
    startup = container.spec.startup_probe
    if startup is None:
        return
    budget = startup.delay + startup.failures * startup.period
    for kind, probe in (("readiness", container.spec.readiness_probe), ("liveness", container.spec.liveness_probe)):
        if probe and probe.delay > budget:
            yield Finding(
                at=container.field("startupProbe", "failureThreshold"),
                message=f"the startup probe of {container} gives up after {budget} s, before the {kind} probe's "
                f"initialDelaySeconds of {probe.delay} s are over",
                fix=f"raise failureThreshold, or lower the {kind} probe's initialDelaySeconds",
                related=(container.field(f"{kind}Probe", "initialDelaySeconds"),),
            )
            return


RULE = Rule(id="probe-timing-sound", applies_to=Container, severity=Severity.WARNING, check=check, by_settings=True)
