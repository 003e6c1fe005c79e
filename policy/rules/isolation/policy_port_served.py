"""Every port that a NetworkPolicy opens is a port of the pods, not of the Service in front of them.

A policy sees a connection after the Service has chosen a pod: what counts is the port that the pod listens on
(`containerPort`, `targetPort`), never the `port` of the Service. A name is looked up among the ports of each
destination pod, for that protocol.

A port is at fault if all its destinations are in Git, each declares its ports, and none declares this one (or, with
endPort, none in the range). Ports that the API server refuses, such as an endPort below its port, are reported too.

Why: the rule opens a port where nobody listens, and the connection that it was meant for times out.

Fix: write the port of the pods, or better its name.

Bad:

```yaml
# the Service has port 80 and targetPort 8080
ports:
  - protocol: TCP
    port: 80
```

Good:

```yaml
ports:
  - protocol: TCP
    port: 8080
```
"""

from __future__ import annotations

from collections.abc import Iterator

from policy.connectivity.mistakes import UnservedPort
from policy.findings import Finding, Severity
from policy.manifests.index import Index
from policy.manifests.ports import declared_ports
from policy.rules.rule import Context, Rule


def check(index: Index, context: Context) -> Iterator[Finding]:
    faults = context.isolation.faults
    for unserved in faults.unserved_ports:
        yield _finding(unserved)
    for problem in faults.problems("ports"):
        yield Finding(at=problem.at, message=problem.message, fix=problem.fix)


def _finding(unserved: UnservedPort) -> Finding:
    first, *others = unserved.destinations
    port = unserved.port
    what = f"{port.protocol or 'TCP'} {port.port}" + (f"-{port.end_port}" if port.end_port else "")
    if unserved.service is not None:
        return Finding(
            at=unserved.at,
            message=f"{what} is the port of {unserved.service.ref}, but a policy sees the port of the pods: "
            f"{first.ref} listens on {unserved.target}",
            fix=f"write port: {unserved.target}",
            related=(unserved.service.field("spec", "ports"),),
        )
    declared = ", ".join(f"{each.transport} {each.container_port}" for each in declared_ports(first))
    more = f", nor does {others[0].ref}" if len(others) == 1 else f", nor do {len(others)} others" if others else ""
    return Finding(
        at=unserved.at,
        message=f"{first.ref} has no port {what} (it declares {declared}){more}: nobody listens where this rule opens",
        fix="write a port that the pods declare",
        related=(first.pod_field("containers", 0, "ports"),),
    )


RULE = Rule(id="policy-port-served", applies_to=Index, severity=Severity.ERROR, check=check)
