"""Argo CD applies each overlay in an order in which nothing waits for what comes later."""

from __future__ import annotations

import pytest

from policy.argocd.waves import needs, step_of, too_late
from tests.argocd.conftest import ENVIRONMENTS, Manifest, Render, annotations_of, index_of

pytestmark = pytest.mark.parametrize("environment", ENVIRONMENTS)


def test_nothing_needs_what_is_applied_later(environment: str, overlays: dict[str, Render]) -> None:
    assert [str(need) for need in too_late(overlays[environment].index)] == []


def test_the_needs_are_seen(environment: str, overlays: dict[str, Render]) -> None:
    """Else the test above would pass on an empty list."""
    seen = {f"{need.user.ref.name} -> {need.needed.ref.kind}" for need in needs(overlays[environment].index)}
    assert seen >= {
        "api-gateway -> ConfigMap",
        "api-gateway -> Deployment",
        "credentials -> RoleBinding",
        "ingress -> Service",
        "order-service -> Job",
        "order-service -> NetworkPolicy",
        "order-service -> StatefulSet",
        "product-service -> Deployment",
        "users-db -> Job",
        "users-db -> ResourceQuota",
        "users-db -> ServiceAccount",
    }


def test_whatever_is_needed_is_missed_when_it_is_late(environment: str, overlays: dict[str, Render]) -> None:
    needed = {need.needed.ref for need in needs(overlays[environment].index)}
    assert len(needed) > 30
    for late in sorted(needed):
        objects = [
            _in_wave("9", item) if (item["kind"], item["metadata"]["name"]) == (late.kind, late.name) else item
            for item in overlays[environment].objects
        ]
        assert late in {need.needed.ref for need in too_late(index_of(objects))}


def _in_wave(wave: str, item: Manifest) -> Manifest:
    annotations = {**annotations_of(item), "argocd.argoproj.io/sync-wave": wave}
    return {**item, "metadata": {**item["metadata"], "annotations": annotations}}


def test_the_ingress_is_last(environment: str, overlays: dict[str, Render]) -> None:
    resources = overlays[environment].index.resources
    last = max(step for item in resources if (step := step_of(item)) is not None)
    assert {item.ref.kind for item in resources if step_of(item) == last} == {"Ingress"}
