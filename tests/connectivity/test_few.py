"""Whatever counts as few, the benchmark's clusters of more than a few pods give the same."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from pathlib import Path

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

from .few import few_are

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
        (str(leak.by.at) if leak.by else "", bundle.direction, bundle.end, number, bundle.others.addresses)
        for leak in proof.leaks
        for bundle in leak.bundles
        for number in (*members(bundle.others.pods), None)
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
