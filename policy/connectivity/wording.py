"""How findings and explanations write ends, and the rule that would let one in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from policy.connectivity.addresses import has_all, range_of, texts
from policy.connectivity.endpoints import Endpoint, EndpointKind
from policy.connectivity.policies import PEERS, Direction
from policy.connectivity.ports import FIRST_PORT, LAST_PORT, PortSet
from policy.connectivity.selections import NAMESPACE_NAME
from policy.connectivity.topology import Cluster
from policy.findings import Finding, ObjectRef, Severity
from policy.manifests.index import Index

_MOST_NAMED = 3
_NAME_LABELS = ("app.kubernetes.io/name", "app", "k8s-app", "name")


def named(end: Endpoint, index: Index) -> str:
    """An end by name; a workload with its namespace where the overlay has several."""
    if end.is_in_git and end.namespace and len(index.namespaces) > 1:
        return f"{end.namespace}/{end.name}"
    return end.name


def not_understood(policies: Sequence[ObjectRef], namespaces: Sequence[str]) -> str:
    """Why a rule does not judge namespaces that policies of other kinds touch."""
    named = ", ".join(map(str, policies[:_MOST_NAMED]))
    more = f" and {len(policies) - _MOST_NAMED} more" if len(policies) > _MOST_NAMED else ""
    one, many = "is no NetworkPolicy: what it allows and denies", "are no NetworkPolicies: what they allow and deny"
    where = ", ".join(filter(None, namespaces))
    return f"{named}{more} {many if policies[1:] else one} is not known, so nothing is proven" + (
        f" of namespace {where}" if where else ""
    )


def unless(policies: Sequence[ObjectRef], finding: Finding) -> Finding:
    """The finding, as a warning where policies of other kinds may see to what it says."""
    if not policies:
        return finding
    message = f"{finding.message}, unless {policies[0]} sees to it, which is not understood"
    return replace(finding, message=message, severity=Severity.WARNING)


def rule_text(direction: Direction, end: Endpoint, other: Endpoint, ports: PortSet, cluster: Cluster) -> str:
    """The rule of ``end``'s policy that admits ``other`` on the ports, as YAML in one line; never the pods' network."""
    items = []
    for each in ports:
        text = f"protocol: {each.protocol}"
        if (each.first, each.last) != (FIRST_PORT, LAST_PORT):
            text += f", port: {each.first}" + (f", endPort: {each.last}" if each.last != each.first else "")
        items.append(f"{{{text}}}")
    return f"{{{PEERS[direction]}: [{_peer_text(end, other, cluster)}], ports: [{', '.join(items)}]}}"


def _peer_text(end: Endpoint, other: Endpoint, cluster: Cluster) -> str:
    if other.type is EndpointKind.ADDRESSES:
        cidrs = [str(cidr) for cidr in other.outside.cidrs] if other.outside else texts(other.addresses)
        return ", ".join(f"{{ipBlock: {{cidr: {cidr}{_except_text(cidr, cluster)}}}}}" for cidr in cidrs)
    parts = []
    if other.namespace != end.namespace:
        parts.append(f"namespaceSelector: {{matchLabels: {{{NAMESPACE_NAME}: {other.namespace}}}}}")
    labels = _telling(other)
    if labels or not parts:
        written = ", ".join(f"{key}: {value}" for key, value in labels.items())
        parts.append(f"podSelector: {{matchLabels: {{{written}}}}}")
    return f"{{{', '.join(parts)}}}"


def _except_text(cidr: str, cluster: Cluster) -> str:
    """The pods' networks within a CIDR; "" for a range that is none."""
    if "-" in cidr:
        return ""
    whole = range_of(cidr)
    inside = [str(network) for network in cluster.pods if has_all(whole, range_of(str(network)))]
    return f", except: [{', '.join(inside)}]" if inside and inside != [cidr] else ""


def _telling(end: Endpoint) -> Mapping[str, str]:
    """The labels by which one selects it: its name, else what its own selector uses, else all that it has."""
    for key in _NAME_LABELS:
        if key in end.labels and end.workload is not None:
            return {key: end.labels[key]}
    selector = end.workload.selector if end.workload else None
    return selector.match_labels if selector and selector.match_labels else end.labels
