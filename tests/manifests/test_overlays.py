"""overlays/: three environments with the same files, that change values and nothing else."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from .rendered import BASE, ENVIRONMENTS, OVERLAYS, build, of_kind, one, overlay

NAMESPACES = {"dev": "ecommerce-dev", "staging": "ecommerce-staging", "prod": "ecommerce"}
VALUES = re.compile(r"""
    [^:]+:metadata\.(namespace|labels\.environment)
    | RoleBinding/credentials:subjects\.0\.namespace
    | Namespace/\*:metadata\.name
    | ResourceQuota/platform:spec\.hard\.\S+
    | HorizontalPodAutoscaler/.*:spec\.(min|max)Replicas
    | Deployment/.*:spec\.replicas
    | (Deployment|StatefulSet|Job)/.*:spec\.template\.spec\.containers\.\d+\.(image|resources\..+)
    | StatefulSet/.*:spec\.volumeClaimTemplates\.0\.spec\.resources\.requests\.storage
    | Ingress/.*:(spec\.tls\.0\.hosts\.0|spec\.rules\.0\.host|metadata\.annotations\.cert-manager\.io/cluster-issuer)
    | NetworkPolicy/credentials:spec\.egress\b.*
""", re.VERBOSE)  # fmt: skip
"""What an environment may decide, as object:field. Everything else is base's word."""


def fields(value: Any, path: str = "") -> dict[str, Any]:
    """Every leaf of a document by its dotted path; an empty list or mapping is a leaf."""
    if isinstance(value, dict) and value:
        return {k: v for key, item in value.items() for k, v in fields(item, f"{path}.{key}" if path else key).items()}
    if isinstance(value, list) and value:
        return {k: v for index, item in enumerate(value) for k, v in fields(item, f"{path}.{index}").items()}
    return {path: value}


def keyed(documents: tuple[Any, ...]) -> dict[str, dict[str, Any]]:
    """The fields of every object by ``kind/name``; the Namespace's name is what differs, so it is ``*``."""
    return {f"{d['kind']}/{'*' if d['kind'] == 'Namespace' else d['metadata']['name']}": fields(d) for d in documents}


def test_every_environment_has_the_same_files() -> None:
    lists = {path.name: sorted(file.name for file in path.iterdir()) for path in OVERLAYS.iterdir()}
    assert set(lists) == set(ENVIRONMENTS)
    assert lists["dev"] == lists["staging"] == lists["prod"]


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_object_is_in_the_environments_own_namespace(environment: str) -> None:
    (namespace,) = of_kind(overlay(environment), "Namespace")
    assert namespace["metadata"]["name"] == NAMESPACES[environment]
    others = [d for d in overlay(environment) if d is not namespace]
    assert {document["metadata"].get("namespace") for document in others} == {NAMESPACES[environment]}
    (binding,) = of_kind(overlay(environment), "RoleBinding")
    assert [subject["namespace"] for subject in binding["subjects"]] == [NAMESPACES[environment]]


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_an_environment_changes_values_and_nothing_else(environment: str) -> None:
    base, here = keyed(build(BASE)), keyed(overlay(environment))
    assert base.keys() == here.keys()
    changed = [
        f"{name}:{path}"
        for name in base
        for path in base[name].keys() | here[name].keys()
        if base[name].get(path) != here[name].get(path)
    ]
    undecided = [place for place in changed if not VALUES.fullmatch(place)]
    assert undecided == []


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_patch_is_one_object_found_by_kind_and_name(environment: str) -> None:
    folder = OVERLAYS / environment
    kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text())
    listed = [patch["path"] for patch in kustomization["patches"]]
    assert [set(patch) for patch in kustomization["patches"]] == [{"path"}] * len(listed)
    assert sorted(listed) == listed
    assert {*listed, "kustomization.yaml"} == {file.name for file in folder.iterdir()}
    known = {(d["kind"], d["metadata"]["name"]) for d in build(BASE)}
    for path in listed:
        patch = yaml.safe_load((folder / path).read_text())
        assert (patch["kind"], patch["metadata"]["name"]) in known


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_no_label_that_may_change_reaches_what_cannot(environment: str) -> None:
    """The API server refuses a change of a selector or of a claim template, so they hold names only."""
    for document in of_kind(overlay(environment), "Deployment", "StatefulSet", "Job"):
        assert "environment" in document["metadata"]["labels"]
        spec = document["spec"]
        assert "environment" not in spec["template"]["metadata"]["labels"]
        for claim in spec.get("volumeClaimTemplates", ()):
            assert "labels" not in claim["metadata"]


def test_the_product_service_has_no_second_owner_of_its_number() -> None:
    for environment in ENVIRONMENTS:
        assert "replicas" not in one(overlay(environment), "Deployment", "product-service")["spec"]


def test_staging_stands_between_dev_and_prod() -> None:
    """A rehearsal that is larger than the show, or smaller than the workshop, rehearses nothing."""

    def size(environment: str, path: str) -> int:
        return int(keyed(overlay(environment))["HorizontalPodAutoscaler/product-service"][path])

    for path in ("spec.minReplicas", "spec.maxReplicas"):
        assert size("dev", path) <= size("staging", path) <= size("prod", path)
    for name in ("frontend", "api-gateway", "user-service", "order-service"):
        counts = [keyed(overlay(environment))[f"Deployment/{name}"]["spec.replicas"] for environment in ENVIRONMENTS]
        assert counts == sorted(counts)
