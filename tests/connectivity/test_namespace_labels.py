"""Namespaces outside Git that policies select by labels: topology.yaml states those, else nobody knows them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from policy.connectivity.contract import Proof
from policy.connectivity.matrix import Connectivity
from policy.connectivity.ports import NO_PORTS, PortRange
from policy.connectivity.topology_file import load_topology
from policy.manifests.index import Index

from .clusters import DENY, Run, deployment, policy, write
from .fast import resources
from .random_clusters import workload

PROMETHEUS = {"namespace": "watch", "labels": {"app": "prometheus"}}
DECLARED = {**PROMETHEUS, "namespaceLabels": {"purpose": "monitoring"}}
DNS = {"namespace": "kube-system", "labels": {"k8s-app": "kube-dns"}}
BY_LABEL = {"matchLabels": {"purpose": "monitoring"}}
BY_EXPRESSION = {"matchExpressions": [{"key": "purpose", "operator": "In", "values": ["monitoring"]}]}

Found = tuple[set[tuple[str, str]], set[tuple[str, str]]]
"""Pairs that leak, and pairs that are broken."""


def proof_of(folder: Path, namespaces: dict[str, Any], outside: dict[str, Any], *more: dict[str, Any]) -> Proof:
    """Web lets prometheus in, of those namespaces; the contract states that prometheus may."""
    file = folder / "topology.yaml"
    contract = {"outside": outside, "flows": ["prometheus -> shop/web : TCP 80"], "silent": ["other"] if more else []}
    file.write_text(yaml.safe_dump(contract))
    topology = load_topology(file)
    pod = workload("Pod", "shop", "web", {"app": "web"}, {"containers": []})
    peer = {"namespaceSelector": namespaces, "podSelector": {"matchLabels": {"app": "prometheus"}}}
    rules = {"policyTypes": ["Ingress", "Egress"], "ingress": [{"from": [peer], "ports": [{"port": 80}]}]}
    closed = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"podSelector": {}, **rules},
    }
    connectivity = Connectivity(Index(resources([pod, closed, *more])), topology.outside.values(), topology.cluster)
    return Proof(connectivity, topology)


def proven(folder: Path, namespaces: dict[str, Any], outside: dict[str, Any], *more: dict[str, Any]) -> Found:
    proof = proof_of(folder, namespaces, outside, *more)
    leaks = {(leak.source.name, leak.destination.name) for leak in proof.leaks if leak.destination.name == "web"}
    return leaks, {(each.source.name, each.destination.name) for each in proof.broken}


@pytest.mark.parametrize("namespaces", [BY_LABEL, BY_EXPRESSION])
def test_labels_that_are_stated_prove_a_flow_and_that_nobody_else_gets_in(
    tmp_path: Path, namespaces: dict[str, Any]
) -> None:
    leaks, broken = proven(tmp_path, namespaces, {"prometheus": PROMETHEUS, "dns": DNS})
    assert leaks
    assert broken == {("prometheus", "web")}

    assert proven(tmp_path, namespaces, {"prometheus": DECLARED, "dns": DNS}) == (set(), set())


def test_labels_that_are_not_stated_stay_unknown(tmp_path: Path) -> None:
    wants_more = {"matchLabels": {"purpose": "monitoring", "tier": "gold"}}
    leaks, broken = proven(tmp_path, wants_more, {"prometheus": DECLARED, "dns": DNS})
    assert (leaks, broken) == (set(), {("prometheus", "web")})

    leaks, broken = proven(tmp_path, {"matchLabels": {"tier": "gold"}}, {"prometheus": DECLARED})
    assert leaks
    assert broken == {("prometheus", "web")}


def test_a_label_with_another_value_is_not_the_one_that_is_asked_for(tmp_path: Path) -> None:
    other = {**PROMETHEUS, "namespaceLabels": {"purpose": "shop"}}
    assert ("prometheus", "web") in proven(tmp_path, BY_LABEL, {"prometheus": other})[1]


def test_two_namespaces_may_have_the_same_labels(tmp_path: Path) -> None:
    second = {"namespace": "watch-too", "labels": {"app": "prometheus"}, "namespaceLabels": {"purpose": "monitoring"}}
    leaks, broken = proven(tmp_path, BY_LABEL, {"prometheus": DECLARED, "second": second})
    assert (leaks, broken) == ({("second", "web")}, set())


def test_labels_are_those_of_their_own_namespace_alone(tmp_path: Path) -> None:
    second = {"namespace": "watch-too", "labels": {"app": "prometheus"}}
    others = {"matchExpressions": [{"key": "purpose", "operator": "NotIn", "values": ["monitoring"]}]}

    connectivity = proof_of(tmp_path, others, {"prometheus": DECLARED, "second": second}).connectivity

    ends = {each.name: each for each in connectivity.endpoints}
    assert connectivity.allowed_bounds(ends["prometheus"], ends["web"])[1] == NO_PORTS
    assert connectivity.allowed_bounds(ends["second"], ends["web"])[1] == (PortRange("TCP", 80, 80),)


def test_a_namespace_in_git_may_have_them_as_long_as_no_manifest_says_what_it_has(tmp_path: Path) -> None:
    other = workload("Pod", "other", "other", {"app": "prometheus"}, {"containers": []})
    leaks, _ = proven(tmp_path, BY_LABEL, {"prometheus": DECLARED}, other)
    assert ("other", "web") in leaks

    said = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "other", "labels": {"purpose": "shop"}}}
    assert proven(tmp_path, BY_LABEL, {"prometheus": DECLARED}, other, said) == (set(), set())


def test_a_manifest_in_git_is_believed_rather_than_topology_yaml(tmp_path: Path) -> None:
    other = workload("Pod", "other", "other", {"app": "x"}, {"containers": []})
    said = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "watch", "labels": {"purpose": "shop"}}}
    assert proven(tmp_path, BY_LABEL, {"prometheus": DECLARED}, other, said)[1] == {("prometheus", "web")}


def test_a_draft_states_the_labels_that_a_policy_asks_for(tmp_path: Path, run: Run) -> None:
    peer = "{namespaceSelector: {matchLabels: {name: watch}}, podSelector: {matchLabels: {app: prometheus}}}"
    ingress = f"podSelector: {{matchLabels: {{app: db}}}}\ningress: [{{from: [{peer}], ports: [{{port: 80}}]}}]\n"
    folder = write(tmp_path, deployment("db"), DENY, policy("db", ingress))

    _, text, _ = run("topology", "init", folder, "--stdout")

    drafted = yaml.safe_load(text)
    assert drafted["outside"] == {"prometheus": {**PROMETHEUS, "namespaceLabels": {"name": "watch"}}}
    assert drafted["flows"] == ["prometheus -> db : TCP 80"]


def test_the_fixes_name_the_label_that_is_not_stated(tmp_path: Path, run: Run) -> None:
    peer = "{namespaceSelector: {matchLabels: {purpose: monitoring}}, podSelector: {matchLabels: {app: prometheus}}}"
    ingress = f"podSelector: {{matchLabels: {{app: db}}}}\ningress: [{{from: [{peer}], ports: [{{port: 80}}]}}]\n"
    folder = write(tmp_path, deployment("db"), DENY, policy("db", ingress))

    def fixes(prometheus: dict[str, Any]) -> list[str]:
        contract = {"outside": {"prometheus": prometheus}, "flows": ["prometheus -> db : TCP 80"]}
        (folder / "topology.yaml").write_text(yaml.safe_dump(contract))
        _, text, _ = run("check", folder, "--format", "json")
        findings = json.loads(text)["findings"]
        return [item["fix"] for item in findings if item["rule"].startswith("topology-")]

    by_name = "select the namespace by its name too: kubernetes.io/metadata.name in a namespaceSelector"
    assert fixes(PROMETHEUS) == [
        "state under outside which labels namespace watch has (namespaceLabels of prometheus), or select it by its "
        "name: kubernetes.io/metadata.name",
        f"{by_name}; or state under outside whose namespace has these labels, as namespaceLabels",
    ]
    assert fixes({"namespace": "watch", "namespaceLabels": {"purpose": "monitoring"}}) == [
        "state the labels of prometheus under outside"
    ]
    assert fixes(DECLARED) == []
