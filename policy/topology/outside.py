"""What policies speak of and no manifest holds, as ``outside`` of topology.yaml declares it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from ipaddress import ip_network

from msgspec import structs

from policy.connectivity.topology import Network, Outside
from policy.findings import Place
from policy.manifests.index import Index
from policy.manifests.resources import (
    NetworkPolicy,
    NetworkPolicyEgressRule,
    NetworkPolicyIngressRule,
    NetworkPolicyPeer,
)

NOWHERE = Place("", 1)
_NAMESPACE_NAMES = ("kubernetes.io/metadata.name", "name")
NAMES = ("app.kubernetes.io/name", "app", "k8s-app", "name")
_WHOLE = tuple(ip_network(text) for text in ("0.0.0.0/0", "::/0"))
_HOW = "and those labels of its namespace as namespaceLabels"
_WORD = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
DNS = Outside("dns", "kube-system", {"k8s-app": "kube-dns"}, (), (), NOWHERE)


def declared_outside(indexes: Sequence[Index], questions: list[str]) -> Iterator[Outside]:
    """What the peers of policies name that is not in Git with them, each under a name of its own."""
    taken = {item.name for index in indexes for item in index.workloads}
    seen: set[object] = set()
    cidrs: list[Network] = []
    for index, peer in [(each, peer) for each in indexes for peer in _peers(each)]:
        if peer.ip_block is not None:
            cidrs.extend(_networks([peer.ip_block.get("cidr"), *(peer.ip_block.get("except") or [])]))
            continue
        made = _pods(index, peer, questions)
        if made is not None and (key := _stated(made)) not in seen:
            seen.add(key)
            yield named(made, taken)
    whole = tuple(network for network in _WHOLE if network in cidrs) or _WHOLE
    yield named(Outside("internet", None, {}, whole, (), NOWHERE), taken)
    for network in sorted(set(cidrs) - set(whole), key=str):
        yield named(Outside(_range_name(network), None, {}, (network,), (), NOWHERE), taken)


def _peers(index: Index) -> Iterator[NetworkPolicyPeer]:
    for policy in index.all(NetworkPolicy):
        rules: list[NetworkPolicyIngressRule | NetworkPolicyEgressRule] = [*(policy.spec.ingress or ())]
        rules += policy.spec.egress or ()
        yield from (peer for rule in rules for peer in rule.peers or ())


def _stated(item: Outside) -> object:
    """The same for pods that are declared alike; it can be hashed."""
    return item.namespace, tuple(sorted(item.labels.items())), tuple(sorted(item.namespace_labels.items()))


def _range_name(network: Network) -> str:
    """``192.0.2.10`` for a single address, ``10.0.0.0-8`` for more."""
    text = str(network.network_address) if network.num_addresses == 1 else str(network)
    return re.sub("[:/]+", "-", text).strip("-")


def _networks(texts: Iterable[object]) -> Iterator[Network]:
    for text in texts:
        try:
            yield ip_network(str(text), strict=False)
        except ValueError:
            continue  # policy check reports it


def _pods(index: Index, peer: NetworkPolicyPeer, questions: list[str]) -> Outside | None:
    """The pods of a namespace that is not in Git; None where the peer means others, or cannot be told."""
    selector = peer.namespace_selector
    if selector is None or selector.is_empty:
        return None
    labels = selector.match_labels or {}
    name = next((labels[key] for key in _NAMESPACE_NAMES if key in labels), None)
    pods = peer.pod_selector
    if name in index.namespaces:
        return None
    if name is None or selector.match_expressions or (pods is not None and pods.match_expressions):
        questions.append(f"a policy admits namespaces by {selector}: state under outside what is there, {_HOW}")
        return None
    own = dict(pods.match_labels or {}) if pods is not None else {}
    called = next((own[key] for key in NAMES if key in own), name)
    of_namespace = {key: value for key, value in labels.items() if key != _NAMESPACE_NAMES[0]}
    return Outside(DNS.name if own == DNS.labels else called, name, own, (), (), NOWHERE, of_namespace)


def named(item: Outside, taken: set[str]) -> Outside:
    """Under a name that nothing else has."""
    base = item.name if _WORD.fullmatch(item.name) else (item.namespace or "outside")
    candidates = [base, f"{item.namespace}.{base}", *(f"{base}-{number}" for number in range(2, len(taken) + 3))]
    name = next(each for each in candidates if each not in taken)
    taken.add(name)
    return structs.replace(item, name=name)
