"""What a container requests and is limited to, once the API server has filled in what is absent."""

from __future__ import annotations

import pytest

from policy.manifests.decode import resources_of
from policy.manifests.index import Index
from policy.manifests.load import load_documents
from policy.manifests.quantities import format_quantity
from policy.manifests.requirements import PodRequirements

# LimitRange items, the container's resources, and what is in effect: requests, limits
FILLED_IN: dict[str, tuple[str, str, dict[str, str], dict[str, str]]] = {
    "nothing is filled in without a LimitRange": ("[]", "{}", {}, {}),
    "a limit is the request where that is absent": ("[]", "{limits: {cpu: 1}}", {"cpu": "1"}, {"cpu": "1"}),
    "a request is not the limit": ("[]", "{requests: {cpu: 1}}", {"cpu": "1"}, {}),
    "own values stay": (
        "[{type: Container, default: {cpu: 2}, defaultRequest: {cpu: 1}}]",
        "{requests: {cpu: 100m}, limits: {cpu: 200m}}",
        {"cpu": "100m"},
        {"cpu": "200m"},
    ),
    "an own limit is the request before any default request": (
        "[{type: Container, defaultRequest: {cpu: 1}}]",
        "{limits: {cpu: 200m}}",
        {"cpu": "200m"},
        {"cpu": "200m"},
    ),
    "an own request gets the default limit, even one below it": (
        "[{type: Container, default: {cpu: 200m}}]",
        "{requests: {cpu: 1}}",
        {"cpu": "1"},
        {"cpu": "200m"},
    ),
    "the default limit is the default request": (
        "[{type: Container, default: {cpu: 200m}}]",
        "{}",
        {"cpu": "200m"},
        {"cpu": "200m"},
    ),
    "the maximum is the default limit, and so the default request": (
        "[{type: Container, max: {cpu: 2}, min: {cpu: 100m}}]",
        "{}",
        {"cpu": "2"},
        {"cpu": "2"},
    ),
    "the minimum is the default request": ("[{type: Container, min: {cpu: 100m}}]", "{}", {"cpu": "100m"}, {}),
    "items of other types give no defaults": (
        "[{type: Pod, max: {cpu: 2}}, {type: PersistentVolumeClaim, min: {storage: 1Gi}}]",
        "{}",
        {},
        {},
    ),
    "of several items the last counts": (
        "[{type: Container, default: {cpu: 1}}, {type: Container, default: {cpu: 2}}]",
        "{}",
        {"cpu": "2"},
        {"cpu": "2"},
    ),
    "zero is a value": ("[{type: Container, defaultRequest: {cpu: 1}}]", "{requests: {cpu: 0}}", {"cpu": "0"}, {}),
    "what is no quantity is neither set nor filled in": (
        "[{type: Container, default: {cpu: 1}}]",
        "{limits: {cpu: oops}}",
        {"cpu": "1"},
        {},
    ),
}


@pytest.mark.parametrize("name", FILLED_IN)
def test_what_is_in_effect(name: str) -> None:
    items, own, requests, limits = FILLED_IN[name]

    (item,) = requirements(f"containers: [{{name: app, resources: {own}}}]", items).containers

    for side, expected in ((item.effective.requests, requests), (item.effective.limits, limits)):
        assert {name: format_quantity(amount.value, name) for name, amount in side.items()} == expected


def test_the_first_of_several_limit_ranges_counts() -> None:
    first, second = "[{type: Container, default: {cpu: 1}}]", "[{type: Container, default: {cpu: 2, memory: 1Gi}}]"

    (item,) = requirements("containers: [{name: app}]", first, second).containers

    assert {name: format_quantity(amount.value, name) for name, amount in item.effective.limits.items()} == {
        "cpu": "1",
        "memory": "1Gi",
    }


def test_an_amount_knows_the_field_that_gives_it() -> None:
    found = requirements(
        "containers: [{name: app, resources: {limits: {cpu: 1}}}]", "[{type: Container, max: {memory: 1}}]"
    )
    effective = found.containers[0].effective

    assert str(effective.requests["cpu"].given_by.object) == "Pod/web"
    assert effective.requests["cpu"].given_by.path == ("spec", "containers", 0, "resources", "limits", "cpu")
    assert str(effective.limits["memory"].given_by.object) == "LimitRange/range-0"
    assert effective.limits["memory"].given_by.path == ("spec", "limits", 0, "max", "memory")


def test_ephemeral_containers_have_no_resources() -> None:
    assert not requirements("ephemeralContainers: [{name: debug}]").containers


@pytest.mark.parametrize(
    ("pod", "expected"),
    [
        ("containers: [{name: app}]", True),
        ("containers: [{name: app, resources: {requests: {cpu: 0, ephemeral-storage: 1Gi}}}]", True),
        ("containers: [{name: app, resources: {limits: {memory: 1}}}]", False),
        ("initContainers: [{name: first, resources: {requests: {cpu: 1m}}}]", False),
        ("{resources: {limits: {cpu: 1}}, containers: [{name: app}]}", False),
    ],
)
def test_best_effort(pod: str, expected: bool) -> None:
    assert requirements(pod).is_best_effort is expected


def requirements(pod: str, *limit_ranges: str) -> PodRequirements:
    """Of the pod with that specification under LimitRanges with those items."""
    spec = pod if pod.startswith("{") else f"{{{pod}}}"
    documents = [f"{{apiVersion: v1, kind: Pod, metadata: {{name: web}}, spec: {spec}}}"]
    for number, items in enumerate(limit_ranges):
        meta = f"{{name: range-{number}}}"
        documents.append(f"{{apiVersion: v1, kind: LimitRange, metadata: {meta}, spec: {{limits: {items}}}}}")
    loaded = load_documents("\n---\n".join(documents), "test")
    index = Index(resource for number, (_, one) in enumerate(loaded) for resource in resources_of(one, number))
    assert not index.undecodable
    return index.requirements_of(index.workloads[0])
