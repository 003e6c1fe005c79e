"""Every port of a Service leads to a port of the pods that it selects.

A name is looked up, with its protocol, among the ports of the main containers and native sidecars of each selected pod;
a pod that does not declare it is left out of that port. A number needs no declaration to work: it is wrong where the
pod declares ports and this is none of them, and reported as not checked where the pod declares none at all.

Numbers outside of 1 to 65535 and names that no port may have (more than 15 characters, no letter, a hyphen at an end)
are refused by the API server, in a Service as in a container, and so is a name that a container gives to two ports.

The port of a headless Service (`clusterIP: None`) that differs from its target is a warning: its name resolves to the
pods themselves, and nothing translates the one into the other.

Why: connections are refused, or the Service has no endpoints for that port, and nothing says why.

Fix: name a port that the pods declare.

Bad:

```yaml
# the containers declare the port http, 8080
kind: Service
spec:
  ports:
    - port: 80
      targetPort: web
```

Good:

```yaml
kind: Service
spec:
  ports:
    - port: 80
      targetPort: http
```
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from policy.findings import Field, Finding, Severity, Skipped
from policy.manifests.index import Index
from policy.manifests.ports import declared_ports, port_problem, target_port
from policy.manifests.resources import Service, ServicePort
from policy.manifests.workloads import Workload
from policy.rules.rule import Context, Rule


def check(index: Index, context: Context) -> Iterator[Finding | Skipped]:
    for service in index.all(Service):
        workloads = index.pods_of(service)
        for number, port in enumerate(service.spec.ports or ()):
            at = service.field("spec", "ports", number, "targetPort")
            problem = port_problem(port.target)
            if problem is not None:
                yield _invalid(at, f"targetPort {port.target}", problem)
            else:
                yield from _missing(port, at, workloads)
                yield from _untranslated(service, port, at, workloads)
    for workload in index.workloads_where(lambda item: any(_declarations(item))):
        yield from _declarations(workload)


def _missing(port: ServicePort, at: Field, workloads: Sequence[Workload]) -> Iterator[Finding | Skipped]:
    """Pods without the port: one finding, for the first kind of reason that there is."""
    lacking: list[Workload] = []
    for workload in workloads:
        if target_port(workload, port.target, port.transport) is not None:
            continue
        if isinstance(port.target, int) and not declared_ports(workload):
            yield Skipped(at, f"{workload.ref} declares no port, so whether it listens on {port.target} is not known")
        else:
            lacking.append(workload)
    if lacking:
        others = f", nor does {lacking[1].ref}" if len(lacking) == 2 else ""
        if len(lacking) > 2:
            others = f", nor do {len(lacking) - 1} others"
        yield Finding(
            at=at,
            message=f"{lacking[0].ref} declares no port {port.target} {_instead(lacking[0], port)}{others}",
            fix="name a port that the pods declare",
            related=tuple(workload.pod_field("containers", 0, "ports") for workload in lacking),
        )


def _instead(workload: Workload, port: ServicePort) -> str:
    declared = declared_ports(workload)
    for item in declared:
        if port.target in (item.name, item.container_port):
            return f"for {port.transport} (it declares it for {item.transport})"
    names = ", ".join(
        f"{item.name} {item.container_port}" if item.name else str(item.container_port) for item in declared
    )
    return f"(it declares {names or 'none'})"


def _untranslated(service: Service, port: ServicePort, at: Field, workloads: Sequence[Workload]) -> Iterator[Finding]:
    if not service.spec.is_headless or not workloads:
        return
    found = target_port(workloads[0], port.target, port.transport)
    number = found.container_port if found else port.target
    if isinstance(number, int) and number != port.port:
        yield Finding(
            at=at,
            message=f"port {port.port} of this headless Service reaches nothing: the pods listen on {number}, "
            "and nothing translates",
            fix=f"set port: {number}",
            severity=Severity.WARNING,
        )


def _declarations(workload: Workload) -> Iterator[Finding]:
    for container in workload.containers:
        names: set[str] = set()
        for number, port in enumerate(container.spec.ports or ()):
            if port.name and port.name in names:
                yield _invalid(container.field("ports", number, "name"), f"name {port.name}", "another port has it")
            names.add(port.name or "")
            for key, value in (("containerPort", port.container_port), ("name", port.name)):
                problem = port_problem(value) if value else None
                if problem is not None:
                    yield _invalid(container.field("ports", number, key), f"{key} {value}", problem)


def _invalid(at: Field, what: str, problem: str) -> Finding:
    return Finding(at=at, message=f"{what}: {problem}", fix="name a port that there can be")


RULE = Rule(id="service-target-port-exists", applies_to=Index, severity=Severity.ERROR, check=check)
