"""docs/operations.md names what the manifests need of a cluster."""

from __future__ import annotations

import json
import re

import pytest

from .rendered import ENVIRONMENTS, OVERLAYS, REPOSITORY, of_kind, one, overlay

PAGE = (REPOSITORY / "docs/operations.md").read_text(encoding="utf-8")
ISSUER = "cert-manager.io/cluster-issuer"


def test_every_file_that_it_names_is_there() -> None:
    named = set(re.findall(r"`((?:base|overlays|argocd)/[\w./*-]*)`", PAGE))
    assert len(named) >= 6
    for pattern in named:
        assert list(REPOSITORY.glob(pattern.rstrip("/"))), pattern


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_it_names_the_issuer_and_the_ingress_class(environment: str) -> None:
    ingress = one(overlay(environment), "Ingress", "ingress")
    assert f"`{ingress['metadata']['annotations'][ISSUER]}`" in PAGE
    assert f"`{ingress['spec']['ingressClassName']}`" in PAGE


def test_the_five_files_that_know_dns_are_five() -> None:
    files = [file for file in (REPOSITORY / "base").glob("*/*.yaml") if "k8s-app: kube-dns" in file.read_text()]
    folders = sorted(file.parent.name for file in files)
    assert folders == ["api-gateway", "order-service", "product-service", "user-service"]
    assert "k8s-app: kube-dns" in (REPOSITORY / "topology.yaml").read_text()


def test_its_example_is_a_claim_that_exists_and_grows() -> None:
    (patch,) = re.findall(r"--patch '(.*)'", PAGE)
    store = one(overlay("prod"), "StatefulSet", "users-db")
    (claim,) = store["spec"]["volumeClaimTemplates"]
    assert f"patch pvc {claim['metadata']['name']}-users-db-0 " in PAGE
    assert f"--namespace {store['metadata']['namespace']} patch" in PAGE
    wanted = json.loads(patch)["spec"]["resources"]["requests"]["storage"]
    assert int(wanted.removesuffix("Gi")) > int(claim["spec"]["resources"]["requests"]["storage"].removesuffix("Gi"))


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_file_that_sets_a_size_says_where_to_read_how_it_grows(environment: str) -> None:
    files = sorted((OVERLAYS / environment).glob("*-size.yaml"))
    assert len(files) == len(list(of_kind(overlay(environment), "StatefulSet")))
    for file in files:
        assert "docs/operations.md" in file.read_text(encoding="utf-8"), file
