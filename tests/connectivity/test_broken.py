"""What a broken flow is told of: its own addresses and ports, whatever else its source lacks."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from policy.connectivity.contract import Proof
from policy.connectivity.matrix import Connectivity
from policy.connectivity.ports import described
from policy.connectivity.topology_file import load_topology
from policy.connectivity.wording import rule_text
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
ONE, OTHER = "198.51.100.0/24", "203.0.113.0/24"


def broken(folder: Path, outside: dict[str, list[str]], *flows: str) -> list[tuple[str, str, str]]:
    """Of each broken flow its text, its destination, and the ports that the source may not use."""
    file = folder / "topology.yaml"
    declared = {name: {"cidrs": cidrs} for name, cidrs in outside.items()}
    file.write_text(yaml.safe_dump({"outside": declared, "flows": list(flows)}, sort_keys=False))
    topology = load_topology(file)
    connectivity = Connectivity(Index(resources([POD, DENY])), topology.outside.values(), topology.cluster)
    return [
        (each.flow.text, each.destination.name, described(each.sides["egress"]))
        for each in Proof(connectivity, topology).broken
    ]


@pytest.mark.parametrize("names", [("both", "one"), ("one", "both")])
def test_flows_to_addresses_that_begin_alike_are_told_apart(tmp_path: Path, names: tuple[str, str]) -> None:
    ranges = {"both": [ONE, OTHER], "one": [ONE]}
    found = broken(tmp_path, {name: ranges[name] for name in names}, "web -> both : TCP 80", "web -> one : TCP 443")

    assert found == [("web -> both : TCP 80", "both", "TCP 80"), ("web -> one : TCP 443", "one", "TCP 443")]


def test_each_flow_is_told_where_all_lack_the_same_ports(tmp_path: Path) -> None:
    found = broken(tmp_path, {"a": [ONE], "b": [OTHER]}, "web -> b : TCP 80", "web -> a : TCP 80")

    assert found == [("web -> b : TCP 80", "b", "TCP 80"), ("web -> a : TCP 80", "a", "TCP 80")]


@pytest.mark.parametrize("names", [("a", "both"), ("both", "a")])
def test_what_is_told_is_what_the_flow_names_and_not_a_part_of_it(tmp_path: Path, names: tuple[str, str]) -> None:
    ranges = {"both": [ONE, OTHER], "a": [ONE]}
    found = broken(tmp_path, {name: ranges[name] for name in names}, "web -> both : TCP 80")

    assert found == [("web -> both : TCP 80", "both", "TCP 80")]


def test_each_outside_that_a_flow_names_is_told(tmp_path: Path) -> None:
    found = broken(tmp_path, {"a": [ONE], "b": [OTHER]}, "web -> a, b : TCP 80")

    assert [(name, ports) for _, name, ports in found] == [("a", "TCP 80"), ("b", "TCP 80")]


def test_unknown_ends_of_a_flow_over_several_lines_are_told_in_order(tmp_path: Path) -> None:
    file = tmp_path / "topology.yaml"
    file.write_text("flows:\n  - >-\n    nope, nada\n    -> web : TCP 80\n")
    topology = load_topology(file)
    stated = Proof(Connectivity(Index(resources([POD, DENY]))), topology).stated

    assert [each.end.name for each in stated.unknown_ends] == ["nope", "nada"]


@pytest.mark.parametrize(
    ("cidr", "written"),
    [
        ("0.0.0.0/0", "{ipBlock: {cidr: 0.0.0.0/0, except: [10.244.0.0/16]}}"),
        (ONE, "{ipBlock: {cidr: 198.51.100.0/24}}"),
        ("10.244.0.0/16", "{ipBlock: {cidr: 10.244.0.0/16}}"),
    ],
    ids=["around the network of the pods", "beside it", "that network itself"],
)
def test_the_rule_that_is_missing_excepts_the_pods_only_from_a_range_around_them(
    tmp_path: Path, cidr: str, written: str
) -> None:
    file = tmp_path / "topology.yaml"
    file.write_text(
        f"cluster: {{pods: [10.244.0.0/16]}}\noutside: {{there: {{cidrs: [{cidr}]}}}}\n"
        'flows: ["web -> there : TCP 80"]\n'
    )
    topology = load_topology(file)
    connectivity = Connectivity(Index(resources([POD, DENY])), topology.outside.values(), topology.cluster)
    [missing] = Proof(connectivity, topology).broken

    text = rule_text("egress", missing.source, missing.destination, missing.sides["egress"], topology.cluster)
    assert written in text
