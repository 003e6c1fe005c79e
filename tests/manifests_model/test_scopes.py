"""Which kinds are in a namespace: the table of Kubernetes' own, and definitions in the input."""

from __future__ import annotations

import pytest

from policy.kustomize.schema import _known_kinds
from policy.manifests.decode import resources_of
from policy.manifests.scopes import Scopes

_REVIEWS = {"SelfSubjectAccessReview", "SelfSubjectRulesReview", "SubjectAccessReview", "TokenReview"}
"""Requests, which are never stored: Kustomize does not know that they are in no namespace."""


def test_as_kustomize_has_it() -> None:
    scopes = Scopes(())
    for (api_version, kind), is_cluster_scoped in _known_kinds().items():
        group = api_version.rpartition("/")[0]

        if kind not in _REVIEWS:
            assert scopes.is_namespaced(group, kind) is not is_cluster_scoped, f"{api_version} {kind}"


@pytest.mark.parametrize(("scope", "expected"), [("Namespaced", True), ("Cluster", False)])
def test_a_definition_says_it(scope: str, expected: bool) -> None:
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.example.com"},
        "spec": {"group": "example.com", "names": {"kind": "Widget"}, "scope": scope},
    }
    scopes = Scopes(resources_of(definition, 0))

    assert scopes.is_namespaced("example.com", "Widget") is expected
    assert scopes.is_namespaced("example.org", "Widget") is None
    assert scopes.is_namespaced("example.com", "Gadget") is None
