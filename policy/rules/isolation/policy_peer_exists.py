"""Every peer of a NetworkPolicy admits somebody that there is, in Git or outside.

A peer with only a podSelector means pods of the policy's own namespace. Two items of a list mean either; a
namespaceSelector and a podSelector in one item mean both at once. An item that admits nobody is a typo, a service that
is gone, or the half of an item that was torn in two.

Two applications may share a namespace: pods that another environment of the same run puts into it are somebody. The
variants of one application do not vouch for each other, as dev and prod: they have a workload (kind, namespace and
name) in common, which no cluster holds twice.

A namespace that is neither in Git nor under `outside` in topology.yaml is reported where there is a topology.yaml;
without one, nothing is known of other namespaces, and nothing is said. Peers that the API server refuses (`{}`, an
ipBlock beside a selector, an address that is none, `except` outside of its `cidr`) admit nobody and are errors.

It is a warning, and an error where a flow of topology.yaml breaks because of it, or where whoever makes such a
pod outside of Git would get in.

Why: the connection that it was written for is refused; or, torn in two, it admits a whole namespace.

Fix: correct the labels, join the two items, or remove the peer.

Bad:

```yaml
ingress:
  - from:
      - namespaceSelector:
          matchLabels:
            kubernetes.io/metadata.name: ingress-nginx
      - podSelector:
          matchLabels:
            app.kubernetes.io/name: ingress-nginx
```

Good:

```yaml
ingress:
  - from:
      - namespaceSelector:
          matchLabels:
            kubernetes.io/metadata.name: ingress-nginx
        podSelector:
          matchLabels:
            app.kubernetes.io/name: ingress-nginx
```
"""

from __future__ import annotations

from collections.abc import Iterator

from policy.connectivity.mistakes import DeadPeer
from policy.findings import Finding, Severity
from policy.manifests.index import Index
from policy.manifests.workloads import Workload
from policy.rules.rule import Context, Rule


def check(index: Index, context: Context) -> Iterator[Finding]:
    faults = context.isolation.faults
    for dead in faults.dead_peers:
        severity = None if dead.breaks else Severity.WARNING
        message, fix = _torn(dead, index) if dead.together_with is not None else _nobody(dead, index, faults.near(dead))
        yield Finding(at=dead.at, message=message, fix=fix, severity=severity)
    for problem in faults.problems("peers"):
        yield Finding(at=problem.at, message=problem.message, fix=problem.fix)


def _torn(dead: DeadPeer, index: Index) -> tuple[str, str]:
    policy = dead.rule.policy
    return (
        f"{policy.ref} means pods with {dead.peer.pod_selector} of the other namespace, but two items mean either: the "
        f"item before admits the whole namespace, and this one nobody in {index.named_namespace(policy.namespace)}",
        "join the two items: podSelector without its dash, under the namespaceSelector",
    )


def _nobody(dead: DeadPeer, index: Index, near: str) -> tuple[str, str]:
    if dead.is_unknown and dead.namespace in index.names("Namespace", ""):
        return (
            f"this peer admits nobody that is known: namespace {dead.namespace} has no workload in Git, and is not "
            "under outside in topology.yaml",
            "declare under outside who is meant, or remove the peer",
        )
    if dead.is_unknown:
        return (
            f"this peer admits nobody that is known: namespace {dead.namespace or ''} is neither in Git nor under "
            "outside in topology.yaml",
            "correct the name, or declare under outside who is meant",
        )
    host = _on_host(dead, index)
    if host is not None:
        return (
            f"this peer means {host.ref}, which is on the host's network: no podSelector selects such pods",
            "admit the addresses of the nodes by an ipBlock, or take the pods off the host's network",
        )
    where = f"namespace {dead.namespace}" if dead.peer.namespace_selector is not None and dead.namespace else ""
    where = where or (index.named_namespace(dead.namespace or "") if dead.peer.namespace_selector is None else "those")
    return (
        f"this peer admits nobody{' but whoever makes such a pod' if dead.opens else ''}: no pod of {where} "
        f"{'that is declared ' if dead.opens else ''}has {dead.peer.pod_selector}{near}",
        "select labels that the pods have, or remove the peer",
    )


def _on_host(dead: DeadPeer, index: Index) -> Workload | None:
    """A workload on the host's network that has the labels."""
    pods = dead.peer.pod_selector
    if dead.namespace is None or pods is None:
        return None
    found = (item for item in index.workloads_in(dead.namespace) if item.pod.host_network)
    return next((item for item in found if pods.matches(item.pod_labels)), None)


RULE = Rule(id="policy-peer-exists", applies_to=Index, severity=Severity.ERROR, check=check)
