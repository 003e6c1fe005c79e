"""What budgets leave to a drain: by example, and against the controller's arithmetic written out in fractions."""

from __future__ import annotations

import json
import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.manifests.decode import resources_of
from policy.manifests.disruption import Room, never_allows, room
from policy.manifests.index import Index
from policy.manifests.resources import PodDisruptionBudget

_LABELS = {"app": "web"}


def _workload(kind: str, name: str, replicas: int | None) -> dict[str, object]:
    pod = {"metadata": {"labels": _LABELS}, "spec": {"containers": []}}
    metadata: dict[str, object] = {"name": name}
    if kind == "Pod":
        return {"apiVersion": "v1", "kind": kind, "metadata": {**metadata, "labels": _LABELS}, "spec": pod["spec"]}
    spec: dict[str, object] = {"template": pod} if replicas is None else {"replicas": replicas, "template": pod}
    version = "batch/v1" if kind == "Job" else "apps/v1"
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}


def _room(spec: dict[str, int | str], *workloads: dict[str, object]) -> Room:
    budget = {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "web"},
        "spec": {"selector": {"matchLabels": _LABELS}, **spec},
    }
    documents = (budget, *workloads)
    index = Index(resource for number, one in enumerate(documents) for resource in resources_of(one, number))
    (found,) = index.all(PodDisruptionBudget)
    return room(found, [item for item in index.workloads if found in index.budgets_of(item)], index)


@pytest.mark.parametrize(
    ("spec", "replicas", "pods", "kept", "allowed"),
    [
        ({"minAvailable": 1}, [2], 2, 1, 1),
        ({"minAvailable": 2}, [2], 2, 2, 0),
        ({"minAvailable": 3}, [2], 2, 3, 0),
        ({"minAvailable": 1}, [None], 1, 1, 0),
        ({"minAvailable": 2}, [1, 2], 3, 2, 1),
        ({"minAvailable": "50%"}, [1], 1, 1, 0),
        ({"minAvailable": "50%"}, [2], 2, 1, 1),
        ({"minAvailable": "51%"}, [2], 2, 2, 0),
        ({"minAvailable": "90%"}, [9], 9, 9, 0),
        ({"minAvailable": "90%"}, [10], 10, 9, 1),
        ({"maxUnavailable": 1}, [1], 1, 0, 1),
        ({"maxUnavailable": 3}, [2], 2, 0, 2),
        ({"maxUnavailable": "1%"}, [1], 1, 0, 1),
        ({"maxUnavailable": "34%"}, [3], 3, 1, 2),
        ({"maxUnavailable": 0}, [5], 5, 5, 0),
        ({"maxUnavailable": 1, "minAvailable": 9}, [2], 2, 1, 1),
        ({"minAvailable": 1}, [0], 0, 1, 0),
        ({}, [3], 3, 3, 0),
    ],
)
def test_of_deployments(
    spec: dict[str, int | str], replicas: list[int | None], pods: int, kept: int, allowed: int
) -> None:
    found = _room(spec, *(_workload("Deployment", f"web-{number}", count) for number, count in enumerate(replicas)))

    assert (found.pods, found.kept, found.allowed) == (pods, kept, allowed)


def test_bare_pods_count_where_no_scale_is_needed() -> None:
    pods = [_workload("Pod", name, None) for name in ("a", "b")]

    assert _room({"minAvailable": 1}, *pods).allowed == 1
    assert _room({"maxUnavailable": 1}, *pods).allowed == 0


@pytest.mark.parametrize("kind", ["Job", "DaemonSet"])
def test_a_kind_without_scale_spoils_a_budget_that_needs_one(kind: str) -> None:
    workloads = [_workload("Deployment", "web", 3), _workload(kind, "other", None)]

    spoilt = _room({"maxUnavailable": 1}, *workloads)
    counted = _room({"minAvailable": 1}, *workloads)

    assert [item.name for item in spoilt.without_scale] == ["other"]
    assert spoilt.allowed == 0
    assert (counted.without_scale, counted.pods, counted.allowed) == ((), 3, 2)


@pytest.mark.parametrize(
    ("spec", "never"),
    [
        ({"maxUnavailable": 0}, True),
        ({"maxUnavailable": "0%"}, True),
        ({"minAvailable": "100%"}, True),
        ({"minAvailable": "99%"}, False),
        ({"maxUnavailable": "1%"}, False),
        ({"minAvailable": 1000}, False),
        ({}, True),
    ],
)
def test_budgets_that_allow_nothing_whatever_there_is(spec: dict[str, int | str], never: bool) -> None:
    assert never_allows(_room(spec).budget) is never


_NUMBERS = st.one_of(st.integers(0, 12), st.integers(0, 100).map(lambda share: f"{share}%"))


@given(
    st.sampled_from(["minAvailable", "maxUnavailable"]), _NUMBERS, st.lists(st.integers(0, 12), min_size=1, max_size=4)
)
def test_as_the_controller_reckons(field: str, value: int | str, replicas: list[int]) -> None:
    workloads = [_workload("Deployment", f"web-{number}", count) for number, count in enumerate(replicas)]
    total = sum(replicas)
    share = value if isinstance(value, int) else math.ceil(Fraction(int(value[:-1]), 100) * total)
    healthy_wanted = share if field == "minAvailable" else max(0, total - share)

    found = _room(json.loads(json.dumps({field: value})), *workloads)

    assert found.pods == total
    assert found.allowed == (max(0, total - healthy_wanted) if total else 0)
