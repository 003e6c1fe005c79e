"""The README is true: what it shows is what the commands print today, and every command that it names works."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from policy.connectivity.topology_file import load_topology
from policy.tools import find_tool

REPOSITORY = Path(__file__).parent.parent
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL) for line in block.splitlines()]

BY_CI = {"python3 tools/tox.py run -e check", "python3 tools/tox.py"}
"""The two that do all the set-up; .ci/run calls them, and so this test."""

END_TO_END = "python3 tools/tox.py run -e e2e"
WITH_PODS = "python3 tools/tox.py run -e live-where-possible"

ON_A_CLUSTER = {
    "kubectl apply -k argocd/",
    "kubectl rollout restart -n argocd statefulset/argocd-application-controller deployment/argocd-repo-server",
}

LIVE = {"python3 tools/tox.py run -e up", "python3 tools/tox.py run -e down"}
"""What tests/e2e does, with a cluster of its own."""


def test_what_it_shows_is_fresh() -> None:
    done = subprocess.run(
        [sys.executable, "tools/readme.py", "--check"], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("flow", "said"),
    [
        ("order-service -> redis : TCP 6379", "StatefulSet/redis is in no flow"),
        (
            "order-service -> product-service, user-service : http",
            "order-service -> user-service : TCP 8080 is not stated",
        ),
    ],
)
def test_a_contract_that_is_not_proven_is_not_drawn(flow: str, said: str, tmp_path: Path) -> None:
    for name in ("base", "overlays", "argocd", "docs", "tools", "policy"):
        shutil.copytree(REPOSITORY / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("README.md", "policy.toml", "topology.yaml"):
        shutil.copy(REPOSITORY / name, tmp_path / name)
    (tmp_path / ".tools").symlink_to(REPOSITORY / ".tools")
    contract = tmp_path / "topology.yaml"
    text = contract.read_text(encoding="utf-8")
    assert f'  - "{flow}"\n' in text
    contract.write_text(text.replace(f'  - "{flow}"\n', ""), encoding="utf-8")
    before = (tmp_path / "README.md").read_text(encoding="utf-8")

    done = subprocess.run(
        [sys.executable, "tools/readme.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert done.returncode == 1
    assert "is not proven, so nothing is drawn: " in done.stderr
    assert said in done.stderr
    assert (tmp_path / "README.md").read_text(encoding="utf-8") == before


def test_every_arrow_of_the_picture_is_a_stated_flow_with_the_port_of_its_pods() -> None:
    topology = load_topology(REPOSITORY / "topology.yaml")
    stated = {
        (
            str(source),
            str(destination),
            ", ".join(sorted("TCP 8080" if str(port) == "http" else str(port) for port in flow.ports)),
        )
        for flow in topology.flows
        for source in flow.sources
        for destination in flow.destinations
        if str(destination) != "dns"
    }

    drawn = re.findall(r"^  (\S+) -- (.+) --> (\S+)$", README, re.MULTILINE)

    assert {(source, destination, ports) for source, ports, destination in drawn} == stated


def test_continuous_integration_calls_its_two_commands() -> None:
    calls = (REPOSITORY / ".ci/run").read_text(encoding="utf-8").splitlines()
    commands = [call for call in calls if call.startswith("python3 ")]

    assert set(commands) == {*BY_CI, END_TO_END, WITH_PODS}
    assert commands[-2:] == [END_TO_END, WITH_PODS], "the quick ones first"
    assert set(COMMANDS) >= BY_CI


def test_a_workflow_calls_what_continuous_integration_calls() -> None:
    """In jobs beside each other, so that nobody waits for Kubernetes to be compiled."""
    workflow = (REPOSITORY / ".github" / "workflows" / "pull-request.yml").read_text(encoding="utf-8")

    called = re.findall(r"^      - run: (.*)$", workflow, re.MULTILINE)
    assert sorted(called) == sorted(command.replace("python3", "python") for command in (*BY_CI, END_TO_END))
    assert set(COMMANDS) >= LIVE


def test_kubectl_applies_what_argocd_builds() -> None:
    assert set(COMMANDS) >= ON_A_CLUSTER
    kustomize = find_tool("kustomize", wanted=None, root=REPOSITORY)
    done = subprocess.run([kustomize, "build", "argocd/"], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert "kind: Application" in done.stdout


def install(site: Path, source: Path) -> None:
    """`pip install .` into a folder of the test's own, from a copy, with nothing from the network."""
    shutil.copytree(REPOSITORY / "policy", source / "policy", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(REPOSITORY / name, source / name)
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--target", str(site)]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, "."], cwd=source, check=True)


def find(program: str, site: Path) -> str:
    if program == "policy":
        return str(site / "bin" / "policy")
    return str(find_tool(program, wanted=None, root=REPOSITORY))


@pytest.mark.parametrize("command", [each for each in COMMANDS if each not in BY_CI | ON_A_CLUSTER | LIVE])
def test_a_command_works(command: str, tmp_path: Path) -> None:
    arguments = shlex.split(command.replace("path/to/overlay", "overlays/dev"))
    site = tmp_path / "site"
    if "pip" in arguments or arguments[0] == "policy":
        install(site, tmp_path / "source")
    if "pip" in arguments:
        assert arguments == ["pip", "install", ".[schemas]"]
        return
    done = subprocess.run(
        [find(arguments[0], site), *arguments[1:]],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(site), str(REPOSITORY / ".tools" / "schemas")])},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr


LINKS = [
    (file, link)
    for file in ("README.md", "docs/isolation.md", "docs/topology.md")
    for link in sorted(set(re.findall(r"\]\(([^)#:]+)(?:#L\d+)?\)", (REPOSITORY / file).read_text(encoding="utf-8"))))
]


@pytest.mark.parametrize(("file", "link"), LINKS)
def test_a_link_leads_somewhere(file: str, link: str) -> None:
    assert ((REPOSITORY / file).parent / link).exists()
