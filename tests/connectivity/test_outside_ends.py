"""Policies in Git for pods that are not: what passes between ends of which neither is in Git is nobody's leak here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from policy.connectivity.contract import Proof
from policy.connectivity.matrix import Connectivity
from policy.connectivity.topology_file import load_topology
from policy.manifests.index import Index

from .fast import resources
from .few import few_are
from .random_clusters import workload

PROMETHEUS = {
    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}},
    "podSelector": {"matchLabels": {"app": "prometheus"}},
}
WEB: dict[str, Any] = {
    "podSelector": {},
    "policyTypes": ["Ingress", "Egress"],
    "ingress": [{"from": [PROMETHEUS], "ports": [{"port": 80}]}],
}
ALL = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"], "ingress": [{}], "egress": [{}]}
CONTRACT = {
    "outside": {
        "prometheus": {"namespace": "monitoring", "labels": {"app": "prometheus"}},
        "dns": {"namespace": "kube-system", "labels": {"k8s-app": "kube-dns"}},
    },
    "flows": ["prometheus -> web : TCP 80"],
}


def leaks(folder: Path, shop: dict[str, Any], monitoring: dict[str, Any]) -> set[tuple[str, str, str]]:
    file = folder / "topology.yaml"
    file.write_text(yaml.safe_dump(CONTRACT))
    topology = load_topology(file)
    pod = workload("Pod", "shop", "web", {"app": "web"}, {"containers": []})
    documents = [pod, policy("shop", shop), policy("monitoring", monitoring)]
    connectivity = Connectivity(Index(resources(documents)), topology.outside.values(), topology.cluster)
    found = Proof(connectivity, topology).leaks
    return {(leak.by.policy.namespace if leak.by else "", leak.source.name, leak.destination.name) for leak in found}


def policy(namespace: str, spec: dict[str, Any]) -> dict[str, Any]:
    metadata = {"name": "policy", "namespace": namespace}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec}


@pytest.mark.parametrize("few", [0, 64])
def test_nothing_leaks_between_them(tmp_path: Path, few: int) -> None:
    with few_are(few):
        assert leaks(tmp_path, WEB, ALL) == set()


@pytest.mark.parametrize("few", [0, 64])
def test_what_reaches_a_pod_in_git_does(tmp_path: Path, few: int) -> None:
    with few_are(few):
        found = leaks(tmp_path, {**WEB, "ingress": [{}]}, ALL)

    assert [(by, destination) for by, _, destination in found] == [("shop", "web")]
