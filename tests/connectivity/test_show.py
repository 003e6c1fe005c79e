"""``policy topology`` shows what the policies let through, in every format, and says in one line why it cannot."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from policy.connectivity.topology_file import load_topology

from .clusters import DENY, Run, deployment, policy, write

REPOSITORY = Path(__file__).parents[2]
WEB_TO_DB = """\
podSelector: {matchLabels: {app: web}}
policyTypes: [Egress]
egress:
  - to: [{podSelector: {matchLabels: {app: db}}}]
    ports: [{port: 5432}]
"""
DB_FROM_WEB = """\
podSelector: {matchLabels: {app: db}}
ingress:
  - from: [{podSelector: {matchLabels: {app: web}}}]
"""
SHOP = [deployment("web"), deployment("db"), DENY, policy("web", WEB_TO_DB), policy("db", DB_FROM_WEB)]


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return write(tmp_path, *SHOP)


def test_our_own_overlays_allow_exactly_what_the_contract_states(monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    monkeypatch.chdir(REPOSITORY)
    numbers = {"http": "TCP 8080"}
    stated = {
        f"{source} -> {destination} : {', '.join(sorted(numbers.get(str(port), str(port)) for port in flow.ports))}"
        for flow in load_topology(REPOSITORY / "topology.yaml").flows
        for source in flow.sources
        for destination in flow.destinations
    }

    code, out, error = run("topology")

    assert (code, error) == (0, "")
    heading, *lines = out.splitlines()
    assert heading == "# dev, staging, prod"
    assert lines == sorted(lines)
    assert set(lines) == stated


def test_text_is_a_sentence_a_line(shop: Path, run: Run) -> None:
    assert run("topology", shop) == (0, "web -> db : TCP 5432\n", "")


def test_json(shop: Path, run: Run) -> None:
    _, out, _ = run("topology", shop, "--format", "json")

    (overlay,) = json.loads(out)["overlays"]
    assert overlay["nodes"] == [{"name": "db", "kind": "workload"}, {"name": "web", "kind": "workload"}]
    assert overlay["connections"] == [{"source": "web", "destination": "db", "ports": ["TCP 5432"], "certain": True}]


def test_mermaid(shop: Path, run: Run) -> None:
    assert run("topology", shop, "--format", "mermaid")[1] == "flowchart LR\n  web -- TCP 5432 --> db\n"


def test_dot(shop: Path, run: Run) -> None:
    assert run("topology", shop, "--format", "dot")[1] == (
        "digraph topology {\n"
        "  rankdir=LR;\n"
        "  node [shape=box];\n"
        '  "db";\n'
        '  "web";\n'
        '  "web" -> "db" [label="TCP 5432"];\n'
        "}\n"
    )


def test_svg_draws_every_workload_and_every_connection_once(shop: Path, run: Run) -> None:
    drawing = ElementTree.fromstring(run("topology", shop, "--format", "svg")[1])

    texts = [element.text for element in drawing.iter("{http://www.w3.org/2000/svg}text")]
    titles = [element.text for element in drawing.iter("{http://www.w3.org/2000/svg}title")]
    assert sorted(text or "" for text in texts) == ["TCP 5432", "db", "web"]
    assert titles == ["web -> db : TCP 5432"]


def test_what_all_have_in_common_is_said_once(tmp_path: Path, run: Run) -> None:
    folder = write(tmp_path, *(deployment(name) for name in ("a", "b", "c")))

    assert run("topology", folder)[1] == (
        "* -> * : all\n"
        "* -> any address : all\n"
        "* -> other pods of the namespace : all\n"
        "* -> pods of other namespaces : all\n"
        "any address -> * : all\n"
        "other pods of the namespace -> * : all\n"
        "pods of other namespaces -> * : all\n"
    )


def test_a_drawing_of_an_open_cluster_has_a_node_for_every_workload(tmp_path: Path, run: Run) -> None:
    folder = write(tmp_path, *(deployment(name) for name in ("a", "b", "c")))

    mermaid = run("topology", folder, "--format", "mermaid")[1]

    assert "([every workload])" in mermaid
    assert "every workload" in run("topology", folder, "--format", "svg")[1]
    assert 'label="every workload"' in run("topology", folder, "--format", "dot")[1]


def test_a_name_that_stands_twice_is_told_by_its_namespace_or_its_kind(tmp_path: Path, run: Run) -> None:
    twin = deployment("db", namespace="other")
    third = deployment("web").replace("kind: Deployment", "kind: DaemonSet")
    folder = write(tmp_path, *SHOP, twin, third)

    nodes = json.loads(run("topology", folder, "--format", "json")[1])["overlays"][0]["nodes"]

    names = [node["name"] for node in nodes if node["kind"] == "workload"]
    assert names == ["DaemonSet/web", "Deployment/web", "other/db", "shop/db"]


def test_what_is_not_certain_is_told_apart(tmp_path: Path, run: Run) -> None:
    hashed = "{podSelector: {matchLabels: {pod-template-hash: x}}}"
    by_controller = f"podSelector: {{matchLabels: {{app: db}}}}\ningress: [{{from: [{hashed}]}}]\n"
    egress = "podSelector: {}\npolicyTypes: [Egress]\negress: [{to: [{podSelector: {}}]}]\n"
    folder = write(
        tmp_path, deployment("web"), deployment("db"), DENY, policy("in", by_controller), policy("out", egress)
    )

    assert run("topology", folder)[1] == "web -> db : all (perhaps)\n"


def test_addresses_are_called_as_the_contract_does(tmp_path: Path, run: Run) -> None:
    topology = """\
        outside:
          internet: {cidrs: [0.0.0.0/0, "::/0"]}
          office: {cidrs: [203.0.113.0/24]}
        flows: []
        """
    blocks = {
        "a": ["{cidr: 203.0.113.0/24}"],
        "b": ["{cidr: 0.0.0.0/0}", '{cidr: "::/0"}'],
        "c": ["{cidr: 0.0.0.0/0, except: [203.0.113.0/24]}", '{cidr: "::/0"}'],
        "d": ["{cidr: 198.51.100.0/24}"],
    }
    policies = [
        policy(
            name,
            f"podSelector: {{matchLabels: {{app: {name}}}}}\npolicyTypes: [Ingress, Egress]\n"
            f"egress: [{{to: [{', '.join(f'{{ipBlock: {block}}}' for block in found)}], ports: [{{port: 443}}]}}]\n",
        )
        for name, found in blocks.items()
    ]
    folder = write(tmp_path, DENY, *(deployment(name) for name in blocks), *policies, topology=topology)

    certain = [line for line in run("topology", folder)[1].splitlines() if "perhaps" not in line]

    assert certain == [
        "a -> office : TCP 443",
        "b -> internet : TCP 443",
        "c -> internet without office : TCP 443",
        "d -> 198.51.100.0/24 : TCP 443",
    ]


def test_a_drawing_of_overlays_that_differ_is_refused_in_one_line(tmp_path: Path, run: Run) -> None:
    (tmp_path / "policy.toml").write_text(
        '[environments]\none = "one/manifests"\ntwo = "two/manifests"\n', encoding="utf-8"
    )
    write(tmp_path / "one", *SHOP)
    write(tmp_path / "two", *SHOP[:-1])
    config = ("--config", tmp_path / "policy.toml")

    code, out, error = run("topology", "--format", "svg", *config)

    assert (code, out) == (2, "")
    assert error == "policy: a drawing is of one overlay, and these differ: one and two; name one\n"
    assert run("topology", *config)[1] == "# one\nweb -> db : TCP 5432\n\n# two\n"


@pytest.mark.parametrize(
    ("topology", "said"),
    [
        ("flows: [a]\n", "topology.yaml:1: a flow is written"),
        ("flow: []\n", "topology.yaml:1: unknown key flow"),
    ],
)
def test_a_contract_that_cannot_be_read_is_one_sentence(topology: str, said: str, tmp_path: Path, run: Run) -> None:
    code, _, error = run("topology", write(tmp_path, *SHOP, topology=topology))

    assert code == 2
    assert said in error
    assert len(error.splitlines()) == 1


def test_a_folder_named_like_a_command_is_reached_with_a_dot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    write(tmp_path, *SHOP).rename(tmp_path / "diff")
    monkeypatch.chdir(tmp_path)

    assert run("topology", "./diff")[1] == "web -> db : TCP 5432\n"


CILIUM = """\
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: more, namespace: shop}
spec: {endpointSelector: {}}
"""


CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings, namespace: shop}\n"
BROKEN = policy("broken", "podSelector: {}\ningress: [{from: [{}]}]\n")
NOT_UNDERSTOOD = "CiliumNetworkPolicy/more is not understood, and not taken into account"


@pytest.mark.parametrize("command", [["topology"], ["topology", "diff"]])
def test_what_is_not_in_the_answer_is_said_beside_it(command: list[str], tmp_path: Path, run: Run) -> None:
    folder = write(tmp_path, *SHOP, CILIUM, BROKEN)

    code, out, error = run(*command, folder, *([folder] if command[-1] == "diff" else []))

    assert code == 0
    assert (out == "") == (command[-1] == "diff")
    lines = error.splitlines()
    assert len(lines) == 2
    assert NOT_UNDERSTOOD in lines[0]
    assert lines[1].endswith("; it is taken to admit nobody")


def test_json_holds_what_is_not_in_the_answer(tmp_path: Path, run: Run) -> None:
    folder = write(tmp_path, *SHOP, CILIUM, BROKEN)

    (overlay,) = json.loads(run("topology", folder, "--format", "json")[1])["overlays"]

    foreign, broken = overlay["leftOut"]
    line = (folder / "all.yaml").read_text().splitlines().index("metadata: {name: more, namespace: shop}") + 1
    assert foreign.pop("file").endswith("manifests/all.yaml")
    assert foreign == {
        "policy": "CiliumNetworkPolicy/more",
        "namespaces": ["shop"],
        "line": line,
        "why": NOT_UNDERSTOOD,
    }
    assert broken["policy"] == "NetworkPolicy/broken"
    assert broken["why"].endswith("; it is taken to admit nobody")


def test_json_of_overlays_that_leave_out_different_policies_is_of_each(tmp_path: Path, run: Run) -> None:
    one, other = write(tmp_path / "one", *SHOP), write(tmp_path / "other", *SHOP, CILIUM)

    overlays = json.loads(run("topology", one, other, "--format", "json")[1])["overlays"]

    assert [len(overlay["leftOut"]) for overlay in overlays] == [0, 1]
    assert len({json.dumps(overlay["connections"]) for overlay in overlays}) == 1


def test_what_is_there_twice_is_said(tmp_path: Path, run: Run) -> None:
    folder = write(tmp_path, *SHOP, deployment("db", ports=[("other", 81)]), CONFIG, CONFIG)

    shown, asked = run("topology", folder), run("explain", folder, "web", "db")

    (line,) = shown[2].splitlines()
    lines = (folder / "all.yaml").read_text().splitlines()
    head = ["kind: Deployment", "metadata: {name: db, namespace: shop}"]
    first, again = [number for number in range(2, len(lines)) if lines[number - 2 : number] == head]
    file = f"{folder}/all.yaml".lstrip("/")
    expected = f"{file}:{again}: Deployment/db is there twice, first in {file}:{first}: both are taken into account"
    assert line == f"policy: {expected}"
    assert asked == (
        2,
        "",
        "policy: shop/Deployment/db is there 2 times: policy check says where, as object-unique\n",
    )
