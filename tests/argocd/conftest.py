"""The real tools, and what this repository renders: each overlay, and argocd/."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from policy.errors import ToolError
from policy.manifests.decode import resources_of
from policy.manifests.index import Index
from policy.manifests.load import load_documents
from policy.tools import find_tool
from tools.pins import read_pin

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENTS = sorted(path.parent.name for path in ROOT.glob("overlays/*/kustomization.yaml"))

Manifest = Mapping[str, Any]


def pinned_tool(name: str, root: Path = ROOT) -> Path:
    """The tool of the pinned version; without it the test fails, and says how to get it."""
    try:
        return find_tool(name, wanted=read_pin(ROOT, name).version, root=root)
    except ToolError as error:
        pytest.fail(f"{error}; or build it: python3 tools/build.py {name}", pytrace=False)


def build(kustomize: Path, folder: Path) -> str:
    """What kustomize renders of a folder."""
    done = subprocess.run([kustomize, "build", folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def kind_of(manifest: Manifest) -> tuple[str, str]:
    """The group and the kind of an object."""
    return manifest["apiVersion"].rpartition("/")[0], manifest["kind"]


def annotations_of(manifest: Manifest) -> Mapping[str, str]:
    found: Mapping[str, str] = manifest["metadata"].get("annotations") or {}
    return found


@dataclass(frozen=True)
class Render:
    """A render: its text, its objects, and the same as the policy package sees them."""

    text: str
    objects: list[Manifest]
    index: Index

    def of_kind(self, kind: str) -> dict[str, Manifest]:
        """The objects of a kind by name."""
        return {item["metadata"]["name"]: item for item in self.objects if item["kind"] == kind}


def render(kustomize: Path, folder: Path) -> Render:
    text = build(kustomize, folder)
    objects = [document for _, document in load_documents(text, str(folder))]
    return Render(text, objects, index_of(objects))


def index_of(objects: Sequence[Manifest]) -> Index:
    return Index(found for number, item in enumerate(objects) for found in resources_of(item, number))


@pytest.fixture(scope="session")
def kustomize() -> Path:
    return pinned_tool("kustomize")


@pytest.fixture(scope="session")
def kubeconform() -> Path:
    return pinned_tool("kubeconform")


@pytest.fixture(scope="session")
def tree(kustomize: Path) -> Render:
    """argocd/ as rendered."""
    return render(kustomize, ROOT / "argocd")


@pytest.fixture(scope="session")
def overlays(kustomize: Path) -> dict[str, Render]:
    """Every overlay as rendered, by environment."""
    return {name: render(kustomize, ROOT / "overlays" / name) for name in ENVIRONMENTS}


@pytest.fixture(scope="session")
def applications(tree: Render) -> dict[str, Manifest]:
    """The Application of each environment."""
    found = {item["spec"]["source"]["path"]: item for item in tree.of_kind("Application").values()}
    return {name: found[f"overlays/{name}"] for name in ENVIRONMENTS}


@pytest.fixture(scope="session")
def projects(tree: Render, applications: dict[str, Manifest]) -> dict[str, Manifest]:
    """The AppProject of each environment."""
    by_name = tree.of_kind("AppProject")
    return {name: by_name[item["spec"]["project"]] for name, item in applications.items()}


Argocd = Callable[..., "subprocess.CompletedProcess[str]"]

_KUBECONFIG = """\
apiVersion: v1
kind: Config
clusters: [{name: nowhere, cluster: {server: "https://127.0.0.1:1"}}]
contexts: [{name: nowhere, context: {cluster: nowhere, user: nobody}}]
users: [{name: nobody, user: {token: none}}]
current-context: nowhere
"""


@pytest.fixture(scope="session")
def argocd(tmp_path_factory: pytest.TempPathFactory) -> Argocd:
    """The argocd command line, told of no cluster; some commands ask for one, which they then never call."""
    binary = pinned_tool("argocd")
    home = tmp_path_factory.mktemp("argocd")
    kubeconfig = home / "kubeconfig"
    kubeconfig.write_text(_KUBECONFIG, encoding="utf-8")
    # Health scripts compare times; Argo CD's containers run in UTC.
    environment = {"HOME": str(home), "KUBECONFIG": str(kubeconfig), "PATH": os.environ["PATH"], "TZ": "UTC"}

    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        command: Sequence[str | Path] = [binary, "admin", "settings", *arguments]
        return subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, env=environment, timeout=60
        )

    return run
