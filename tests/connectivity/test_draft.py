"""``policy topology init``: what it drafts is what the manifests say, is read back, and proves itself where it can."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from policy.connectivity.topology_file import load_topology
from tests.manifests.rendered import ENVIRONMENTS, REPOSITORY, overlay

from .clusters import DENY, Run, deployment, policy, write
from .test_show import SHOP
from .test_synthesis import proof

SERVICE = """\
apiVersion: v1
kind: Service
metadata: {name: db, namespace: shop}
spec: {selector: {app: db}, ports: [{name: sql, port: 5432, targetPort: 6432}, {name: metrics, port: 9187}]}
"""


def flows(text: str) -> list[str]:
    found: list[str] = yaml.safe_load(text)["flows"]
    return found


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_a_draft_from_policies_proves_itself(
    environment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    monkeypatch.chdir(REPOSITORY)
    code, text, _ = run("topology", "init", environment, "--stdout")
    (tmp_path / "topology.yaml").write_text(text, encoding="utf-8")

    found = proof([yaml.safe_dump_all(overlay(environment))], tmp_path / "topology.yaml")

    assert code == 0
    assert len(found.topology.flows) == 12
    assert (found.leaks, found.broken) == ((), ())


def test_a_draft_from_hosts_finds_our_architecture(tmp_path: Path, run: Run) -> None:
    others = [yaml.safe_dump(item) for item in overlay("prod") if item["kind"] != "NetworkPolicy"]
    folder = write(tmp_path, *others)
    ours = load_topology(REPOSITORY / "topology.yaml")
    stated = {
        (str(source), str(destination))
        for flow in ours.flows
        for source in flow.sources
        for destination in flow.destinations
    }

    code, said, _ = run("topology", "init", folder)

    drafted = load_topology(folder / "topology.yaml")
    found = {
        (str(source), str(destination))
        for flow in drafted.flows
        for source in flow.sources
        for destination in flow.destinations
    }
    assert code == 0
    assert "topology.yaml is written: 12 flows from hosts in the configuration of " in said
    # What a program asks of the API server no configuration says.
    assert stated - found == {("credentials", "api-server")}
    assert found - stated == {("credentials", "dns")}


def test_a_host_is_a_flow_to_the_port_of_the_pods(tmp_path: Path, run: Run) -> None:
    env = "env: [{name: DATABASE_URL, value: 'postgres://db:5432/shop'}, {name: PAY_URL, value: 'https://pay.example.com'}]\n"
    folder = write(tmp_path, deployment("web", env=env), deployment("db"), SERVICE)

    _, text, _ = run("topology", "init", folder, "--stdout")

    assert flows(text) == ["web -> db : TCP 6432", "web -> dns : UDP 53, TCP 53"]
    assert "# - web names pay.example.com, which is in none of these manifests\n" in text


def test_what_is_open_and_cannot_be_stated_is_asked(tmp_path: Path, run: Run) -> None:
    everywhere = (
        "podSelector: {matchLabels: {app: db}}\ningress: [{from: [{namespaceSelector: {}}], ports: [{port: 80}]}]\n"
    )
    by_team = (
        "podSelector: {matchLabels: {app: db}}\n"
        "ingress: [{from: [{namespaceSelector: {matchLabels: {team: a}}}], ports: [{port: 81}]}]\n"
    )
    folder = write(tmp_path, *SHOP[:4], policy("all", everywhere), policy("team", by_team))

    _, text, _ = run("topology", "init", folder, "--stdout")

    assert flows(text) == []
    assert "# - open today, and not stated here: pods of other namespaces -> db : TCP 80\n" in text
    how = "state under outside what is there, and those labels of its namespace as namespaceLabels"
    assert f"# - a policy admits namespaces by team=a: {how}\n" in text


def test_outside_is_named_after_its_labels_and_ranges(tmp_path: Path, run: Run) -> None:
    namespace = "namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: watch}}"
    peers = (
        f"{{{namespace}, podSelector: {{matchLabels: {{app: prometheus}}}}}}, {{{namespace}}}, "
        "{ipBlock: {cidr: 198.51.100.0/24}}, {ipBlock: {cidr: 203.0.113.9/32}}, {ipBlock: {cidr: '2001:db8::/32'}}"
    )
    ingress = f"podSelector: {{matchLabels: {{app: db}}}}\ningress: [{{from: [{peers}], ports: [{{port: 80}}]}}]\n"
    folder = write(tmp_path, deployment("db"), DENY, policy("db", ingress))

    _, text, _ = run("topology", "init", folder, "--stdout")

    assert yaml.safe_load(text)["outside"] == {
        "198.51.100.0-24": {"cidrs": ["198.51.100.0/24"]},
        "2001-db8-32": {"cidrs": ["2001:db8::/32"]},
        "203.0.113.9": {"cidrs": ["203.0.113.9/32"]},
        "prometheus": {"namespace": "watch", "labels": {"app": "prometheus"}},
        "watch": {"namespace": "watch"},
    }


def test_who_is_in_no_flow_is_written_as_silent(tmp_path: Path, run: Run) -> None:
    folder = write(tmp_path, DENY, deployment("mailer"), deployment("night-report"))

    code, _, errors = run("topology", "init", folder)

    assert (code, errors) == (0, "")
    drafted = load_topology(folder / "topology.yaml")
    assert [str(end) for end in drafted.silent] == ["mailer", "night-report"]
    assert drafted.flows == ()


@pytest.mark.parametrize("is_repository", [True, False])
def test_without_a_policy_toml_it_is_written_into_the_repository_and_holds_for_what_is_below(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch, *, is_repository: bool
) -> None:
    folder = write(tmp_path / "apps" / "shop", DENY, deployment("mailer"))
    if is_repository:
        (tmp_path / ".git").mkdir()
    else:
        monkeypatch.chdir(tmp_path)

    code, _, errors = run("topology", "init", folder)

    assert (code, errors) == (0, "")
    file = tmp_path / "topology.yaml"
    assert file.is_file()
    assert not (folder / "topology.yaml").exists()
    file.write_text(file.read_text(encoding="utf-8").replace("- mailer", "- other"), encoding="utf-8")
    _, text, _ = run("check", folder)
    assert "topology-complete" in text
    assert run("topology", "init", folder)[0] == 2


def test_a_topology_yaml_above_the_repository_is_not_of_it(tmp_path: Path, run: Run) -> None:
    folder = write(tmp_path / "repository", DENY, deployment("mailer"))
    (folder / ".git").mkdir()
    (tmp_path / "topology.yaml").write_text("nonsense", encoding="utf-8")

    assert run("topology", folder) == (0, "", "")


def test_a_file_that_is_there_is_left_alone(tmp_path: Path, run: Run) -> None:
    folder = write(tmp_path, *SHOP)

    assert run("topology", "init", folder)[0] == 0
    before = (folder / "topology.yaml").read_bytes()
    code, _, error = run("topology", "init", folder)

    assert code == 2
    assert error.endswith("topology.yaml: exists already, and is left as it is; --stdout prints a draft\n")
    assert (folder / "topology.yaml").read_bytes() == before


def test_manifests_without_workloads_are_one_sentence(tmp_path: Path, run: Run) -> None:
    code, out, error = run("topology", "init", write(tmp_path, DENY))

    assert (code, out) == (2, "")
    assert error.endswith("holds no workload\n")


HTTPS = """\
podSelector: {matchLabels: {app: web}}
policyTypes: [Egress]
egress:
  - to: [{ipBlock: {cidr: 203.0.113.0/24}}]
    ports: [{port: 443}]
"""
TO_MAILER = """\
podSelector: {matchLabels: {app: mailer}}
ingress: [{from: [{namespaceSelector: {}, podSelector: {matchLabels: {app: report}}}], ports: [{port: 80}]}]
"""


@pytest.fixture
def environments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with the environments dev and prod; dev has a workload and a flow more."""
    write(tmp_path / "dev", *SHOP, deployment("mailer"), policy("https", HTTPS), policy("mail", TO_MAILER))
    write(tmp_path / "prod", *SHOP)
    (tmp_path / "policy.toml").write_text('[environments]\ndev = "dev"\nprod = "prod"\n', encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_without_a_path_all_environments_are_drafted_together(environments: Path, run: Run) -> None:
    code, said, _ = run("topology", "init")

    text = (environments / "topology.yaml").read_text(encoding="utf-8")
    assert code == 0
    assert said.startswith("topology.yaml is written: 2 flows from NetworkPolicies of dev and prod\n")
    assert flows(text) == ["web -> 203.0.113.0-24 : TCP 443", "web -> db : TCP 5432"]
    assert yaml.safe_load(text)["silent"] == ["mailer"]


@pytest.mark.usefixtures("environments")
def test_what_not_every_environment_holds_is_asked(run: Run) -> None:
    _, text, _ = run("topology", "init", "--stdout")

    assert "# - possible only in dev, and stated for all: web -> 203.0.113.0-24 : TCP 443\n" in text
    opened = "pods of other namespaces -> mailer : TCP 80 (perhaps)"
    assert f"# - in dev: open today, and not stated here: {opened}\n" in text
    assert "# - mailer is only in dev, and topology.yaml may name only what every environment has\n" in text
    assert run("topology", "init", "prod", "--stdout")[1].count("# - ") == 0


def test_environments_with_and_without_policies_are_named_apart(environments: Path, run: Run) -> None:
    env = "env: [{name: DATABASE_URL, value: 'postgres://db:5432/shop'}]\n"
    write(environments / "dev", deployment("web", env=env), deployment("db"), SERVICE)

    _, text, _ = run("topology", "init", "--stdout")

    assert "# A draft from hosts in the configuration of dev, and NetworkPolicies of prod: " in text


def test_one_flow_is_one_flow(tmp_path: Path, run: Run) -> None:
    said = run("topology", "init", write(tmp_path, *SHOP))[1]

    assert ": 1 flow from NetworkPolicies of " in said


def test_what_is_silent_is_not_said_to_be_closed(tmp_path: Path, run: Run) -> None:
    everywhere = "podSelector: {matchLabels: {app: db}}\ningress: [{from: [{namespaceSelector: {}}]}]\n"

    _, text, _ = run("topology", "init", write(tmp_path, deployment("db"), DENY, policy("all", everywhere)), "--stdout")

    assert "# - open today, and not stated here: pods of other namespaces -> db : all\n" in text
    assert "# No flow above names these: is it so that they talk to nobody, and nobody to them?\nsilent:\n" in text


def test_a_namespace_in_git_is_no_question(tmp_path: Path, run: Run) -> None:
    peer = (
        "{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: shop}}, "
        "podSelector: {matchExpressions: [{key: app, operator: In, values: [web]}]}}"
    )
    ingress = f"podSelector: {{matchLabels: {{app: db}}}}\ningress: [{{from: [{peer}], ports: [{{port: 5432}}]}}]\n"
    folder = write(tmp_path, *SHOP[:4], policy("db", ingress))

    _, text, _ = run("topology", "init", folder, "--stdout")

    assert flows(text) == ["web -> db : TCP 5432"]
    assert "# - " not in text


CRON_JOB = """\
apiVersion: batch/v1
kind: CronJob
metadata: {name: NAME, namespace: shop}
spec:
  schedule: "0 3 * * *"
  jobTemplate:
    spec:
      template:
        metadata: {labels: {app: jobs}}
        spec: {containers: [{name: job, image: "job:1", env: [{name: DATABASE_URL, value: "postgres://HOST:5432/shop"}]}]}
"""
HOST_NETWORK = """\
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent, namespace: shop}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec:
      hostNetwork: true
      containers: [{name: agent, image: "agent:1", env: [{name: DATABASE_URL, value: "postgres://db:5432/shop"}]}]
"""


def cron_job(name: str, host: str) -> str:
    return CRON_JOB.replace("NAME", name).replace("HOST", host)


@pytest.mark.parametrize(
    ("others", "question"),
    [
        ([HOST_NETWORK], "agent is on the host's network, where no NetworkPolicy holds: agent -> db : TCP 6432; "),
        (
            [cron_job("one", "db"), cron_job("two", "localhost")],
            "the labels of the pods of one do not tell them from those of two: one -> db : TCP 6432; ",
        ),
        ([cron_job("one", "db"), cron_job("two", "db")], ""),
    ],
    ids=["host network", "same labels, other flows", "same labels, same flows"],
)
def test_policies_can_be_written_from_a_draft(others: list[str], question: str, tmp_path: Path, run: Run) -> None:
    folder = write(tmp_path, deployment("db"), SERVICE, *others)

    assert run("topology", "init", folder)[0] == 0
    code, _, error = run("topology", "synthesize", folder)

    text = (folder / "topology.yaml").read_text(encoding="utf-8")
    assert (code, error) == (0, "")
    assert (f"# - not stated, as {question}" in text) if question else ("# - " not in text)
