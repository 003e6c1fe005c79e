"""docs/adopting.md is true: its commands, in its order, do on a foreign repository what it says."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from policy.tools import find_tool
from tests.adoption import trees

REPOSITORY = Path(__file__).parents[2]
PAGE = (REPOSITORY / "docs/adopting.md").read_text(encoding="utf-8")
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]
SETTINGS = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
WORKFLOWS = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)]

CHART = "helm template charts/web | policy check -"
RENDERED = trees.deployment("rendered")


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `policy`, installed by the page's first command, and with the tools that it asks for."""
    root = tmp_path_factory.mktemp("installed")
    source = root / "source"
    source.mkdir()
    shutil.copytree(REPOSITORY / "policy", source / "policy", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(REPOSITORY / name, source)
    assert COMMANDS[0] == 'pip install ".[schemas]"'
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--target", str(root / "site")]  # nothing is fetched
    subprocess.run([sys.executable, "-m", "pip", "install", *options, "."], cwd=source, check=True)
    tools = root / "bin"
    tools.mkdir()
    (tools / "policy").symlink_to(root / "site/bin/policy")
    for name in ("kustomize", "kubeconform"):
        (tools / name).symlink_to(find_tool(name, wanted=None, root=REPOSITORY))
    return tools


@pytest.fixture
def root(tmp_path: Path) -> Path:
    trees.write(tmp_path, {"base/web.yaml": trees.deployment("web")})
    trees.write(tmp_path, {"base/kustomization.yaml": trees.kustomization("web.yaml")})
    for stage in ("dev", "staging", "prod"):
        trees.write(tmp_path, {f"overlays/{stage}/kustomization.yaml": trees.kustomization("../../base")})
    return tmp_path


def run(command: str, root: Path, programs: Path) -> subprocess.CompletedProcess[str]:
    search = (programs.parent / "site", REPOSITORY / ".tools/schemas", *filter(None, sys.path))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("POLICY_")}
    environment["PATH"] = os.pathsep.join([str(programs), os.environ["PATH"]])
    environment["PYTHONPATH"] = os.pathsep.join(map(str, search))
    return subprocess.run(
        ["bash", "-c", command], cwd=root, env=environment, capture_output=True, text=True, check=False
    )


def test_every_command_does_what_the_page_says(root: Path, programs: Path) -> None:
    codes = []
    for command in COMMANDS[1:]:
        if command == CHART:
            assert run(
                command.replace("helm template charts/web", f"echo {json.dumps(RENDERED)}"), root, programs
            ).returncode
            continue
        done = run(command, root, programs)
        assert done.stderr == ""
        codes.append((command, done.returncode))

    assert codes == [
        ("policy init", 0),
        ("policy check", 1),
        ("policy baseline", 0),
        ("policy check", 0),
        ("policy baseline --check", 0),
        ("policy check --format github --output junit:policy.xml", 0),
    ]
    assert (root / "policy.xml").is_file()
    assert run("policy init", root, programs).returncode == 2
    assert run("policy check --no-baseline", root, programs).returncode == 1


def test_the_files_look_as_the_page_shows_them(root: Path, programs: Path) -> None:
    environments, rules, line = SETTINGS
    assert run("policy init && policy baseline", root, programs).returncode == 0

    text = (root / "policy.toml").read_text(encoding="utf-8")
    assert f"production last\n{environments}\n" in text
    assert line in (root / "policy-baseline.toml").read_text(encoding="utf-8")

    (root / "policy.toml").write_text(text + rules, encoding="utf-8")
    done = run("policy check --no-baseline --format json", root, programs)
    findings = json.loads(done.stdout)["findings"]
    assert not any(finding["rule"] == "labels-recommended" for finding in findings)
    (found,) = (finding for finding in findings if finding["rule"] == "read-only-root")
    assert (found["severity"], found["overlays"]) == ("error", ["dev", "staging", "prod"])
    dev = json.loads(run("policy check dev --no-baseline --format json", root, programs).stdout)["findings"]
    assert [finding["severity"] for finding in dev if finding["rule"] == "read-only-root"] == ["warning"]


def test_the_hook_and_the_action_are_those_of_this_repository() -> None:
    hook, workflow = WORKFLOWS
    offered = yaml.safe_load((REPOSITORY / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    assert {each["id"] for each in hook["repos"][0]["hooks"]} <= {each["id"] for each in offered}
    assert yaml.safe_load((REPOSITORY / "action.yml").read_text(encoding="utf-8"))["runs"]["using"] == "composite"
    assert [step["uses"] for step in workflow["jobs"]["manifests"]["steps"]][1] == "OWNER/REPOSITORY@REF"


def test_the_action_brings_the_versions_that_the_page_says() -> None:
    """It builds tools/, and tools/ are what policy.toml names."""
    versions = tomllib.loads((REPOSITORY / "policy.toml").read_text(encoding="utf-8"))["tools"]
    for name, module in (
        ("kustomize", "sigs.k8s.io/kustomize/kustomize/v5"),
        ("kubeconform", "github.com/yannh/kubeconform"),
    ):
        assert f"{module} v{versions[name]}" in (REPOSITORY / f"tools/{name}/go.mod").read_text(encoding="utf-8")


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)#:]+)\)", PAGE))))
def test_a_link_leads_somewhere(link: str) -> None:
    assert (REPOSITORY / "docs" / link).exists()
