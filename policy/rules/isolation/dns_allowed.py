"""A workload that may call others can resolve their names: its egress allows UDP and TCP 53 to the DNS pods.

Only workloads that a policy isolates, and that may reach other pods, or more addresses than a single one, need names.
The DNS pods are those that topology.yaml declares as `dns`, or that have the label `k8s-app: kube-dns`. Without such a
declaration a rule for port 53 to a namespace, to addresses or to everybody is taken to mean them.

A policy is about the ports of pods, not of their Service: where the DNS pods listen on others, as OpenShift's do on
5353, `ports` of `dns` in topology.yaml says so, and those are asked for.

Both protocols are needed: an answer that does not fit into a datagram is asked for again over TCP (RFC 7766).

Why: every call by name fails with a timeout of the resolver, although the policy allows the call itself.

Fix: add the rule for port 53.

Bad:

```yaml
egress:
  - to:
      - podSelector:
          matchLabels:
            app: db
```

Good:

```yaml
egress:
  - to:
      - podSelector:
          matchLabels:
            app: db
  - to:
      - namespaceSelector:
          matchLabels:
            kubernetes.io/metadata.name: kube-system
        podSelector:
          matchLabels:
            k8s-app: kube-dns
    ports:
      - protocol: UDP
        port: 53
      - protocol: TCP
        port: 53
```
"""

from __future__ import annotations

from collections.abc import Iterator

from policy.connectivity.policies import CompiledPolicy
from policy.connectivity.ports import PortSet, described
from policy.findings import Finding, Severity
from policy.manifests.index import Index
from policy.manifests.workloads import Workload
from policy.rules.rule import Context, Rule

_CORE_DNS = ("kube-system", {"k8s-app": "kube-dns"})


def check(index: Index, context: Context) -> Iterator[Finding]:
    grouped: dict[tuple[int, PortSet], tuple[CompiledPolicy, list[Workload]]] = {}
    for gap in context.isolation.faults.dns_gaps:
        grouped.setdefault((id(gap.policy), gap.missing), (gap.policy, []))[1].append(gap.workload)
    for (_, missing), (policy, workloads) in grouped.items():
        others = f" (nor can {len(workloads) - 1} more)" if len(workloads) > 1 else ""
        ports = ", ".join(f"{{protocol: {each.protocol}, port: {each.first}}}" for each in missing)
        yield Finding(
            at=policy.policy.field("spec", "egress"),
            message=f"{workloads[0].ref} cannot resolve names{others}: its egress does not allow {described(missing)} "
            "to the DNS pods, so what else it allows is found by nobody",
            fix=f"add to spec.egress: {{to: [{_peer(context)}], ports: [{ports}]}}",
        )


def _peer(context: Context) -> str:
    """The peer that means the DNS pods: those that topology.yaml declares as such, else CoreDNS."""
    topology = context.isolation.topology
    declared = topology.outside.get("dns") if topology else None
    namespace, labels = (declared.namespace, declared.labels) if declared and declared.namespace else _CORE_DNS
    of_pods = ", ".join(f"{key}: {value}" for key, value in labels.items())
    pods = f", podSelector: {{matchLabels: {{{of_pods}}}}}" if labels else ""
    return f"{{namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: {namespace}}}}}{pods}}}"


RULE = Rule(id="dns-allowed", applies_to=Index, severity=Severity.ERROR, check=check)
