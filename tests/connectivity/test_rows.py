"""Rows where both sides say the same of each other in the same rules."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from policy.connectivity.matrix import Row
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


def ends(rows: Iterable[Row]) -> list[tuple[list[str], list[str], str]]:
    return [
        ([each.name for each in row.sources], [each.name for each in row.destinations], described(row.ports))
        for row in rows
    ]


def test_a_pod_alone_is_in_no_row_with_itself() -> None:
    pods = [workload("Pod", "x", name, {"app": name}, {"containers": []}) for name in ("web", "db")]
    both = [policy("web", egress=rules("to", "web"), ingress=rules("from", "web")), policy("db")]
    assert ends(Evaluator([*pods, *both]).connectivity.rows()) == []


def test_addresses_that_the_same_pods_admit_on_the_same_ports_are_one_row() -> None:
    pods = [workload("Pod", "x", name, {"app": name}, {"containers": []}) for name in ("web", "db")]
    policies = [
        policy(name, ingress=[{"from": [{"ipBlock": {"cidr": cidr}} for cidr in cidrs], "ports": [{"port": 80}]}])
        for name, cidrs in {"web": ["198.51.100.0/24", "203.0.113.0/24"], "db": ["203.0.113.0/25"]}.items()
    ]
    assert sorted(ends(Evaluator([*pods, *policies]).connectivity.rows())) == [
        (["198.51.100.0/24, 203.0.113.128/25"], ["web"], "TCP 80"),
        (["203.0.113.0/25"], ["web", "db"], "TCP 80"),
    ]


def test_sources_of_other_addresses_are_other_rows() -> None:
    pods = [workload("Pod", "x", name, {"app": name}, {"containers": []}) for name in ("web", "db")]
    policies = [
        policy(
            name,
            egress=[
                {"to": [{"ipBlock": {"cidr": f"{start}.0/24"}}], "ports": [{"port": port}]}
                for start, port in zip(starts, (80, 443), strict=True)
            ],
        )
        for name, starts in {"web": ["198.51.100", "203.0.113"], "db": ["192.0.2", "203.0.113"]}.items()
    ]
    assert sorted(ends(Evaluator([*pods, *policies]).connectivity.rows())) == [
        (["db"], ["192.0.2.0/24"], "TCP 80"),
        (["db"], ["203.0.113.0/24"], "TCP 443"),
        (["web"], ["198.51.100.0/24"], "TCP 80"),
        (["web"], ["203.0.113.0/24"], "TCP 443"),
    ]
