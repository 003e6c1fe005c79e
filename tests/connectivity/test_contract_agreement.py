"""The contract against random clusters: what leaks and what is broken, as a slow reading of the flows says."""

from __future__ import annotations

import dataclasses
import ipaddress
import itertools
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policy.connectivity.addresses import V6, address_text, holds_address
from policy.connectivity.bits import members
from policy.connectivity.contract import Proof
from policy.connectivity.endpoints import Endpoint, EndpointKind
from policy.connectivity.leaks import Leak
from policy.connectivity.matrix import Connectivity
from policy.connectivity.ports import PortRange, intersection, port_set
from policy.connectivity.topology_file import load_topology
from policy.manifests.index import Index

from . import naive
from .fast import resources
from .few import FEW, few_are
from .random_clusters import ADDRESSES, NUMBERS, PROTOCOLS, Maker
from .test_agreement import DERANDOMIZE, EXAMPLES, is_undecided

OUTSIDE: dict[str, dict[str, Any]] = {
    "net": {"cidrs": ["198.51.100.0/24"]},
    "everywhere": {"cidrs": ["0.0.0.0/0", "::/0"]},
    "dns": {"namespace": "kube-system", "labels": {"app": "a"}, "ports": {"web": "TCP 80"}},
}
DNS = naive.Pod("kube-system", "dns", {"app": "a"}, (("web", "TCP", 80),), has_more_labels=True)
Flow = tuple[str, str, str, int]
"""Source, destination, protocol, port."""


def flows(pods: Sequence[str], chance: random.Random) -> Iterator[Flow]:
    """Some flows, each stated once, in which something is in Git; of each pod one, since else nothing is said of it."""
    ends = [*pods, *pods, "*", *OUTSIDE]
    made: set[Flow] = set()
    for _ in range(chance.randint(0, 12)):
        source, destination = chance.choice(ends), chance.choice(ends)
        flow = source, destination, chance.choice(PROTOCOLS), chance.choice(NUMBERS)
        if (source in OUTSIDE) + (destination in OUTSIDE) < 2 and flow not in made:
            made.add(flow)
            yield flow
    named = {end for flow in made for end in flow[:2]}
    yield from ((pod, "dns", "SCTP", 53) for pod in pods if pod not in named)


class Contract:
    """The flows, read slowly."""

    def __init__(self, stated: Sequence[Flow]) -> None:
        self._stated = stated

    def states(self, source: naive.Pod | naive.Address, destination: naive.Pod | naive.Address, port: Flow) -> bool:
        return any(
            (protocol, number) == port[2:] and self._is(source, one) and self._is(destination, other)
            for one, other, protocol, number in self._stated
        )

    def _is(self, end: naive.Pod | naive.Address, name: str) -> bool:
        if not isinstance(end, naive.Pod):
            networks = [ipaddress.ip_network(text) for text in OUTSIDE.get(name, {}).get("cidrs", ())]
            return any(end in network for network in networks)
        return end.name == name or (name == "*" and end is not DNS)


@settings(
    max_examples=EXAMPLES // 6,
    derandomize=DERANDOMIZE,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.integers(0, 2**64 - 1), FEW)
def test_leaks_and_broken_flows_are_those_of_a_slow_reading(tmp_path: Path, seed: int, few: int) -> None:
    with few_are(few):
        are_those_of_a_slow_reading(tmp_path, seed)


def are_those_of_a_slow_reading(tmp_path: Path, seed: int) -> None:
    made = Maker(seed).cluster()
    cluster = naive.read((*made.documents, *_dns()))
    if is_undecided(cluster):
        return
    stated = list(flows([pod.name for pod in cluster.pods if pod.name != "dns"], random.Random(seed)))
    proof = _proof(tmp_path / "topology.yaml", stated, made.documents)
    pods = [DNS if pod.name == "dns" else pod for pod in cluster.pods]
    ends = [*pods, *map(ipaddress.ip_address, ADDRESSES)]
    contract = Contract(stated)
    leaking, broken = set(), set()
    for one, other in itertools.product(ends, ends):
        if one == other or not any(isinstance(end, naive.Pod) and end is not DNS for end in (one, other)):
            continue
        for protocol, number in itertools.product(PROTOCOLS, (*NUMBERS, 54)):
            port = ("", "", protocol, number)
            verdict = naive.allowed(cluster, one, other, protocol, number)
            if verdict.possibly and not contract.states(one, other, port):
                leaking.add((_name(one), _name(other)))
            if not verdict.surely and contract.states(one, other, port):
                broken.add((_name(one), _name(other)))
    broken.update(_broken_among_themselves(cluster, stated, made.documents))
    assert {(_named(each.source), _named(each.destination)) for each in proof.broken} == broken
    assert {pair for leak in proof.leaks for pair in _pairs(leak)} == leaking
    assert sum(leak.pairs for leak in proof.leaks) >= len(leaking)
    open_ends = {leak.end.name for leak in proof.leaks if leak.by is None and leak.direction == "ingress"}
    in_git = {pod.name for pod in pods if pod is not DNS}
    isolated = {pod.name for pod in cluster.pods if any(_is_isolated(cluster, pod, each) for each in TYPES)}
    for pair in leaking:
        assert not set(pair) <= in_git - isolated or pair[1] in open_ends, pair
    for leak in proof.leaks:
        _is_real(leak, cluster, contract)


def _pairs(leak: Leak) -> Iterator[tuple[str, str]]:
    """The pairs of ends that a leak tells of, as far as the slow reading asks for its ports and knows the ends."""
    connectivity = leak.proof.connectivity
    asked = port_set(PortRange(protocol, port, port) for protocol in PROTOCOLS for port in (*NUMBERS, 54))
    for bundle in leak.bundles:
        if not intersection(connectivity.table.sets[bundle.ports], asked):
            continue
        others = [connectivity.population.endpoint(number) for number in members(bundle.others.pods)]
        named = [item.name for item in others if item.type not in _UNKNOWN]
        if any(holds_address(bundle.others.addresses, _number(text)) for text in ADDRESSES):
            named.append("addresses")
        end = connectivity.population.endpoint(bundle.end)
        for other in named if end.type not in _UNKNOWN else ():
            yield (other, end.name) if bundle.direction == "ingress" else (end.name, other)


_UNKNOWN = (EndpointKind.STRANGER, EndpointKind.UNLISTED)


def _number(text: str) -> int:
    address = ipaddress.ip_address(text)
    return int(address) + (V6 if address.version == 6 else 0)


def _broken_among_themselves(
    cluster: naive.Cluster, stated: Sequence[Flow], documents: Sequence[dict[str, Any]]
) -> Iterator[tuple[str, str]]:
    """Workloads of which two pods do not surely reach each other, as a flow states."""
    kinds = {item["metadata"]["name"]: item["kind"] for item in documents}
    for pod in cluster.pods:
        twin = dataclasses.replace(pod, name="twin")
        for source, destination, protocol, number in stated:
            is_of_it = source == destination == pod.name and kinds[pod.name] != "Pod"
            if is_of_it and not naive.allowed(cluster, pod, twin, protocol, number).surely:
                yield pod.name, pod.name


TYPES = ("Ingress", "Egress")


def _is_isolated(cluster: naive.Cluster, pod: naive.Pod, direction: str) -> bool:
    """Whether a policy may isolate a pod."""
    return not pod.host_network and any(
        policy["metadata"]["namespace"] == pod.namespace
        and direction in naive.directions(policy["spec"])
        and naive.selects(policy["spec"].get("podSelector") or {}, pod.labels) is not False
        for policy in cluster.policies
    )


def _dns() -> tuple[dict[str, object], ...]:
    metadata = {"name": "dns", "namespace": "kube-system", "labels": {"app": "a"}}
    spec = {"containers": [{"name": "dns", "image": "dns", "ports": [{"name": "web", "containerPort": 80}]}]}
    return ({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec},)


def _proof(file: Path, stated: Sequence[Flow], documents: Sequence[dict[str, object]]) -> Proof:
    written = [f"{one} -> {other} : {protocol} {port}" for one, other, protocol, port in stated]
    file.write_text(yaml.safe_dump({"outside": OUTSIDE, "flows": written}), encoding="utf-8")
    topology = load_topology(file)
    index = Index(resources(documents))
    return Proof(Connectivity(index, topology.outside.values(), topology.cluster), topology)


def _name(end: naive.Pod | naive.Address) -> str:
    return end.name if isinstance(end, naive.Pod) else "addresses"


def _named(end: Endpoint) -> str:
    return "addresses" if end.addresses else end.name


def _is_real(leak: Leak, cluster: naive.Cluster, contract: Contract) -> None:
    """The example of a leak is possible and not stated, by the slow reading."""
    ends: list[naive.Pod | naive.Address] = []
    for end in (leak.source, leak.destination):
        if end.type in _UNKNOWN:
            return
        if end.addresses:
            ends.append(ipaddress.ip_address(address_text(end.addresses[0])))
        else:
            ends.append(DNS if end.name == "dns" else cluster.pod(end.namespace, end.name))
    for ports in leak.ports:
        for number in (ports.first, ports.last):
            verdict = naive.allowed(cluster, ends[0], ends[1], ports.protocol, number)
            assert verdict.possibly, leak
            assert not contract.states(ends[0], ends[1], ("", "", ports.protocol, number)), leak
