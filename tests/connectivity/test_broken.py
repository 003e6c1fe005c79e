"""What a broken flow is told of: its own addresses and ports, whatever else its source lacks."""

from __future__ import annotations

from pathlib import Path

import yaml

from policy.connectivity.contract import Proof
from policy.connectivity.matrix import Connectivity
from policy.connectivity.ports import described
from policy.connectivity.topology_file import load_topology
from policy.manifests.index import Index

from .fast import resources

POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "web", "namespace": "shop", "labels": {"app": "web"}},
    "spec": {"containers": [{"name": "web", "image": "web"}]},
}
DENY = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {"name": "deny", "namespace": "shop"},
    "spec": {"podSelector": {}, "policyTypes": ["Egress"]},
}
OUTSIDE = {"both": {"cidrs": ["198.51.100.0/24", "203.0.113.0/24"]}, "one": {"cidrs": ["198.51.100.0/24"]}}


def test_flows_to_addresses_that_begin_alike_are_told_apart(tmp_path: Path) -> None:
    file = tmp_path / "topology.yaml"
    file.write_text(yaml.safe_dump({"outside": OUTSIDE, "flows": ["web -> both : TCP 80", "web -> one : TCP 443"]}))
    topology = load_topology(file)
    connectivity = Connectivity(Index(resources([POD, DENY])), topology.outside.values(), topology.cluster)
    found = Proof(connectivity, topology).broken
    assert [(each.flow.text, each.destination.name, described(each.sides["egress"])) for each in found] == [
        ("web -> both : TCP 80", "both", "TCP 80"),
        ("web -> one : TCP 443", "one", "TCP 443"),
    ]
