"""What a rollout adds and takes away."""

from __future__ import annotations

import pytest

from policy.manifests.decode import resources_of
from policy.manifests.index import Index
from policy.manifests.load import load_documents
from policy.manifests.rollouts import surge, unavailable
from policy.manifests.workloads import Workload


def _workload(kind: str, spec: str) -> Workload:
    text = f"apiVersion: apps/v1\nkind: {kind}\nmetadata: {{name: web}}\nspec: {{{spec}}}"
    (read,) = load_documents(text, "test")
    (found,) = Index(resources_of(read[1], 0)).workloads
    return found


def _rolling(update: str) -> str:
    return f"strategy: {{rollingUpdate: {{{update}}}}}"


@pytest.mark.parametrize(
    ("spec", "pods", "added", "missing"),
    [
        ("", 1, 1, 0),
        ("", 4, 1, 1),
        ("", 5, 2, 1),
        ("strategy: {type: RollingUpdate}", 3, 1, 0),
        ("strategy: {type: Recreate}", 3, 0, 3),
        (_rolling("maxSurge: 1, maxUnavailable: 0"), 3, 1, 0),
        (_rolling("maxSurge: 0, maxUnavailable: 0"), 3, 0, 1),
        (_rolling("maxSurge: 0%, maxUnavailable: 10%"), 3, 0, 1),
        (_rolling("maxSurge: 0, maxUnavailable: 0"), 0, 0, 0),
        (_rolling("maxUnavailable: 50%"), 3, 1, 1),
        (_rolling("maxUnavailable: 100%"), 3, 1, 3),
        (_rolling("maxUnavailable: 9, maxSurge: 9"), 3, 3, 3),
        (_rolling("maxUnavailable: nothing"), 4, 1, 1),
    ],
)
def test_of_a_deployment(spec: str, pods: int, added: int, missing: int) -> None:
    workload = _workload("Deployment", spec)

    assert (surge(workload, pods), unavailable(workload, pods)) == (added, missing)


@pytest.mark.parametrize(
    ("spec", "missing"),
    [
        ("", 1),
        ("updateStrategy: {rollingUpdate: {maxUnavailable: 34%}}", 2),
        ("updateStrategy: {rollingUpdate: {maxUnavailable: 0}}", 1),
        ("updateStrategy: {type: OnDelete}", None),
    ],
)
def test_of_a_stateful_set(spec: str, missing: int | None) -> None:
    workload = _workload("StatefulSet", spec)

    assert (surge(workload, 3), unavailable(workload, 3)) == (0, missing)


@pytest.mark.parametrize("kind", ["DaemonSet", "ReplicaSet"])
def test_other_kinds_are_not_judged(kind: str) -> None:
    assert unavailable(_workload(kind, ""), 3) is None
