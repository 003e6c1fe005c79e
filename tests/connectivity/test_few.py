"""Whatever counts as few, the benchmark's clusters of more than a few pods give the same."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from policy.connectivity.bits import members
from policy.connectivity.contract import Proof
from policy.connectivity.endpoints import Endpoint
from policy.connectivity.matrix import Connectivity
from policy.connectivity.ports import described
from policy.connectivity.topology import Topology
from policy.connectivity.topology_file import load_topology
from policy.manifests.decode import resources_of
from policy.manifests.index import Index
from tools.bench_connectivity import SHAPES, Service, manifests_of, services_of, topology_of

from .fast import resources
from .few import few_are
from .random_clusters import workload

WORKLOADS = 130
MORE = (
    "* -> dns : UDP 53",
    "prometheus -> * : http",
    "internet -> namespace-0/service-1 : http",
    "namespace-0/service-2 -> internet : TCP 443",
)
"""Flows with more than a few ends, from outside and to it."""
OUTSIDE = {
    "dns": {"namespace": "kube-system", "labels": {"k8s-app": "kube-dns"}},
    "prometheus": {"namespace": "monitoring"},
    "internet": {"cidrs": ["0.0.0.0/0"]},
}


_Pairs = set[tuple[str, str, str]]


def contract(services: Sequence[Service], folder: Path) -> Topology:
    """The benchmark's contract, with more flows."""
    topology_of(services, folder)
    file = folder / "topology.yaml"
    stated = json.loads(file.read_text())
    file.write_text(json.dumps({**stated, "outside": OUTSIDE, "flows": [*stated["flows"], *MORE]}))
    return load_topology(file)


def rows(connectivity: Connectivity, *, possibly: bool) -> _Pairs:
    found: _Pairs = set()
    for row in connectivity.rows(possibly=possibly):
        for source, destination in itertools.product(row.sources, row.destinations):
            if source is not destination:  # of which nothing is said
                found.add((called(source), called(destination), described(row.ports)))
    return found


def called(end: Endpoint) -> str:
    return f"{end.namespace}/{end.kind}/{end.name}"


def leaks(proof: Proof) -> set[tuple[object, ...]]:
    return {
        (str(leak.by.at) if leak.by else "", each.direction, each.end, each.ports, number, each.others.addresses)
        for leak in proof.leaks
        for each in leak.bundles
        for number in (*members(each.others.pods), None)
    }


def broken(proof: Proof) -> list[tuple[object, ...]]:
    return [(each.flow.text, called(each.source), called(each.destination), each.sides) for each in proof.broken]


@pytest.mark.parametrize("shape", SHAPES)
def test_what_is_found_does_not_depend_on_it(shape: str, tmp_path: Path) -> None:
    services = services_of(SHAPES[shape], WORKLOADS)
    documents = enumerate(manifests_of(SHAPES[shape], services))
    index = Index(item for number, document in documents for item in resources_of(document, number))
    topology = contract(services, tmp_path)
    found = []
    for few in (0, 3, 64, 1_000):
        with few_are(few):
            connectivity = Connectivity(index, topology.outside.values(), topology.cluster)
            proof = Proof(connectivity, topology)
            bounds = [rows(connectivity, possibly=possibly) for possibly in (False, True)]
            found.append((bounds, leaks(proof), broken(proof)))
    for another in found[1:]:
        assert another == found[0]
    assert all(found[0][0])
    assert found[0][1] or found[0][2]


@pytest.mark.parametrize("few", [0, 64])
def test_each_of_two_rules_for_a_peer_leaks_its_own_ports(tmp_path: Path, few: int) -> None:
    documents = [pod("a"), pod("b"), policy("b", [({"app": "a"}, 80), ({"app": "a"}, 81)])]
    with few_are(few):
        proof = proof_of(tmp_path, documents, [], silent=["a", "b"])
        found = [(leak.by.position, described(leak.ports)) for leak in proof.leaks if leak.by]

    assert found == [(0, "TCP 80"), (1, "TCP 81")]


@pytest.mark.parametrize("few", [0, 64])
@pytest.mark.parametrize("ports", [(81, "http"), ("http", 81)])
@pytest.mark.parametrize("direction", ["Ingress", "Egress"])
def test_rules_by_number_and_by_name_count_together(
    tmp_path: Path, direction: str, ports: Sequence[int | str], few: int
) -> None:
    other = {"podSelector": {"matchLabels": {"app": "a" if direction == "Ingress" else "b"}}}
    rules = [{"from" if direction == "Ingress" else "to": [other], "ports": [{"port": port}]} for port in ports]
    subject = "b" if direction == "Ingress" else "a"
    made = _policy(subject, {"policyTypes": [direction], direction.lower(): rules})
    with few_are(few):
        connectivity = proof_of(tmp_path, [pod("a"), pod("b", port=80), made], [], silent=["a", "b"]).connectivity
        allowed = connectivity.allowed(*connectivity.endpoints[:2])

    assert described(allowed) == "TCP 80-81"


@pytest.mark.parametrize("few", [0, 64])
def test_sources_that_reach_the_same_are_one_row_however_that_is_written(tmp_path: Path, few: int) -> None:
    """One destination of many by two rules of 40 labels each, the other by one of 80."""
    names = [f"d{number}" for number in range(80)]
    targets = [pod(name, number=f"n{number}", half=f"h{number // 40}", kind="d") for number, name in enumerate(names)]
    by_halves = egress("s1", [[{"app": name} for name in names[:40]], [{"app": name} for name in names[40:]]])
    documents = [pod("s1"), pod("s2"), *targets, by_halves, egress("s2", [[{"kind": "d"}]])]
    with few_are(few):
        connectivity = proof_of(tmp_path, documents, [], silent=[]).connectivity
        found = [[end.name for end in row.sources] for row in connectivity.rows() if len(row.destinations) == 80]

    assert found == [["s1", "s2"]]


@pytest.mark.parametrize("few", [0, 64])
def test_a_destination_that_lacks_a_port_by_name_is_told_once_and_permitted_nothing(tmp_path: Path, few: int) -> None:
    documents = [pod("a"), pod("b", port=80), pod("c"), policy("c", [({"app": "a"}, 80)])]
    with few_are(few):
        proof = proof_of(tmp_path, documents, ["a -> b, c, Pod/c : http"], silent=[])
        unknown = [(each.port.name, each.destination.name) for each in proof.stated.unknown_ports]
        leaking = [leak.destination.name for leak in proof.leaks if leak.by]

    assert unknown == [("http", "c")]
    assert leaking == ["c"]


def pod(name: str, port: int | None = None, **labels: str) -> dict[str, Any]:
    ports = [{"name": "http", "containerPort": port}] if port else []
    return workload("Pod", "shop", name, {"app": name, **labels}, {"containers": [{"name": "app", "ports": ports}]})


def policy(name: str, rules: Sequence[tuple[dict[str, str], int]]) -> dict[str, Any]:
    ingress = [
        {"from": [{"podSelector": {"matchLabels": labels}}], "ports": [{"port": port}]} for labels, port in rules
    ]
    return _policy(name, {"policyTypes": ["Ingress"], "ingress": ingress})


def egress(name: str, rules: Sequence[Sequence[dict[str, str]]]) -> dict[str, Any]:
    to = [{"to": [{"podSelector": {"matchLabels": labels}} for labels in peers]} for peers in rules]
    return _policy(name, {"policyTypes": ["Egress"], "egress": to})


def _policy(name: str, spec: dict[str, Any]) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "shop"}
    spec = {"podSelector": {"matchLabels": {"app": name}}, **spec}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec}


def proof_of(folder: Path, documents: Sequence[dict[str, Any]], flows: Sequence[str], silent: Sequence[str]) -> Proof:
    file = folder / "topology.yaml"
    file.write_text(json.dumps({"flows": [*flows], "silent": [*silent]}))
    topology = load_topology(file)
    return Proof(Connectivity(Index(resources(documents)), topology.outside.values(), topology.cluster), topology)
