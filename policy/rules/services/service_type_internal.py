"""Services are reached from inside of the cluster only; what is for outside goes through an Ingress.

That is the type ClusterIP (or ExternalName), and no `externalIPs`. A Service that has to be of another type, an Ingress
controller's own for example, is an `[[exception]]` in policy.toml.

Why: NodePort opens a port on every node, LoadBalancer an address of its own, both past the Ingress with its TLS, its
limits and its log, and as a rule past the firewall that somebody trusts. With `externalIPs` a Service takes traffic of
any address it names (CVE-2020-8554).

Fix: remove `type`, and add a rule to the Ingress.

Bad:

```yaml
kind: Service
spec:
  type: NodePort
```

Good:

```yaml
kind: Service
spec:
  type: ClusterIP
```
"""

from __future__ import annotations

from collections.abc import Iterator

from policy.findings import Finding, Severity
from policy.manifests.resources import Service
from policy.rules.rule import Context, Rule

_OPENS = {
    "NodePort": "opens a port on every node of the cluster",
    "LoadBalancer": "gets an address of its own outside of the cluster",
}


def check(service: Service, context: Context) -> Iterator[Finding]:
    opened = _OPENS.get(service.spec.type or "")
    if opened is not None:
        yield Finding(
            at=service.field("spec", "type"),
            message=f"a Service of type {service.spec.type} {opened}",
            fix="use ClusterIP, and an Ingress for what is to be reached from outside",
        )
    if service.spec.external_ips:
        yield Finding(
            at=service.field("spec", "externalIPs"),
            message=f"takes the traffic of {', '.join(service.spec.external_ips)} on every node",
            fix="remove externalIPs, and use an Ingress",
        )


RULE = Rule(id="service-type-internal", applies_to=Service, severity=Severity.ERROR, check=check)
