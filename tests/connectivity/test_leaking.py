"""Which rule a leak is told at, and exactly which connections that rule is told to let through."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from policy.connectivity.addresses import texts
from policy.connectivity.contract import Proof
from policy.connectivity.matrix import Connectivity
from policy.connectivity.topology_file import load_topology
from policy.manifests.index import Index

from .fast import resources
from .few import few_are
from .random_clusters import workload
from .test_rows import policy


def told(folder: Path, names: list[str], *policies: dict[str, Any]) -> list[tuple[str, str, int, list[str]]]:
    """Policy, direction and position of each leak's rule, and all other ends that it lets through."""
    file = folder / "topology.yaml"
    file.write_text(yaml.safe_dump({"flows": [], "silent": names}))
    topology = load_topology(file)
    pods = [workload("Pod", "x", name, {"app": name}, {"containers": []}) for name in names]
    connectivity = Connectivity(Index(resources([*pods, *policies])), topology.outside.values(), topology.cluster)
    found = []
    for leak in Proof(connectivity, topology).leaks:
        others = [
            connectivity.population.endpoint(number).name
            for bundle in leak.bundles
            for number in range(connectivity.population.in_git)
            if bundle.others.pods >> number & 1
        ]
        others += [text for bundle in leak.bundles for text in texts(bundle.others.addresses)]
        rule = leak.by
        found.append((rule.policy.name, rule.direction, rule.position, others) if rule else ("", "", 0, others))
    return sorted(found)


def to(cidr: str) -> dict[str, Any]:
    return {"to": [{"ipBlock": {"cidr": cidr}}]}


@pytest.mark.parametrize("few", [0, 2, 64])
@pytest.mark.parametrize(
    ("second", "told_at_it"),
    [("203.0.113.0/24", "203.0.113.0/24"), ("198.51.100.0/23", "198.51.101.0/24")],
    ids=["other addresses", "some that the rule before lets through"],
)
def test_each_rule_is_told_with_what_no_rule_before_lets_through(
    tmp_path: Path, few: int, second: str, told_at_it: str
) -> None:
    closed = policy("web", egress=[to("198.51.100.0/24"), to(second)], ingress=[])
    with few_are(few):
        assert told(tmp_path, ["web"], closed) == [
            ("web", "egress", 0, ["198.51.100.0/24"]),
            ("web", "egress", 1, [told_at_it]),
        ]


@pytest.mark.parametrize("few", [0, 2, 64])
def test_what_both_ends_let_through_is_told_at_the_destination_alone(tmp_path: Path, few: int) -> None:
    both = [{"podSelector": {"matchLabels": {"app": name}}} for name in ("closed", "open")]
    web = policy("web", egress=[{"to": both, "ports": [{"port": 80}]}], ingress=[])
    closed = policy("closed", ingress=[{"from": [{"podSelector": {"matchLabels": {"app": "web"}}}]}], egress=[])
    with few_are(few):
        found = told(tmp_path, ["web", "closed", "open"], web, closed)
    assert ("closed", "ingress", 0, ["web"]) in found
    assert ("web", "egress", 0, ["open"]) in found
