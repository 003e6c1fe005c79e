"""base/: one folder per workload, each deployable alone, each shaped like the others."""

from __future__ import annotations

from pathlib import Path

import pytest

from .rendered import BASE, Document, build, of_kind, pods

SHARED = "postgres"
"""The one folder that others use and nobody deploys: a Kustomize component."""

FOLDERS = sorted(path.parent.name for path in BASE.glob("*/kustomization.yaml") if path.parent.name != SHARED)
WORKLOADS = [name for name in FOLDERS if name not in ("platform", "ingress", "credentials")]
NAME = "app.kubernetes.io/name"


def names(documents: tuple[Document, ...]) -> set[tuple[str, str]]:
    return {(document["kind"], document["metadata"]["name"]) for document in documents}


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_builds_alone_and_holds_what_the_whole_holds(folder: str) -> None:
    assert names(build(BASE / folder)) <= names(build(BASE))


def test_the_whole_is_its_folders_and_nothing_else() -> None:
    whole = [(document["kind"], document["metadata"]["name"]) for document in build(BASE)]
    parts = [(d["kind"], d["metadata"]["name"]) for folder in FOLDERS for d in build(BASE / folder)]
    assert sorted(whole) == sorted(parts)


@pytest.mark.parametrize("folder", WORKLOADS)
def test_a_workload_folder_has_the_same_files_as_its_peers(folder: str) -> None:
    files = {path.name for path in (BASE / folder).glob("*.yaml")}
    always = {
        "kustomization.yaml",
        "network-policy.yaml",
        "pod-disruption-budget.yaml",
        "service-account.yaml",
        "service.yaml",
    }
    assert always < files
    own = files - always - {"horizontal-pod-autoscaler.yaml"}
    assert own in ({"deployment.yaml"}, {"stateful-set.yaml"})


@pytest.mark.parametrize("folder", [*WORKLOADS, "credentials"])
def test_one_word_names_the_folder_its_objects_its_container_and_its_selectors(folder: str) -> None:
    documents = build(BASE / folder)
    for document in documents:
        metadata = document["metadata"]
        if document["kind"] == "ConfigMap":
            assert metadata["name"].startswith(f"{folder}-")
            continue
        assert metadata["name"] == folder
        assert metadata["labels"][NAME] == folder
        spec = document.get("spec", {})
        for selector in (spec.get("selector"), spec.get("podSelector")):
            if selector:
                assert selector in ({NAME: folder}, {"matchLabels": {NAME: folder}})
    ((_, pod),) = pods(documents)
    (container,) = pod["containers"]
    assert container["name"] == (SHARED if folder.endswith("-db") else folder)


@pytest.mark.parametrize("file", sorted(BASE.rglob("*.yaml")), ids=lambda file: str(file.relative_to(BASE)))
def test_a_file_is_named_after_the_one_kind_it_holds(file: Path) -> None:
    kinds = [line.removeprefix("kind: ") for line in file.read_text().splitlines() if line.startswith("kind: ")]
    words = "".join(word.capitalize() for word in file.stem.split("-"))
    assert kinds == (["Component"] if file.parent.name == SHARED and words == "Kustomization" else [words])


def test_the_databases_differ_in_names_only() -> None:
    def stripped(database: str) -> str:
        word = database.removesuffix("-db")
        (found,) = of_kind(build(BASE / database), "StatefulSet")
        return repr(found).replace(database, "DATABASE").replace(f"'{word}'", "WORD")

    assert stripped("users-db") == stripped("products-db") == stripped("orders-db")
