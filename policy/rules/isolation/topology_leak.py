"""Nothing may reach anything that no flow of topology.yaml states.

The policies are held against the contract as sets, so that nothing is overlooked: pods in Git, pods and addresses that
topology.yaml declares, pods that somebody runs by hand in a known namespace, pods of other namespaces, and all other
addresses, IPv4 and IPv6. A finding shows one connection and the rule that lets it through.

Where a plugin decides, the looser reading counts: an ipBlock that holds the network of the pods (`cluster.pods` of
topology.yaml) is taken to admit pods. Labels that controllers add (`pod-template-hash`) may have any value.

A flow to `0.0.0.0/0` means what is outside of the cluster: the network of the pods is not stated by it.

Pods on the host's network are beyond any NetworkPolicy, and policies of other kinds (AdminNetworkPolicy, those of
Cilium and Calico) are not understood: both are reported as not checked.

Why: the diagram says who talks to whom. What is possible beside it is how an intruder gets from the frontend to the
database.

Fix: narrow the rule; or state the flow, if it belongs to the architecture.

Bad:

```yaml
# topology.yaml states "api -> db : TCP 5432"
ingress:
  - from:
      - podSelector: {}
```

Good:

```yaml
ingress:
  - from:
      - podSelector:
          matchLabels:
            app: api
    ports:
      - protocol: TCP
        port: 5432
```
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from policy.connectivity.addresses import has_some
from policy.connectivity.endpoints import EndpointKind
from policy.connectivity.isolation import Isolation
from policy.connectivity.policies import TYPES
from policy.connectivity.ports import described, difference
from policy.connectivity.wording import named, not_understood
from policy.findings import Field, Finding, Severity, Skipped
from policy.manifests.index import Index
from policy.manifests.workloads import Workload
from policy.rules.rule import Context, Rule

if TYPE_CHECKING:
    from policy.connectivity.leaks import Leak
    from policy.manifests.resources import NetworkPolicyPeer


def check(index: Index, context: Context) -> Iterator[Finding | Skipped]:
    isolation = context.isolation
    if isolation.proof is None:
        return
    yield from _not_understood(isolation)
    on_host: dict[str, Workload] = {}
    open_ends: dict[tuple[str, str], list[Leak]] = {}
    for leak in isolation.faults.leaks:
        if leak.by is not None:
            yield _by_rule(leak, isolation)
        elif leak.end.host_network and leak.end.workload is not None:
            on_host[str(leak.end.workload.ref)] = leak.end.workload
        else:
            open_ends.setdefault((leak.end.namespace, leak.direction), []).append(leak)
    for workload in on_host.values():
        reason = f"{workload.ref} is on the host's network, where no NetworkPolicy holds"
        yield Skipped(workload.pod_field("hostNetwork"), reason)
    for (namespace, _), leaks in open_ends.items():
        yield _open(index, namespace, leaks)


def _not_understood(isolation: Isolation) -> Iterator[Skipped]:
    for policies, namespaces in isolation.unjudged.items():
        yield Skipped(Field(policies[0], ("spec",)), not_understood(policies, namespaces))


def _by_rule(leak: Leak, isolation: Isolation) -> Finding:
    assert leak.by is not None
    assert isolation.proof is not None
    index = isolation.index
    source, destination = named(leak.source, index), named(leak.destination, index)
    peer = isolation.proof.peer_of(leak)
    at = leak.by.at if peer is None else peer[0]
    related = (leak.through.at,) if leak.through else ()
    block = peer[1].ip_block if peer else None
    network = _pod_network(leak, isolation) if block else ""
    if block and not network and leak.other.type is not EndpointKind.ADDRESSES:
        return Finding(
            at=at,
            message=f"{block.get('cidr')} holds addresses that pods may have, as topology.yaml does not say which they "
            f"have: {source} may reach {destination} on {described(leak.ports)}, which no flow states",
            fix="state the network of the pods under cluster, pods, and except it here",
            related=related,
        )
    if block and network:
        end = named(leak.end, index)
        reach = f"{end} may reach every pod there" if leak.direction == "egress" else f"every pod there may reach {end}"
        return Finding(
            at=at,
            message=f"{block.get('cidr')} also holds the network of the pods, {network}: {reach} on "
            f"{described(leak.ports)}, which no flow states",
            fix=f"add except: [{network}] to this ipBlock",
            related=related,
        )
    more = f" (and {leak.pairs - 1} more)" if leak.pairs > 1 else ""
    return Finding(
        at=at,
        message=f"{source} may reach {destination} on {described(leak.ports)}, which no flow states{more}",
        fix=_fix(leak, (source, destination), _unknown_name(leak, isolation), peer[1] if peer else None),
        related=related,
    )


def _unknown_name(leak: Leak, isolation: Isolation) -> str:
    """The port's name in the rule, if it leaks because nobody says what the destination calls so."""
    population = isolation.connectivity.population
    number = population.number_of.get(leak.destination.key)
    if leak.by is None or number is None or not population.with_unknown_ports >> number & 1:
        return ""
    protocols = {
        each.protocol for each in difference(leak.ports, isolation.connectivity.table.sets[leak.by.ports.numeric])
    }
    return next((name for protocol, name in leak.by.ports.names if protocol in protocols), "")


def _fix(leak: Leak, ends: tuple[str, str], unknown: str, peer: NetworkPolicyPeer | None) -> str:
    source, destination = ends
    pods, namespaces = (peer.pod_selector, peer.namespace_selector) if peer else (None, None)
    if unknown and leak.destination.outside is not None:
        return f"state under outside which port {destination} calls {unknown}, or write its number here"
    if unknown and leak.other.type is EndpointKind.STRANGER:
        return f"name the namespace, and write the number of port {unknown}: what others call so, nobody knows"
    if leak.other.type is EndpointKind.STRANGER:
        fix = "select the namespace by its name too: kubernetes.io/metadata.name in a namespaceSelector"
        more = "; or state under outside whose namespace has these labels, as namespaceLabels"
        return fix + (more if namespaces is not None and namespaces.match_labels else "")
    if leak.other.type is EndpointKind.UNLISTED and pods is not None and not pods.is_empty:
        return "select the labels of pods that are declared under outside, or declare these and state the flow"
    if leak.other.type is EndpointKind.UNLISTED:
        return "select the pods by their labels too, in the same item of the list"
    if leak.other.type is EndpointKind.ADDRESSES and leak.other.outside is None:
        return "narrow this rule to the addresses, or pods, that the flows state"
    flow = f'"{source} -> {destination} : {described(leak.ports)}"'
    return f"narrow this rule, or state {flow} in topology.yaml"


def _pod_network(leak: Leak, isolation: Isolation) -> str:
    """The declared networks of the pods, if that is what leaks."""
    networks = isolation.connectivity.cluster.pods
    ranges = isolation.connectivity.population.pod_ranges
    if leak.other.type is EndpointKind.ADDRESSES and not has_some(leak.other.addresses, ranges):
        return ""
    return ", ".join(map(str, networks))


def _open(index: Index, namespace: str, leaks: list[Leak]) -> Finding:
    """One for all ends of a namespace that no policy isolates in a direction."""
    leak = leaks[0]
    at: Field = index.place_of_namespace(namespace)
    others = f", nor {len(leaks) - 1} more in {index.named_namespace(namespace)}" if len(leaks) > 1 else ""
    end, direction = named(leak.end, index), leak.direction
    return Finding(
        at=leak.end.workload.field("metadata", "name") if leak.end.workload and len(leaks) == 1 else at,
        message=f"no policy restricts the {direction} of {end}{others}: {named(leak.source, index)} may reach "
        f"{named(leak.destination, index)} on {described(leak.ports)}, which no flow states",
        fix=f"add a NetworkPolicy with policyTypes [{TYPES[direction]}] that selects it, or every pod",
    )


RULE = Rule(id="topology-leak", applies_to=Index, severity=Severity.ERROR, check=check)
