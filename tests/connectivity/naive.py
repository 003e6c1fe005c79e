"""Who may reach whom, decided slowly on purpose: every question walks over every policy, rule, peer and port again.

It reads manifests as plain mappings and shares no code with the policy package, so that one mistake is not made twice.
Where a manifest leaves a label open, both values are tried: in each world the answer is yes or no.

Source: API reference, networking.k8s.io/v1 NetworkPolicy; KEP-2079 (endPort); KEP-2161 (the name of a namespace as its
label); KEP-753 (native sidecars).
"""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Document = Mapping[str, Any]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

NAME_LABEL = "kubernetes.io/metadata.name"
ADDED_LABELS: Mapping[str, tuple[str, ...]] = {
    "Deployment": ("pod-template-hash",),
    "StatefulSet": ("statefulset.kubernetes.io/pod-name", "apps.kubernetes.io/pod-index", "controller-revision-hash"),
    "DaemonSet": ("controller-revision-hash", "pod-template-generation"),
    "Job": ("controller-uid", "batch.kubernetes.io/controller-uid"),
    "CronJob": ("job-name", "batch.kubernetes.io/job-name", "controller-uid", "batch.kubernetes.io/controller-uid"),
}
"""What controllers write on the pods they make, with values that no manifest knows."""


EVERYWHERE = (ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0"))
"""Where nodes may be if nothing says where."""
PRIVATE = tuple(
    ipaddress.ip_network(text)
    for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
)
"""Where pods may be if nothing says where."""


class Unknown:
    """The value of a label that a controller sets."""


UNKNOWN = Unknown()
Labels = Mapping[str, str | Unknown]


@dataclass(frozen=True)
class Pod:
    """One pod of a workload."""

    namespace: str
    name: str
    labels: Labels
    ports: tuple[tuple[str, str, int], ...] = ()
    """Name, protocol, number."""
    host_network: bool = False
    has_more_labels: bool = False
    """Whether it may have labels beside these, as it is not in the manifests."""


@dataclass(frozen=True)
class Cluster:
    """Everything that was written down."""

    pods: tuple[Pod, ...]
    policies: tuple[Document, ...]
    namespaces: Mapping[str, Labels]
    pod_networks: tuple[Network, ...] = ()
    node_networks: tuple[Network, ...] = ()
    open_namespaces: frozenset[str] = field(default=frozenset())
    """Those that are not in the manifests: they exist, and what labels they have is not known."""

    def pod(self, namespace: str, name: str) -> Pod:
        (found,) = [pod for pod in self.pods if (pod.namespace, pod.name) == (namespace, name)]
        return found


def read(documents: Sequence[Document], pod_networks: Sequence[str] = (), node_networks: Sequence[str] = ()) -> Cluster:
    """The cluster that the manifests describe."""
    pods = tuple(pod for document in documents for pod in _pods(document))
    policies = tuple(document for document in documents if document["kind"] == "NetworkPolicy")
    namespaces: dict[str, Labels] = {}
    for document in documents:
        if document["kind"] == "Namespace":
            name = document["metadata"]["name"]
            namespaces[name] = {**(document["metadata"].get("labels") or {}), NAME_LABEL: name}
    unlisted = {pod.namespace for pod in pods} - namespaces.keys()
    namespaces.update({name: {NAME_LABEL: name} for name in unlisted})
    return Cluster(
        pods,
        policies,
        namespaces,
        tuple(ipaddress.ip_network(network) for network in pod_networks),
        tuple(ipaddress.ip_network(network) for network in node_networks),
        frozenset(unlisted),
    )


def _pods(document: Document) -> Iterator[Pod]:
    kind, metadata = document["kind"], document["metadata"]
    if kind == "Pod":
        template: Document = document
    elif kind == "CronJob":
        template = document["spec"]["jobTemplate"]["spec"]["template"]
    elif kind in ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Job"):
        template = document["spec"]["template"]
    else:
        return
    added: dict[str, str | Unknown] = dict.fromkeys(ADDED_LABELS.get(kind, ()), UNKNOWN)
    if kind == "Job":
        added.update(dict.fromkeys(("job-name", "batch.kubernetes.io/job-name"), metadata["name"]))
    labels = (template.get("metadata") or {}).get("labels") or {}
    spec = template["spec"]
    running = [
        *(spec.get("containers") or ()),
        *(each for each in spec.get("initContainers") or () if each.get("restartPolicy") == "Always"),
    ]
    yield Pod(
        metadata.get("namespace") or "default",
        metadata["name"],
        {**labels, **added},
        tuple(
            (port["name"], port.get("protocol") or "TCP", port["containerPort"])
            for each in running
            for port in each.get("ports") or ()
            if port.get("name")
        ),
        bool(spec.get("hostNetwork")),
    )


@dataclass(frozen=True)
class Verdict:
    """``surely``: in every world. ``possibly``: in some world."""

    surely: bool
    possibly: bool


def allowed(cluster: Cluster, source: Pod | Address, destination: Pod | Address, protocol: str, port: int) -> Verdict:
    """Whether a connection can be made, both sides asked."""
    if source == destination:
        return Verdict(True, True)
    sides = [_side(cluster, "Egress", source, destination, destination, protocol, port)]
    sides.append(_side(cluster, "Ingress", destination, source, destination, protocol, port))
    return Verdict(all(side.surely for side in sides), all(side.possibly for side in sides))


def _side(
    cluster: Cluster,
    direction: str,
    subject: Pod | Address,
    other: Pod | Address,
    destination: Pod | Address,
    protocol: str,
    port: int,
) -> Verdict:
    """What the policies of one side say, in every world: which policies select it, and which rules match."""
    if not isinstance(subject, Pod) or subject.host_network:
        return Verdict(True, True)
    choices: list[list[tuple[bool, bool]]] = []
    for policy in cluster.policies:
        namespace = policy["metadata"].get("namespace") or "default"
        if namespace != subject.namespace or direction not in directions(policy["spec"]):
            continue
        selected = selects(policy["spec"].get("podSelector") or {}, subject.labels)
        grants = _granted(cluster, policy, direction, other, destination, protocol, port)
        choices.append(list(itertools.product(_worlds(selected), _worlds(grants))))
    outcomes = set()
    for world in itertools.product(*choices):
        isolated = any(selected for selected, _ in world)
        outcomes.add(not isolated or any(selected and grants for selected, grants in world))
    return Verdict(outcomes == {True}, True in outcomes)


def _worlds(truth: bool | None) -> list[bool]:
    return [True, False] if truth is None else [truth]


def directions(spec: Document) -> set[str]:
    if spec.get("policyTypes"):
        return set(spec["policyTypes"])
    return {"Ingress", "Egress"} if spec.get("egress") else {"Ingress"}


def _granted(
    cluster: Cluster,
    policy: Document,
    direction: str,
    other: Pod | Address,
    destination: Pod | Address,
    protocol: str,
    port: int,
) -> bool | None:
    rules = policy["spec"].get(direction.lower()) or []
    key = "to" if direction == "Egress" else "from"
    return _any(
        [
            _peers(cluster, policy, rule.get(key) or [], other)
            for rule in rules
            if _ports(rule.get("ports") or [], destination, protocol, port)
        ]
    )


def _ports(items: Sequence[Document], destination: Pod | Address, protocol: str, port: int) -> bool:
    if not items:
        return True
    for item in items:
        wanted = item.get("port")
        if (item.get("protocol") or "TCP") != protocol:
            continue
        if wanted is None:
            return True
        if isinstance(wanted, str):
            named = destination.ports if isinstance(destination, Pod) else ()
            if (wanted, protocol, port) in named:
                return True
        elif wanted <= port <= (item.get("endPort") or wanted):
            return True
    return False


def _peers(cluster: Cluster, policy: Document, items: Sequence[Document], other: Pod | Address) -> bool | None:
    if not items:
        return True
    if isinstance(other, Pod) and other.host_network:
        return _host(cluster, [item["ipBlock"] for item in items if item.get("ipBlock") is not None])
    return _any([_peer(cluster, policy, item, other) for item in items])


def _peer(cluster: Cluster, policy: Document, item: Document, other: Pod | Address) -> bool | None:
    if item.get("ipBlock") is not None:
        return _block(cluster, item["ipBlock"], other)
    if not isinstance(other, Pod):
        return False
    if item.get("namespaceSelector") is None:
        in_namespace: bool | None = other.namespace == (policy["metadata"].get("namespace") or "default")
    else:
        labels = cluster.namespaces[other.namespace]
        unlisted = other.namespace in cluster.open_namespaces
        in_namespace = selects(item["namespaceSelector"], labels, open_world=unlisted)
    is_pod = selects(item.get("podSelector") or {}, other.labels, open_world=other.has_more_labels)
    return _all([in_namespace, is_pod])


def _block(cluster: Cluster, block: Document, other: Pod | Address) -> bool | None:
    """An address is in or not; a pod may have an address in it, and then it is the plugin's choice."""
    network, *excepted = _networks(block)
    if not isinstance(other, Pod):
        return other in network and not any(other in each for each in excepted)
    homes = cluster.pod_networks or PRIVATE
    return None if any(_something_left(network, excepted, home) for home in homes) else False


def _networks(block: Document) -> list[Network]:
    return [ipaddress.ip_network(text, strict=False) for text in (block["cidr"], *(block.get("except") or ()))]


def _host(cluster: Cluster, blocks: Sequence[Document]) -> bool | None:
    """A pod of the host network has some address of the nodes, which the blocks of a rule together hold, or do not.

    Every address of the nodes is in the same blocks as the last one before it at which some range begins or ends.
    """
    homes = cluster.node_networks or EVERYWHERE
    listed = [*homes, *(network for block in blocks for network in _networks(block))]
    ends = {network[-1] for network in listed} - {everything[-1] for everything in EVERYWHERE}
    edges = {network[0] for network in listed} | {end + 1 for end in ends}
    held = {
        any(edge in whole and not any(edge in each for each in excepted) for whole, *excepted in map(_networks, blocks))
        for edge in edges
        if any(edge in home for home in homes)
    }
    if held == {True} and cluster.node_networks:
        return True
    return None if True in held else False


def _something_left(network: Network, excepted: Sequence[Network], home: Network) -> bool:
    """Whether an address of ``home`` is in the network and in none of the excepted ones."""
    if network.version != home.version or not network.overlaps(home):
        return False
    common = network if network.prefixlen >= home.prefixlen else home
    inside = [each for each in excepted if each.version == common.version and each.overlaps(common)]
    if any(each.prefixlen <= common.prefixlen for each in inside):
        return False
    return sum(each.num_addresses for each in _outermost(inside)) < common.num_addresses


def _outermost(networks: Sequence[Network]) -> set[Network]:
    return {
        each
        for each in networks
        if not any(each != other and each.prefixlen > other.prefixlen and each.overlaps(other) for other in networks)
    }


def selects(selector: Document, labels: Labels, *, open_world: bool = False) -> bool | None:
    """Whether a selector matches; None where it hangs on a label that is not known."""
    parts: list[bool | None] = []
    for key, value in (selector.get("matchLabels") or {}).items():
        parts.append(_requirement(key, "In", [value], labels, open_world))
    parts += [
        _requirement(each["key"], each["operator"], each.get("values") or [], labels, open_world)
        for each in selector.get("matchExpressions") or ()
    ]
    return _all(parts)


def _requirement(key: str, operator: str, values: Sequence[str], labels: Labels, open_world: bool) -> bool | None:
    if key not in labels:
        return None if open_world else operator in ("NotIn", "DoesNotExist")
    if operator == "Exists":
        return True
    if operator == "DoesNotExist":
        return False
    value = labels[key]
    if isinstance(value, Unknown):
        return None
    return (value in values) == (operator == "In")


def _all(parts: Sequence[bool | None]) -> bool | None:
    if False in parts:
        return False
    return None if None in parts else True


def _any(parts: Sequence[bool | None]) -> bool | None:
    if True in parts:
        return True
    return None if None in parts else False
