"""argocd/ as a whole: it renders, is valid, says each value that a fork changes once, and locks what nobody uses."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from policy.schema import validate
from tests.argocd.conftest import ENVIRONMENTS, ROOT, Render, annotations_of, kind_of, pinned_tool, render

INSTALLATION = ROOT / "argocd" / "installation.yaml"
VALUES: dict[str, str] = yaml.safe_load(INSTALLATION.read_text(encoding="utf-8"))["data"]


def test_one_application_and_one_project_for_each_environment_and_for_itself(tree: Render) -> None:
    paths = sorted(item["spec"]["source"]["path"] for item in tree.of_kind("Application").values())
    assert paths == ["argocd", *(f"overlays/{name}" for name in ENVIRONMENTS)]
    projects = [item["spec"]["project"] for item in tree.of_kind("Application").values()]
    assert sorted([*projects, "default"]) == sorted(tree.of_kind("AppProject"))


def test_everything_is_argo_cds_own(tree: Render) -> None:
    assert {item["metadata"]["namespace"] for item in tree.objects} == {"argocd"}


def test_valid_by_the_schemas_of_the_pinned_argo_cd(tree: Render, kubeconform: Path) -> None:
    definitions = ROOT / ".tools" / "crds" / "argo-cd"
    assert definitions.is_dir(), "there are no schemas of Argo CD's kinds: python3 tools/build.py crds"
    documents = tree.text.split("\n---\n")
    assert len(documents) == len(tree.objects)
    assert validate(documents, versions=["1.34", "1.37"], crds=[definitions], kubeconform=kubeconform) == []


def test_a_project_is_applied_before_the_application_that_names_it(tree: Render) -> None:
    kinds = [item["kind"] for item in tree.objects]
    assert kinds == sorted(kinds, key=["ConfigMap", "AppProject", "Application"].index), "kubectl applies in this order"
    waves: dict[str, set[int]] = {kind: set() for kind in kinds}
    for item in tree.objects:
        waves[item["kind"]].add(int(annotations_of(item).get("argocd.argoproj.io/sync-wave", "0")))
    assert waves == {"ConfigMap": {-1}, "AppProject": {-1}, "Application": {0}}


def test_nothing_is_pruned_without_a_word(tree: Render) -> None:
    options = {
        f"{item['kind']}/{item['metadata']['name']}": annotations_of(item)["argocd.argoproj.io/sync-options"]
        for item in tree.objects
    }
    never = {name for name, said in options.items() if said == "Prune=false,Delete=false"}
    confirmed = {name for name, said in options.items() if said == "Prune=confirm,Delete=confirm"}
    assert never == {
        "AppProject/argocd",
        "AppProject/default",
        "Application/argocd",
        "ConfigMap/argocd-cm",
        "ConfigMap/argocd-cmd-params-cm",
        "ConfigMap/argocd-rbac-cm",
    }
    assert confirmed == options.keys() - never


def test_argo_cd_itself_may_deploy_the_kinds_of_this_folder_beside_itself_and_nothing_else(tree: Render) -> None:
    project = tree.of_kind("AppProject")["argocd"]["spec"]
    allowed = {(item["group"], item["kind"]) for item in project["namespaceResourceWhitelist"]}
    assert allowed == {kind_of(item) for item in tree.objects}
    assert project["clusterResourceWhitelist"] == []
    assert project["destinations"] == [{"server": "https://kubernetes.default.svc", "namespace": "argocd"}]
    assert project["sourceRepos"] == [VALUES["repoURL"]]


def test_the_default_project_allows_nothing(tree: Render) -> None:
    spec = dict(tree.of_kind("AppProject")["default"]["spec"])
    assert spec.pop("description")
    assert spec == {
        "sourceRepos": [],
        "sourceNamespaces": [],
        "destinations": [],
        "clusterResourceWhitelist": [],
        "namespaceResourceBlacklist": [{"group": "*", "kind": "*"}],
    }


@pytest.mark.parametrize("key", sorted(VALUES))
def test_what_a_fork_changes_is_said_once(key: str) -> None:
    said = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in sorted((ROOT / "argocd").rglob("*.yaml"))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if VALUES[key] in line
    ]
    assert len(said) == 1, said
    assert said[0].startswith("argocd/installation.yaml:")


def test_a_changed_repository_is_the_repository_of_everything(tree: Render, kustomize: Path, tmp_path: Path) -> None:
    forked = _fork(tmp_path, VALUES["repoURL"], "https://git.example.org/team/shop.git", kustomize)
    new = "https://git.example.org/team/shop.git"
    sources = {name: item["spec"]["source"]["repoURL"] for name, item in forked.of_kind("Application").items()}
    assert sources == dict.fromkeys(tree.of_kind("Application"), new)
    allowed = {name: item["spec"]["sourceRepos"] for name, item in forked.of_kind("AppProject").items()}
    assert allowed == {name: [new] for name in tree.of_kind("AppProject")} | {"default": []}
    assert forked.text.replace(new, VALUES["repoURL"]) == tree.text


@pytest.mark.parametrize(
    ("key", "places"),
    [
        ("developers", ["ecommerce-dev:developer", "ecommerce-prod:developer", "ecommerce-staging:developer"]),
        ("releasers", ["ecommerce-prod:releaser"]),
        ("operators", ["policy.groups.csv: g, new:group, role:operator"]),
    ],
)
def test_a_changed_group_has_its_roles(key: str, places: list[str], kustomize: Path, tmp_path: Path) -> None:
    forked = _fork(tmp_path, VALUES[key], "new:group", kustomize)
    found = [
        f"{name}:{role['name']}"
        for name, item in forked.of_kind("AppProject").items()
        for role in item["spec"].get("roles", [])
        if role["groups"] == ["new:group"]
    ]
    settings = forked.of_kind("ConfigMap")["argocd-rbac-cm"]["data"]
    found += [f"{name}: {value}" for name, value in settings.items() if "new:group" in value]
    assert sorted(found) == places


def test_no_placeholder_is_left(tree: Render) -> None:
    assert [line for line in tree.text.splitlines() if "<" in line and ">" in line] == []


def test_without_argocd_the_failure_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("POLICY_ARGOCD", raising=False)
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    with pytest.raises(pytest.fail.Exception, match=r"argocd is not installed: .*python3 tools/build\.py argocd$"):
        pinned_tool("argocd", root=tmp_path)


def _fork(folder: Path, old: str, new: str, kustomize: Path) -> Render:
    copy = folder / "argocd"
    shutil.copytree(ROOT / "argocd", copy)
    changed = (copy / "installation.yaml").read_text(encoding="utf-8").replace(old, new)
    (copy / "installation.yaml").write_text(changed, encoding="utf-8")
    return render(kustomize, copy)
