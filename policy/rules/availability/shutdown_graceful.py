"""A pod that serves a Service keeps answering until nobody asks it any more, and has the time to end.

Asked of workloads whose pods a Service selects: the containers that serve it have a `preStop` hook that waits at least
`endpoint-removal-seconds` (under `[rules.shutdown-graceful]` in policy.toml, 5 by default), or the workload says in an
annotation how its processes do the same when they get SIGTERM; `annotation` is the name of it, `graceful-shutdown` by
default. How long a command or a request waits is known only where it is a `sleep`; any other is trusted.

Asked of every workload that runs on: the grace period is longer than the longest `preStop` wait.

Why: when a pod is to go, Kubernetes sends SIGTERM and removes its address at the same time. Proxies, the Ingress
controller and clients go on sending for seconds, to a process that has closed its port: every rollout loses requests.
The grace period includes the hook; what the hook leaves is all the process has before SIGKILL.

Fix: add `lifecycle.preStop.sleep`, and set `terminationGracePeriodSeconds` to its seconds and those that the longest
request takes.

Bad:

```yaml
spec:
  containers:
    - name: user-service
```

Good:

```yaml
spec:
  terminationGracePeriodSeconds: 45
  containers:
    - name: user-service
      lifecycle:
        preStop:
          sleep:
            seconds: 10
```
"""

from __future__ import annotations

from collections.abc import Iterator

from policy.findings import Finding, Severity
from policy.manifests.resources import Service
from policy.manifests.shutdown import grace_of, pre_stop, serving, waited
from policy.manifests.workloads import Container, Workload
from policy.rules.rule import Context, Options, Rule


class ShutdownGracefulOptions(Options, frozen=True):
    """``endpoint-removal-seconds``: how long clients may still send. ``annotation``: where signal handling is told."""

    endpoint_removal_seconds: int = 5
    annotation: str = "graceful-shutdown"


def check(workload: Workload, context: Context) -> Iterator[Finding]:
    if not workload.long_running:
        return
    yield from _grace(workload)
    services = context.index.services_of(workload)
    options = context.options(ShutdownGracefulOptions)
    if not services or _is_told(workload, options.annotation):
        return
    for container in serving(workload, services):
        yield from _pre_stop(container, services[0], options.endpoint_removal_seconds)


def _is_told(workload: Workload, annotation: str) -> bool:
    if not workload.resource.annotations and not workload.pod_annotations:
        return False
    told = workload.resource.annotations.get(annotation) or workload.pod_annotations.get(annotation)
    return isinstance(told, str) and bool(told.strip())


def _grace(workload: Workload) -> Iterator[Finding]:
    grace = grace_of(workload)
    if grace and not any(container.spec.lifecycle for container in workload.long_running):
        return
    waits = [
        (seconds, container)
        for container in workload.long_running
        if (hook := pre_stop(container)) and (seconds := waited(hook))
    ]
    longest, container = max(waits, key=lambda item: item[0], default=(0, None))
    at = workload.pod_field("terminationGracePeriodSeconds")
    if container is not None and longest >= grace:
        of = f"{grace} seconds" if workload.pod.termination_grace_period_seconds is not None else f"the default {grace}"
        yield Finding(
            at=at,
            message=f"the preStop hook of {container} waits {longest} of {of}: nothing is left for the process to end",
            fix="set it to the wait and the seconds that the longest request takes",
            related=(container.field("lifecycle", "preStop"),),
        )
    elif grace == 0:
        yield Finding(
            at=at,
            message="a grace period of 0 kills the pod at once",
            fix="set it to the seconds that the longest request takes",
        )


def _pre_stop(container: Container, service: Service, wanted: int) -> Iterator[Finding]:
    hook = pre_stop(container)
    if hook is None:
        yield Finding(
            at=container.field("lifecycle", "preStop"),
            message=f"{container} serves {service.ref} and stops while requests still come: it has no preStop hook",
            fix=f"add preStop.sleep of {wanted} seconds or more",
        )
        return
    seconds = waited(hook)
    if seconds is not None and seconds < wanted:
        field = ("sleep", "seconds") if hook.sleep else ("exec", "command")
        yield Finding(
            at=container.field("lifecycle", "preStop", *field),
            message=f"the preStop hook of {container} waits {seconds} s; requests for {service.ref} "
            f"may come for {wanted} s",
            fix=f"wait {wanted} seconds or more",
        )


RULE = Rule(
    id="shutdown-graceful",
    applies_to=Workload,
    severity=Severity.WARNING,
    check=check,
    options=ShutdownGracefulOptions,
)
