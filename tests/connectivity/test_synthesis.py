"""The policies that are written from a contract prove that contract: nothing leaks, nothing is broken."""

from __future__ import annotations

import os
from itertools import permutations
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from policy.connectivity.contract import Proof
from policy.connectivity.endpoints import Endpoint
from policy.connectivity.matrix import Connectivity
from policy.connectivity.ports import ALL_PORTS, PortRange, port_set
from policy.connectivity.topology_file import load_topology
from policy.manifests.decode import resources_of
from policy.manifests.index import Index
from policy.topology.yaml_text import yaml_text
from tests.manifests.rendered import ENVIRONMENTS, REPOSITORY, overlay

from .clusters import Run, deployment, write

EXAMPLES = int(os.environ.get("HYPOTHESIS_EXAMPLES", "60"))
DERANDOMIZE = "HYPOTHESIS_EXAMPLES" not in os.environ
OUTSIDE = """\
outside:
  internet: {cidrs: [0.0.0.0/0, "::/0"]}
  office: {cidrs: [203.0.113.0/24]}
  dns: {namespace: kube-system, labels: {k8s-app: kube-dns}}
  monitoring: {namespace: monitoring}
cluster: {pods: [10.244.0.0/16, "fd00:10::/56"]}
"""
CLUSTER = [
    deployment("web", ports=[("http", 8080)]),
    deployment("api", ports=[("http", 8081)]),
    deployment("db"),
    deployment("db", namespace="other", ports=[("http", 80)]),
    deployment("job", namespace="other"),
]


def proof(texts: list[str], topology: Path) -> Proof:
    documents = [document for text in texts for document in yaml.safe_load_all(text)]
    index = Index([item for number, document in enumerate(documents) for item in resources_of(document, number)])
    contract = load_topology(topology)
    return Proof(Connectivity(index, contract.outside.values(), contract.cluster), contract)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_ours_allow_what_the_committed_ones_allow(
    environment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    monkeypatch.chdir(REPOSITORY)
    code, stream, _ = run("topology", "synthesize", environment)
    assert code == 0
    others = [document for document in overlay(environment) if document["kind"] != "NetworkPolicy"]
    namespace = next(document["metadata"]["name"] for document in others if document["kind"] == "Namespace")
    written = [
        document for document in yaml.safe_load_all(stream) if document["metadata"].update(namespace=namespace) is None
    ]
    folder = write(tmp_path, *(yaml.safe_dump(document) for document in [*others, *written]))
    (folder / "topology.yaml").write_bytes((REPOSITORY / "topology.yaml").read_bytes())

    assert len(written) == len(list(REPOSITORY.glob("base/*/network-policy.yaml")))
    assert run("topology", "diff", environment, folder) == (0, "", "")


def test_all_environments_need_the_same(monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    monkeypatch.chdir(REPOSITORY)

    assert run("topology", "synthesize") == run("topology", "synthesize", "prod")


WORKLOADS = ("web", "api", "shop/db", "other/db", "job", "*")
PORTS = {
    "TCP 80": (PortRange("TCP", 80, 80),),
    "UDP 53": (PortRange("UDP", 53, 53),),
    "TCP 8000-8100": (PortRange("TCP", 8000, 8100),),
    "SCTP": (PortRange("SCTP", 1, 65535),),
    "all": ALL_PORTS,
}
flows = st.lists(
    st.tuples(
        st.sampled_from((*WORKLOADS, "monitoring", "internet", "office", "dns")),
        st.sampled_from((*WORKLOADS, "monitoring", "internet", "office", "dns")),
        st.sampled_from(tuple(PORTS)),
    ).filter(lambda flow: flow[0] in WORKLOADS or flow[1] in WORKLOADS),
    max_size=6,
    unique=True,
)


@settings(max_examples=EXAMPLES, derandomize=DERANDOMIZE)
@given(flows)
def test_whatever_is_stated_is_proven_of_what_is_written(
    tmp_path_factory: pytest.TempPathFactory, stated: list[tuple[str, str, str]]
) -> None:
    from policy.topology.reading import read
    from policy.topology.synthesis import synthesize

    lines = "".join(f'  - "{source} -> {destination} : {port}"\n' for source, destination, port in stated)
    folder = write(
        tmp_path_factory.mktemp("cluster"),
        *CLUSTER,
        topology=OUTSIDE + ("flows:\n" + lines if lines else "flows: []\n"),
    )

    found = proof([*CLUSTER, synthesize(read([str(folder)]), None)], folder / "topology.yaml")

    assert found.leaks == ()
    assert found.broken == ()
    pods = [item for item in found.connectivity.endpoints if item.is_in_git]
    for source, destination in permutations(pods, 2):
        wanted = port_set(
            one
            for begin, end, port in stated
            if begin in _meant(source) and end in _meant(destination)
            for one in PORTS[port]
        )
        assert found.connectivity.allowed_bounds(source, destination) == (wanted, wanted), (source, destination)


def _meant(endpoint: Endpoint) -> tuple[str, ...]:
    """How the flows above name a workload."""
    return ("*", endpoint.name, f"{endpoint.namespace}/{endpoint.name}")


def test_what_every_pod_may_do_is_one_policy(tmp_path: Path, run: Run) -> None:
    folder = write(tmp_path, *CLUSTER[:3], topology=OUTSIDE + 'flows: ["* -> dns : UDP 53", "web -> db : TCP 5432"]\n')

    policies = {
        item["metadata"]["name"]: item["spec"] for item in yaml.safe_load_all(run("topology", "synthesize", folder)[1])
    }

    assert sorted(policies) == ["api", "db", "default-deny", "every-pod", "web"]
    assert policies["every-pod"]["podSelector"] == {}
    assert policies["every-pod"]["egress"][0]["ports"] == [{"protocol": "UDP", "port": 53}]
    assert policies["api"]["egress"] == []
    assert policies["web"]["egress"] == [
        {"to": [{"podSelector": {"matchLabels": {"app": "db"}}}], "ports": [{"protocol": "TCP", "port": 5432}]}
    ]


def test_the_network_of_the_pods_is_excepted(tmp_path: Path, run: Run) -> None:
    folder = write(tmp_path, deployment("web"), topology=OUTSIDE + 'flows: ["web -> internet : TCP 443"]\n')

    policies = {
        item["metadata"]["name"]: item["spec"] for item in yaml.safe_load_all(run("topology", "synthesize", folder)[1])
    }

    assert policies["web"]["egress"][0]["to"] == [
        {"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.244.0.0/16"]}},
        {"ipBlock": {"cidr": "::/0", "except": ["fd00:10::/56"]}},
    ]


def test_files_are_written_once_and_never_over_others(tmp_path: Path, run: Run) -> None:
    folder = write(tmp_path, *CLUSTER[:3], topology=OUTSIDE + 'flows: ["web -> db : TCP 5432"]\n')
    base = tmp_path / "base"

    first = run("topology", "synthesize", folder, "--output", base)
    again = run("topology", "synthesize", folder, "--output", base)
    (base / "web" / "network-policy.yaml").write_text("mine\n", encoding="utf-8")
    refused = run("topology", "synthesize", folder, "--output", base)
    replaced = run("topology", "synthesize", folder, "--output", base, "--overwrite")

    files = sorted(str(file.relative_to(base)) for file in base.rglob("*.yaml"))
    assert files == [f"{name}/network-policy.yaml" for name in ("api", "db", "platform", "web")]
    assert first[0] == 0
    assert first[1].count("is written") == 4
    assert again == (0, "4 of 4 files were so already\n", "")
    assert refused[0] == 2
    assert "network-policy.yaml: exists already and holds something else; --overwrite replaces it" in refused[2]
    assert replaced[1].count("is written") == 1
    assert run("topology", base)[0] == 0


@pytest.mark.parametrize(
    ("topology", "documents", "said"),
    [
        ("", CLUSTER[:1], "there is no topology.yaml to work from: `policy topology init` drafts one"),
        ('flows: ["web -> redis : 80"]\n', CLUSTER[:1], "topology.yaml:1: redis is neither a workload nor outside"),
        ('flows: ["api -> web : grpc"]\n', CLUSTER[:2], "topology.yaml:1: web has no port grpc"),
        (
            'flows: ["a -> web : 80"]\n',
            [deployment("web"), deployment("a").replace("app: a", "app: web")],
            "all.yaml:15: the labels of the pods of Deployment/a do not tell them from those of Deployment/web, and "
            "web has flows with some of them only; give its pod template a label of its own",
        ),
        (
            'flows: ["a -> db : 80"]\n',
            [deployment("web"), deployment("a").replace("app: a", "app: web"), deployment("db")],
            "all.yaml:3: the labels of the pods of Deployment/web do not tell them from those of Deployment/a, and "
            "their flows differ; give its pod template a label of its own",
        ),
        (
            'flows: ["agent -> web : 80"]\n',
            [
                deployment("web"),
                deployment("agent").replace("      containers:", "      hostNetwork: true\n      containers:"),
            ],
            "all.yaml:21: Deployment/agent is on the host's network, so no policy can name it: take it out of the "
            "flows and name it under silent, or state the addresses of its nodes under outside, and flows with those",
        ),
    ],
)
def test_what_cannot_be_written_is_one_sentence(
    topology: str, documents: list[str], said: str, tmp_path: Path, run: Run
) -> None:
    code, out, error = run("topology", "synthesize", write(tmp_path, *documents, topology=topology))

    assert (code, out) == (2, "")
    assert said in error
    assert len(error.splitlines()) == 1


values = st.recursive(
    st.text(max_size=8)
    | st.integers(-9, 9)
    | st.booleans()
    | st.sampled_from(["yes", "1", "1e3", "a: b", "- a", "#", "~", "null"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=12,
)


@settings(max_examples=EXAMPLES, derandomize=DERANDOMIZE)
@given(st.dictionaries(st.text(max_size=4), values, max_size=3))
def test_yaml_is_read_back_as_it_was(value: dict[str, object]) -> None:
    from policy.manifests.load import load_documents

    assert [read for _, read in load_documents(yaml_text(value) if value else "{}", "text")] == [value]


def test_plain_manifests_are_given_the_namespace_that_no_kustomization_states(tmp_path: Path, run: Run) -> None:
    folder = write(tmp_path, deployment("web"), topology="flows: []\nsilent: [web]\n")
    _, text, _ = run("topology", "synthesize", folder)
    assert {item["metadata"]["namespace"] for item in yaml.safe_load_all(text)} == {"shop"}


def test_addresses_that_pods_may_have_are_not_opened_by_guess(tmp_path: Path, run: Run) -> None:
    contract = 'outside:\n  internet: {cidrs: [0.0.0.0/0]}\nflows: ["web -> internet : TCP 443"]\n'
    folder = write(tmp_path, deployment("web"), topology=contract)

    code, text, said = run("topology", "synthesize", folder)

    assert (code, text) == (2, "")
    assert "topology.yaml:2: internet holds 10.0.0.0/8, where pods may be: state under cluster" in said
    cluster = "cluster: {pods: [10.0.0.0/16], services: [10.1.0.0/16], nodes: [192.0.2.0/24]}\n"
    (folder / "topology.yaml").write_text(cluster + contract)
    code, text, _ = run("topology", "synthesize", folder)
    [rule] = [item["spec"]["egress"] for item in yaml.safe_load_all(text) if item["metadata"]["name"] == "web"]
    assert (code, rule[0]["to"]) == (0, [{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/16"]}}])


def test_workloads_with_the_same_labels_and_flows_share_a_policy(tmp_path: Path, run: Run) -> None:
    contract = 'flows: ["one, two -> db : TCP 5432"]\nsilent: [web]\n'
    twins = [deployment("one"), deployment("two").replace("app: two", "app: one")]
    folder = write(tmp_path, *twins, deployment("db"), deployment("web"), topology=contract)

    code, text, _ = run("topology", "synthesize", folder)

    (folder / "policies.yaml").write_text(text, encoding="utf-8")
    documents = [(folder / name).read_text(encoding="utf-8") for name in ("all.yaml", "policies.yaml")]
    found = proof(documents, folder / "topology.yaml")
    assert code == 0
    assert [item["metadata"]["name"] for item in yaml.safe_load_all(text)] == ["db", "one", "default-deny", "web"]
    assert (found.leaks, found.broken) == ((), ())
