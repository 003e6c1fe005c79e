"""Pods of one workload: a flow from it to itself alone must work, and what they may do else is no leak."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from .clusters import DENY, Run, deployment, policy, write

PEERS = "[{podSelector: {matchLabels: {app: db}}}]"
RULE_IN, RULE_OUT = f"{{from: {PEERS}, ports: [{{port: 80}}]}}", f"{{to: {PEERS}, ports: [{{port: 80}}]}}"
IN, OUT = f"ingress: [{RULE_IN}]", f"egress: [{RULE_OUT}]"


def repository(folder: Path, *rules: str) -> Path:
    lines = ["podSelector: {matchLabels: {app: db}}", "policyTypes: [Ingress, Egress]", *rules]
    return write(folder, deployment("db"), DENY, policy("db", "\n".join(lines) + "\n"))


def told(folder: Path, run: Run, *flows: str, silent: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    """The rules and messages of what is found of isolation."""
    (folder / "topology.yaml").write_text(yaml.safe_dump({"flows": flows, "silent": silent}))
    _, text, _ = run("check", folder, "--format", "json")
    found = [(item["rule"], item["message"]) for item in json.loads(text)["findings"]]
    return [item for item in found if item[0].startswith(("topology-", "policy-rule-"))]


def test_both_sides_must_let_it_through(tmp_path: Path, run: Run) -> None:
    assert told(repository(tmp_path / "both", IN, OUT), run, "db -> db : TCP 80") == []
    assert told(repository(tmp_path / "both", IN, OUT), run, "shop/db -> Deployment/db : TCP 80") == []
    assert len(told(repository(tmp_path / "none"), run, "shop/db -> Deployment/db : TCP 80")) == 1
    [(rule, message)] = told(repository(tmp_path / "in", IN), run, "db -> db : TCP 80")
    assert rule == "topology-broken"
    assert message == (
        "pods of db cannot reach each other on TCP 80, which topology.yaml states: no egress rule of db allows it"
    )
    [(rule, message)] = told(repository(tmp_path / "ports", IN, OUT), run, "db -> db : TCP 80-81")
    assert rule == "topology-broken"
    assert "on TCP 81, which" in message
    assert "no egress rule of db allows it and no ingress rule of db allows it" in message


def test_each_of_several_flows_is_judged(tmp_path: Path, run: Run) -> None:
    more = "egress: [" + RULE_OUT.replace("80", "81") + "]", "ingress: [" + RULE_IN.replace("80", "81") + "]"
    for number, rules in enumerate([(IN, OUT), more]):
        folder = repository(tmp_path / str(number), *rules)
        [(_, message)] = told(folder, run, "db -> db : TCP 80", "db -> db : TCP 81")
        assert f"each other on TCP {81 - number}," in message
    both = (
        f"ingress: [{RULE_IN}, {RULE_IN.replace('80', '81')}]",
        f"egress: [{RULE_OUT}, {RULE_OUT.replace('80', '81')}]",
    )
    assert told(repository(tmp_path / "both", *both), run, "db -> db : TCP 80", "db -> db : TCP 81") == []


def test_without_a_flow_such_rules_are_for_nothing_and_let_nothing_leak(tmp_path: Path, run: Run) -> None:
    found = told(repository(tmp_path, IN, OUT), run, silent=("db",))
    assert {rule for rule, _ in found} == {"policy-rule-unneeded"}


def test_of_two_rules_that_allow_it_the_later_is_for_nothing(tmp_path: Path, run: Run) -> None:
    twice = f"ingress: [{RULE_IN}, {RULE_IN}]"
    [(rule, _)] = told(repository(tmp_path, twice, OUT), run, "db -> db : TCP 80")
    assert rule == "policy-rule-unneeded"


def test_a_list_with_a_workload_on_both_sides_means_the_others(tmp_path: Path, run: Run) -> None:
    folder = write(tmp_path, deployment("db"), deployment("web"), DENY)
    found = told(folder, run, "db, web -> db, web : TCP 80")
    assert found
    assert not any("each other" in message for _, message in found)


def test_it_is_drafted_and_synthesized(tmp_path: Path, run: Run) -> None:
    folder = repository(tmp_path, IN, OUT)

    _, text, _ = run("topology", "init", folder, "--stdout")

    assert yaml.safe_load(text)["flows"] == ["db -> db : TCP 80"]
    (folder / "topology.yaml").write_text(text)
    _, text, _ = run("topology", "synthesize", folder)
    made = {item["metadata"]["name"]: item["spec"] for item in yaml.safe_load_all(text)}
    assert made["db"]["ingress"][0]["from"] == made["db"]["egress"][0]["to"] == yaml.safe_load(PEERS)


def test_a_draft_keeps_it_apart_from_flows_to_others(tmp_path: Path, run: Run) -> None:
    peers = "[{podSelector: {matchLabels: {app: db}}}, {podSelector: {matchLabels: {app: web}}}]"
    out = f"egress: [{{to: {peers}, ports: [{{port: 80}}]}}]"
    web = "podSelector: {matchLabels: {app: web}}\ningress: [{from: " + PEERS + ", ports: [{port: 80}]}]\n"
    lines = ["podSelector: {matchLabels: {app: db}}", "policyTypes: [Ingress, Egress]", IN, out]
    both = [deployment("db"), deployment("web"), DENY, policy("db", "\n".join(lines) + "\n"), policy("web", web)]
    folder = write(tmp_path, *both)

    _, text, _ = run("topology", "init", folder, "--stdout")

    assert sorted(yaml.safe_load(text)["flows"]) == ["db -> db : TCP 80", "db -> web : TCP 80"]
    assert told(folder, run, *yaml.safe_load(text)["flows"]) == []


def test_a_single_pod_reaches_itself(tmp_path: Path, run: Run) -> None:
    pod = (
        "apiVersion: v1\nkind: Pod\nmetadata: {name: db, namespace: shop, labels: {app: db}}\nspec: {containers: []}\n"
    )
    folder = write(tmp_path, pod, DENY)
    assert told(folder, run, "db -> db : TCP 80") == []
    assert run("explain", folder, "db", "db", "81") == (0, "db is both ends: a pod always reaches itself.\n", "")


def test_explain_tells_what_its_pods_may_do(tmp_path: Path, run: Run) -> None:
    folder = repository(tmp_path, IN, OUT)
    said = "db is both ends: a pod always reaches itself; its pods reach each other on TCP 80.\n"
    assert run("explain", folder, "db", "db") == (0, said, "")
    assert run("explain", folder, "db", "db", "80") == (0, said, "")
    assert run("explain", folder, "db", "db", "81") == (1, said, "")
