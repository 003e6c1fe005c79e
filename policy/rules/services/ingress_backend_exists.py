"""Every backend of an Ingress is a Service, with that port, of its own namespace.

A port is meant by the number or the name that the Service gives it, not by the one of the pods. Known are the versions
before `networking.k8s.io/v1` too, and the actions that the AWS load balancer controller reads from annotations
(`port.name: use-annotation`). A backend that is a `resource` is reported as not checked where it is not in the input.

Why: the controller answers 503, or its own default page, and says so in its log only.

Fix: name a Service that there is, and a port that it has.

Bad:

```yaml
backend:
  service:
    name: frontend
    port:
      number: 8080   # the Service has port 80
```

Good:

```yaml
backend:
  service:
    name: frontend
    port:
      name: http
```
"""

from __future__ import annotations

from collections.abc import Iterator

from policy.findings import Finding, Severity, Skipped
from policy.manifests.index import Index
from policy.manifests.ingresses import Backend, backends
from policy.manifests.names import nearest
from policy.manifests.resources import Ingress, Service
from policy.rules.rule import Context, Rule

_ACTION = "alb.ingress.kubernetes.io/actions."


def check(ingress: Ingress, context: Context) -> Iterator[Finding | Skipped]:
    for backend in backends(ingress):
        if backend.object is not None:
            kind, name = backend.object
            if context.index.resource(kind, ingress.namespace, name) is None:
                yield Skipped(backend.at, f"whether there is a {kind} {name} is not known: it is not in the input")
        elif backend.service is None:
            yield Finding(at=backend.service_at, message="this backend names no Service", fix="name a Service")
        elif not _is_action(ingress, backend):
            yield from _service(ingress, backend, backend.service, context.index)


def _is_action(ingress: Ingress, backend: Backend) -> bool:
    return backend.port == "use-annotation" and f"{_ACTION}{backend.service}" in ingress.resource.annotations


def _service(ingress: Ingress, backend: Backend, name: str, index: Index) -> Iterator[Finding]:
    service = index.find(Service, ingress.namespace, name)
    if service is None:
        where = f" in namespace {ingress.namespace}" if ingress.namespace else ""
        yield Finding(
            at=backend.service_at,
            message=f"there is no Service {name}{where}{nearest(name, index.names('Service', ingress.namespace))}",
            fix="name a Service of this namespace",
        )
        return
    ports = service.spec.ports or ()
    if service.spec.type == "ExternalName" and not ports:
        return
    key = "name" if isinstance(backend.port, str) else "number"
    if not any(backend.port == (port.name if key == "name" else port.port) for port in ports):
        names = ", ".join(f"{port.name} {port.port}" if port.name else str(port.port) for port in ports)
        wanted = "this backend names no port" if backend.port is None else f"{service.ref} has no port {backend.port}"
        yield Finding(
            at=backend.port_at,
            message=f"{wanted}; {'it' if backend.port is not None else service.ref} has {names or 'none'}",
            fix="name a port of the Service",
            related=(service.field("spec", "ports"),),
        )


RULE = Rule(id="ingress-backend-exists", applies_to=Ingress, severity=Severity.ERROR, check=check)
