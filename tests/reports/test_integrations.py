"""The pre-commit hook and the GitHub action: well formed, and the commands that they hold are run here."""

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

from policy.reports import FORMATS
from policy.reports.markdown import MARKER

REPOSITORY = Path(__file__).parents[2]
HOOKS = yaml.safe_load((REPOSITORY / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
ACTION = yaml.safe_load((REPOSITORY / "action.yml").read_text(encoding="utf-8"))
STEPS = {step["id"]: step for step in ACTION["runs"]["steps"] if "id" in step}
EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}", re.DOTALL)

UNSAFE = """\
apiVersion: v1
kind: Pod
metadata: {name: web}
spec: {containers: [{name: app, image: "app:1"}]}
"""


def test_the_hook_is_one_that_pre_commit_takes() -> None:
    (hook,) = HOOKS

    assert set(hook) >= {"id", "name", "entry", "language"}
    assert hook["language"] == "python"
    assert hook["pass_filenames"] is False
    assert hook["always_run"] is True
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert hook["additional_dependencies"] == project["optional-dependencies"]["schemas"]
    assert hook["entry"].split()[0] in project["scripts"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What pre-commit installs: the package, by its own build, with nothing from the network."""
    source, site = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("site")
    shutil.copytree(REPOSITORY / "policy", source / "policy", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(REPOSITORY / name, source / name)
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--target", str(site)]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, "."], cwd=source, check=True)
    return site


def folder_with(tmp_path: Path, text: str) -> Path:
    """A repository of one environment, with a folder named like our package."""
    folder = tmp_path / "work space"
    (folder / "prod").mkdir(parents=True)
    (folder / ".git").mkdir()
    (folder / "policy").mkdir()
    (folder / "policy" / "__init__.py").write_text("raise SystemExit('code of the checked repository ran')\n")
    (folder / "policy.toml").write_text('[environments]\nprod = "prod"\n', encoding="utf-8")
    (folder / "prod" / "kustomization.yaml").write_text("resources: [web.yaml]\n", encoding="utf-8")
    (folder / "prod" / "web.yaml").write_text(text, encoding="utf-8")
    return folder


def test_the_hook_checks_the_repository(site: Path, tmp_path: Path) -> None:
    folder = folder_with(tmp_path, UNSAFE)
    command, *arguments = HOOKS[0]["entry"].split()
    environment = {**os.environ, "PYTHONPATH": f"{site}{os.pathsep}{REPOSITORY / '.tools' / 'schemas'}"}

    done = subprocess.run(
        [site / "bin" / command, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )

    assert done.stderr == ""
    assert done.returncode == 1
    assert "image-pinned  Pod/web  prod" in done.stdout


def test_the_action_is_one_that_github_takes() -> None:
    assert set(ACTION) == {"name", "description", "inputs", "outputs", "runs"}
    assert ACTION["runs"]["using"] == "composite"
    for step in ACTION["runs"]["steps"]:
        assert ("run" in step) != ("uses" in step)
        assert "run" not in step or step["shell"] == "bash"
    for given in ACTION["inputs"].values():
        assert set(given) == {"description", "default"}


def test_the_action_uses_every_input_and_none_that_is_not_there() -> None:
    used = set(re.findall(r"inputs\.([\w-]+)", json.dumps(ACTION["runs"])))

    assert used == set(ACTION["inputs"])
    for name in re.findall(r"steps\.(\w+)\.outputs\.([\w-]+)", json.dumps(ACTION)):
        step = STEPS[name[0]]
        assert "uses" in step or f"{name[1]}=" in step["run"]


def test_the_action_pastes_nothing_into_its_scripts() -> None:
    """A value that is pasted into a script is code; a value in the environment is data."""
    for step in STEPS.values():
        assert "${{" not in step.get("run", "")
        assert not step.get("uses") or re.search(r"@[0-9a-f]{40}$", step["uses"])


def test_the_action_pins_what_the_workflows_pin() -> None:
    workflows = "".join(file.read_text(encoding="utf-8") for file in (REPOSITORY / ".github/workflows").glob("*.yml"))

    for step in ACTION["runs"]["steps"]:
        if "uses" in step:
            assert step["uses"] in workflows


class Runner:
    """Runs the scripts of the action as GitHub's runner does: bash, and expressions only in the environment."""

    def __init__(self, workspace: Path, temporary: Path) -> None:
        temporary.mkdir()
        self.workspace = workspace
        self.files = {name: temporary / name for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
        for file in self.files.values():
            file.touch()
        self._environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith(("GITHUB_", "PYTHON"))},
            **{name: str(file) for name, file in self.files.items()},
            "GITHUB_WORKSPACE": str(workspace),
            "RUNNER_TEMP": str(temporary),
        }
        self._values = {
            "github.action_path": str(REPOSITORY),
            "github.server_url": "https://github.example",
            "github.action_repository || github.repository": "shop/gitops",
            "github.action_ref || github.sha": "v1",
            "steps.python.outputs.python-path": sys.executable,
        }

    def run(self, name: str, **inputs: str) -> subprocess.CompletedProcess[str]:
        given = {f"inputs.{key}": str(value["default"]) for key, value in ACTION["inputs"].items()}
        given.update({f"inputs.{key.replace('_', '-')}": value for key, value in inputs.items()})
        values = {**self._values, **given}
        step = STEPS[name]
        environment = {key: EXPRESSION.sub(lambda match: values[match[1]], text) for key, text in step["env"].items()}
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=self.workspace,
            env={**self._environment, **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    def outputs(self) -> dict[str, str]:
        lines = self.files["GITHUB_OUTPUT"].read_text(encoding="utf-8").splitlines()
        return dict(line.split("=", 1) for line in lines)


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    """With the Python that the tests run in where the action would have installed its own."""
    made = Runner(folder_with(tmp_path, UNSAFE), tmp_path / "temporary")
    binaries = tmp_path / "temporary" / "policy" / "bin"
    binaries.mkdir(parents=True)
    python = binaries / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n', encoding="utf-8")
    python.chmod(0o755)
    return made


def test_the_check_of_the_action_writes_what_is_asked_for(runner: Runner) -> None:
    done = runner.run(
        "check",
        sarif_file="a.sarif",
        junit_file="a.xml",
        json_file="a.json",
        comment_file="a comment.md",
        strict="true",
    )

    assert done.stderr == ""
    assert done.returncode == 1
    assert "::error file=prod/web.yaml,line=4,col=" in done.stdout
    assert runner.outputs() == {"exit-code": "1"}
    page = "https://github.example/shop/gitops/blob/v1/docs/rules/image-pinned.md"
    rules = json.loads((runner.workspace / "a.sarif").read_bytes())["runs"][0]["tool"]["driver"]["rules"]
    assert page in [rule["helpUri"] for rule in rules]
    comment = (runner.workspace / "a comment.md").read_text(encoding="utf-8")
    assert f"[`image-pinned`]({page})" in comment
    assert runner.files["GITHUB_STEP_SUMMARY"].read_text(encoding="utf-8") == comment
    assert (runner.workspace / "a.xml").read_bytes().startswith(b"<?xml")
    assert json.loads((runner.workspace / "a.json").read_bytes())["overlays"][0]["name"] == "prod"


def test_the_check_of_the_action_takes_paths_and_settings(runner: Runner) -> None:
    (runner.workspace / "other.toml").write_text("[rules.image-pinned]\nenabled = false\n", encoding="utf-8")

    done = runner.run("check", path="prod/web.yaml\n\nprod\n", config="other.toml", summary="false")

    assert done.stderr == ""
    assert "image-pinned" not in done.stdout
    assert "readiness-probe-set" in done.stdout
    assert runner.files["GITHUB_STEP_SUMMARY"].read_text(encoding="utf-8") == ""


@pytest.mark.parametrize("path", ["$(touch stolen)", "--explain=x", "a; touch stolen"])
def test_a_path_is_never_a_command_or_an_option(runner: Runner, path: str) -> None:
    done = runner.run("check", path=path)

    assert done.returncode == 2
    assert done.stderr == f"policy: there is no file, folder or environment {path}; environments: prod\n"
    assert runner.outputs() == {"exit-code": "2"}
    assert not (runner.workspace / "stolen").exists()


def test_what_the_action_installs_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the package index, as the action does; what tools/build.py provides is there already."""
    for tool in ("KUSTOMIZE", "KUBECONFORM"):
        monkeypatch.delenv(f"POLICY_{tool}")
    runner = Runner(folder_with(tmp_path, UNSAFE), tmp_path / "temporary")

    installed = runner.run("install")
    if "Failed to establish a new connection" in installed.stderr:
        pytest.skip("there is no package index")

    assert installed.returncode == 0, installed.stderr
    done = runner.run("check")
    assert (done.returncode, done.stderr) == (1, "")
    assert "image-pinned" in done.stdout


def test_the_key_of_the_cache_tells_pins_apart(tmp_path: Path) -> None:
    runner = Runner(folder_with(tmp_path, UNSAFE), tmp_path / "temporary")

    assert runner.run("pins").returncode == 0

    assert re.fullmatch(r"[0-9a-f]{64}", runner.outputs()["hash"])


def test_the_examples_of_the_documentation_use_what_there_is() -> None:
    text = (REPOSITORY / "docs/reports.md").read_text(encoding="utf-8")
    workflow, hooks = (yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL))

    (step,) = (step for step in workflow["jobs"]["manifests"]["steps"] if step.get("uses") == "OWNER/REPOSITORY@REF")
    assert set(step["with"]) <= set(ACTION["inputs"])
    (hook,) = hooks["repos"][0]["hooks"]
    assert hook["id"] == HOOKS[0]["id"]
    assert re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE) == list(FORMATS)
    assert MARKER in text
    for link in re.findall(r"\]\(([^)]+)\)", text):
        assert (REPOSITORY / "docs" / link).is_file()
