"""A workload that may call others can resolve their names: its egress allows UDP and TCP 53 to the DNS pods.

Only workloads that a policy isolates, and that may reach other pods, or more addresses than a single one, need names.
The DNS pods are those that topology.yaml declares as `dns`, or that have the label `k8s-app: kube-dns`. Without such a
declaration a rule for port 53 to a namespace, to addresses or to everybody is taken to mean them, but for one that
nearly names the namespace or the labels of a DNS that is known (CoreDNS, its caches on nodes, OpenShift's): that is a
typo.

A policy is about the ports of pods, not of their Service: where the DNS pods listen on others, as OpenShift's do on
5353, `ports` of `dns` in topology.yaml says so, and those are asked for.

Policies of other kinds (AdminNetworkPolicy, those of Cilium and Calico) may allow or deny it too. They are not
understood: a namespace that one of them touches is reported as not checked, and what is missing there is a warning.

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

from policy.connectivity.mistakes import DnsGap
from policy.connectivity.ports import described
from policy.connectivity.wording import not_understood, unless
from policy.findings import Field, Finding, Severity, Skipped
from policy.manifests.index import Index
from policy.rules.rule import Context, Rule

_CORE_DNS = ("kube-system", {"k8s-app": "kube-dns"})


def check(index: Index, context: Context) -> Iterator[Finding | Skipped]:
    for foreign, namespaces in context.isolation.unjudged.items():
        yield Skipped(Field(foreign[0], ("spec",)), not_understood(foreign, namespaces))
    grouped: dict[object, list[DnsGap]] = {}
    for gap in context.isolation.faults.dns_gaps:
        at = (gap.misspelled[0].object, gap.misspelled[0].path) if gap.misspelled else id(gap.policy)
        grouped.setdefault((at, gap.missing), []).append(gap)
    for gaps in grouped.values():
        others = f" (nor can {len(gaps) - 1} more)" if len(gaps) > 1 else ""
        cannot = f"{gaps[0].workload.ref} cannot resolve names{others}"
        said = _misspelled(cannot, *gaps[0].misspelled) if gaps[0].misspelled else _forgotten(cannot, gaps[0], context)
        yield unless(context.isolation.touching(gaps[0].workload.ref.namespace), said)


def _misspelled(cannot: str, at: Field, said: str) -> Finding:
    return Finding(
        at=at,
        message=f"{cannot}: this peer of a rule for DNS means {said}",
        fix="correct it; if it is meant so, declare under outside in topology.yaml, as dns, which pods answer",
    )


def _forgotten(cannot: str, gap: DnsGap, context: Context) -> Finding:
    ports = ", ".join(f"{{protocol: {each.protocol}, port: {each.first}}}" for each in gap.missing)
    return Finding(
        at=gap.policy.policy.field("spec", "egress"),
        message=f"{cannot}: its egress does not allow {described(gap.missing)} "
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
