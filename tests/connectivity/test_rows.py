"""Rows where both sides say the same of each other in the same rules."""

from __future__ import annotations

from typing import Any

from policy.connectivity.ports import described

from .fast import Evaluator
from .random_clusters import workload


def policy(name: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": "x"},
        "spec": {"podSelector": {"matchLabels": {"app": name}}, "policyTypes": ["Ingress", "Egress"], **spec},
    }


def rules(end: str, other: str) -> list[dict[str, Any]]:
    """One for each of two ports."""
    peers = [{"podSelector": {"matchLabels": {"app": other}}}]
    return [{end: peers, "ports": [{"port": port}]} for port in (80, 443)]


def test_two_rules_for_the_same_pair_are_one_row() -> None:
    pods = [workload("Pod", "x", name, {"app": name}, {"containers": []}) for name in ("web", "db")]
    policies = [policy("web", egress=rules("to", "db")), policy("db", ingress=rules("from", "web"))]
    connectivity = Evaluator([*pods, *policies]).connectivity
    found = [
        (source.name, destination.name, described(row.ports))
        for row in connectivity.rows()
        for source in row.sources
        for destination in row.destinations
    ]
    assert found == [("web", "db", "TCP 80, TCP 443")]
