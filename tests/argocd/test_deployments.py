"""Which repository is this one, and what Applications deploy of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from policy.argocd.deployments import Deployments, read_deployments
from policy.argocd.repositories import normalized_path, normalized_url
from tests.argocd.conftest import index_of

FOLDERS: dict[str, tuple[str, ...]] = {
    "": ("overlays/", "argocd/"),
    "overlays": ("dev/", "prod/", "README.md"),
    "overlays/dev": ("kustomization.yaml",),
    "overlays/prod": ("kustomization.yaml",),
    "argocd": ("kustomization.yaml",),
}
SHOP, OTHER = "https://github.com/example/shop.git", "https://github.com/example/other.git"


def application(name: str, url: str, path: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": name},
        "spec": {"source": {"repoURL": url, "path": path}, **spec},
    }


def project(name: str) -> dict[str, Any]:
    return {"apiVersion": "argoproj.io/v1alpha1", "kind": "AppProject", "metadata": {"name": name}}


def read(*objects: dict[str, Any], remotes: Iterable[str] = ()) -> Deployments:
    indexes = {"argocd": index_of(objects), "dev": index_of(()), "prod": index_of(())}
    folders = {"argocd": "argocd", "dev": "overlays/dev", "prod": "overlays/prod"}
    return read_deployments(indexes, folders, FOLDERS.get, lambda: remotes)


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/example/shop.git",
        "https://github.com/example/shop/",
        "https://someone@GitHub.com/example/shop",
        "git@github.com:example/shop.git",
        "ssh://git@github.com:22/example/shop.git",
    ],
)
def test_the_urls_of_one_repository(url: str) -> None:
    assert normalized_url(url) == "github.com/example/shop"


@pytest.mark.parametrize(
    ("path", "normal"), [("./a/b/", "a/b"), (".", ""), ("", ""), ("a/../b", "b"), ("../a", "../a")]
)
def test_paths(path: str, normal: str) -> None:
    assert normalized_path(path) == normal


def test_this_repository_is_the_one_whose_paths_are_here() -> None:
    found = read(
        application("a", OTHER, "deploy"), application("b", OTHER, "charts"), application("c", SHOP, "overlays/dev")
    )
    assert found.own == "github.com/example/shop"
    assert {name: [each.name for each in mine] for name, mine in found.deployed().items()} == {"dev": ["c"]}


def test_where_no_path_is_here_a_remote_of_git_says_which_it_is() -> None:
    stray = application("a", SHOP, "overlay/dev")
    assert read(stray).own is None
    assert read(stray, remotes=["git@example.org:any.git"]).own is None
    assert read(stray, remotes=["git@github.com:example/shop"]).own == "github.com/example/shop"


def test_git_is_not_asked_where_the_paths_say_it_or_nothing_is_deployed() -> None:
    def asked() -> Iterable[str]:
        raise AssertionError

    indexes = {"argocd": index_of([application("a", SHOP, "argocd")]), "plain": index_of([project("shop")])}
    assert read_deployments(indexes, {}, FOLDERS.get, asked).own == "github.com/example/shop"
    assert read_deployments({"empty": index_of(())}, {}, FOLDERS.get, asked).applications == ()


def test_an_application_of_several_sources_deploys_all_of_them_or_more_than_is_known() -> None:
    several = application("a", SHOP, "ignored")
    several["spec"]["sources"] = [
        {"repoURL": SHOP, "path": "overlays/dev"},
        {"repoURL": SHOP, "path": "argocd"},
        {"repoURL": SHOP, "ref": "values"},
    ]
    chart = application("b", SHOP, "overlays/prod")
    chart["spec"]["sources"] = [{"repoURL": SHOP, "path": "overlays/prod"}, {"repoURL": OTHER, "chart": "redis"}]
    found = read(several, chart)
    first, second = found.applications
    assert found.overlays_of(first) == ["dev", "argocd"]
    assert found.overlays_of(second) is None
    assert sorted(found.deployed()) == ["argocd", "dev", "prod"]


def test_the_project_of_an_application_is_that_of_its_own_overlay_first() -> None:
    deploying = application("a", SHOP, "argocd", project="shop")
    for beside, overlay in (([project("shop")], "two"), ([], "one")):
        indexes = {"one": index_of([project("shop")]), "two": index_of([*beside, deploying])}
        found = read_deployments(indexes, {}, FOLDERS.get, lambda: ())
        named = found.project_of(found.applications[0])
        assert named is not None
        assert named.overlay == overlay


def folders_set(url: str, source: str, **generator: Any) -> dict[str, Any]:
    """An ApplicationSet of the folders of ``url`` that deploys from ``source``."""
    directories = [{"path": "overlays/*"}, {"path": "overlays/dev", "exclude": True}]
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "ApplicationSet",
        "metadata": {"name": "set"},
        "spec": {
            "goTemplate": True,
            "generators": [{"git": {"repoURL": url, "directories": directories, **generator}}],
            "template": {
                "metadata": {"name": "shop-{{ .path.basename }}"},
                "spec": {"project": "shop", "source": {"repoURL": source, "path": "{{ .path.path }}"}},
            },
        },
    }


def test_what_a_generator_of_folders_makes_knows_where_it_is_stated() -> None:
    """Its own patterns say which repository this is: no path of a source is written out."""
    found = read(folders_set(SHOP, SHOP))
    (made,) = found.applications
    assert (made.name, made.project, found.overlays_of(made)) == ("shop-prod", "shop", ["prod"])
    assert made.element == ("spec", "generators", 0, "git", "directories", 0)
    assert made.field("spec", "project").path == ("spec", "template", "spec", "project")


def test_the_folders_of_another_repository_are_not_known() -> None:
    found = read(application("a", SHOP, "argocd"), folders_set(OTHER, SHOP))
    assert [each.name for each in found.applications] == ["a"]
    assert [each.reason for each in found.unknown] == [
        f"ApplicationSet/set: what it makes is not known here: a generator of the folders of {OTHER}"
    ]


@pytest.mark.parametrize(
    "more", [{"pathParamPrefix": "app"}, {"template": {}, "selector": {"matchLabels": {"a": "b"}}}]
)
def test_what_changes_the_parameters_is_done_over_or_said(more: dict[str, Any]) -> None:
    made = folders_set(SHOP, SHOP)
    if "selector" in more:
        made["spec"]["generators"][0].update(more)
        assert read(made).unknown
    else:
        made["spec"]["generators"][0]["git"].update(more)
        template = made["spec"]["template"]
        template["metadata"]["name"] = "{{ .app.path.basename }}"
        template["spec"]["source"]["path"] = "{{ .app.path.path }}"
        assert [each.name for each in read(made).applications] == ["prod"]


def matrix(*elements: dict[str, Any], is_go: bool) -> dict[str, Any]:
    """An ApplicationSet of the products of two lists of one element each."""
    made = folders_set(SHOP, SHOP)
    generators = [{"list": {"elements": [each]}} for each in elements]
    made["spec"].update(goTemplate=is_go, generators=[{"matrix": {"generators": generators}}])
    made["spec"]["template"]["metadata"]["name"] = (
        "{{ .values.a }}-{{ .values.b }}-{{ .env }}" if is_go else "{{values.a}}-{{values.b}}-{{env}}"
    )
    made["spec"]["template"]["spec"]["source"]["path"] = "argocd"
    return made


@pytest.mark.parametrize("is_go", [True, False])
def test_a_matrix_unites_what_its_generators_give(is_go: bool) -> None:
    found = read(matrix({"env": "x", "values": {"a": "1"}}, {"env": "x", "values": {"b": "2"}}, is_go=is_go))
    assert [each.name for each in found.applications] == ["1-2-x"]


def test_where_the_generators_of_a_matrix_differ_the_first_counts_or_it_is_refused() -> None:
    elements = {"env": "x", "values": {"a": "1"}}, {"env": "y", "values": {"b": "2"}}
    assert [each.name for each in read(matrix(*elements, is_go=True)).applications] == ["1-2-x"]
    refused = read(matrix(*elements, is_go=False))
    assert refused.applications == ()
    assert [each.message for each in refused.problems] == [
        "a generator cannot be filled in: both generators of a matrix give env: x and y"
    ]


def test_millions_of_applications_in_a_few_lines_are_refused() -> None:
    many = {"list": {"elements": [{"name": str(number)} for number in range(100)]}}
    made = folders_set(SHOP, SHOP)
    made["spec"]["generators"] = [{"matrix": {"generators": [many, many]}}]
    made["spec"]["template"]["metadata"]["name"] = "{{ .name }}"
    assert "a matrix of more than 5000" in read(made).unknown[0].reason
