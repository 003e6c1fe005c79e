"""Peers and ports of NetworkPolicies in words."""

from __future__ import annotations

from collections.abc import Iterable

from policy.manifests.resources import NetworkPolicyPeer, NetworkPolicyPort
from policy.manifests.selectors import LabelSelector

NAMESPACE_NAME = "kubernetes.io/metadata.name"


def peers_in_words(peers: Iterable[NetworkPolicyPeer] | None) -> str:
    """``pods with app=redis or 10.0.0.0/8 without 10.1.0.0/16``; no peers at all are everyone."""
    return " or ".join(map(_peer, peers or ())) or "everyone"


def _peer(peer: NetworkPolicyPeer) -> str:
    if peer.ip_block is not None:
        excepted = peer.ip_block.get("except")
        without = f" without {', '.join(map(str, excepted))}" if isinstance(excepted, list) and excepted else ""
        return f"{peer.ip_block.get('cidr')}{without}"
    pods = _with("pods", peer.pod_selector)
    if peer.namespace_selector is None:
        return pods if peer.pod_selector is not None else "nobody (an empty peer)"
    return f"{pods} of {_namespaces(peer.namespace_selector)}"


def _with(what: str, selector: LabelSelector | None) -> str:
    return f"every {what.removesuffix('s')}" if selector is None or selector.is_empty else f"{what} with {selector}"


def _namespaces(selector: LabelSelector) -> str:
    labels = selector.match_labels or {}
    if set(labels) == {NAMESPACE_NAME} and not selector.match_expressions:
        return f"namespace {labels[NAMESPACE_NAME]}"
    return _with("namespaces", selector)


def ports_in_words(ports: Iterable[NetworkPolicyPort] | None) -> str:
    """``TCP 80, UDP 53``; no ports at all are every port."""
    return ", ".join(map(_port, ports or ())) or "every port"


def _port(port: NetworkPolicyPort) -> str:
    protocol = port.protocol or "TCP"
    if port.port is None:
        return protocol
    return f"{protocol} {port.port}" + (f"-{port.end_port}" if port.end_port else "")
