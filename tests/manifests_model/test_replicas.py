"""How many pods a workload has, by what it says and by what scales it."""

from __future__ import annotations

import pytest

from policy.findings import FieldPath
from policy.manifests.decode import resources_of
from policy.manifests.index import Index
from policy.manifests.load import load_documents

_HPA = """
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web}
spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}, maxReplicas: 9%s}
"""
_KEDA = """
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {name: queue}
spec: {scaleTargetRef: {name: web}%s}
"""


def _index(*documents: str) -> Index:
    read = load_documents("\n---\n".join(documents), "test")
    return Index(resource for number, (_, document) in enumerate(read) for resource in resources_of(document, number))


def _workload(kind: str = "Deployment", spec: str = "") -> str:
    version = "v1" if kind in ("Pod", "ReplicationController") else "batch/v1" if "Job" in kind else "apps/v1"
    return f"apiVersion: {version}\nkind: {kind}\nmetadata: {{name: web}}\nspec: {{{spec}}}"


@pytest.mark.parametrize(
    ("documents", "floor", "ceiling", "at", "source"),
    [
        pytest.param([_workload()], 1, 1, ("spec", "replicas"), "replicas is unset, which means 1", id="unset is one"),
        pytest.param([_workload(spec="replicas: 0")], 0, 0, ("spec", "replicas"), "replicas is 0", id="switched off"),
        pytest.param([_workload("StatefulSet", "replicas: 3")], 3, 3, ("spec", "replicas"), "replicas is 3", id="set"),
        pytest.param(
            [_workload(spec="replicas: 5"), _HPA % ", minReplicas: 2"],
            2,
            9,
            ("spec", "minReplicas"),
            "minReplicas of HorizontalPodAutoscaler/web is 2",
            id="an autoscaler's minimum, not the replicas beside it",
        ),
        pytest.param(
            [_workload(), _HPA % ""],
            1,
            9,
            ("spec", "minReplicas"),
            "minReplicas of HorizontalPodAutoscaler/web is unset, which means 1",
            id="an autoscaler without a minimum goes down to one",
        ),
        pytest.param(
            [_workload(spec="replicas: 0"), _HPA % ", minReplicas: 2"],
            0,
            0,
            ("spec", "replicas"),
            "replicas is 0",
            id="an autoscaler leaves alone what is at zero",
        ),
        pytest.param(
            [_workload(spec="replicas: 0"), _KEDA % ", minReplicaCount: 2"],
            2,
            100,
            ("spec", "minReplicaCount"),
            "minReplicaCount of ScaledObject/queue is 2",
            id="KEDA brings up what is at zero",
        ),
        pytest.param(
            [_workload(), _KEDA % ", maxReplicaCount: 4"],
            0,
            4,
            ("spec", "minReplicaCount"),
            "minReplicaCount of ScaledObject/queue is unset, which means 0",
            id="KEDA goes down to zero where it does not say",
        ),
        pytest.param(
            [_workload(), _HPA % ", minReplicas: 3", _KEDA % ", minReplicaCount: 2, maxReplicaCount: 20"],
            2,
            20,
            ("spec", "minReplicaCount"),
            "minReplicaCount of ScaledObject/queue is 2",
            id="of two autoscalers either may win",
        ),
    ],
)
def test_floor_and_ceiling(documents: list[str], floor: int, ceiling: int, at: FieldPath, source: str) -> None:
    index = _index(*documents)

    found = index.replicas_of(index.workloads[0])

    assert found is not None
    assert (found.floor, found.ceiling, found.at.path, found.source) == (floor, ceiling, at, source)


@pytest.mark.parametrize("kind", ["DaemonSet", "Job", "CronJob", "Pod"])
def test_other_kinds_have_no_replicas(kind: str) -> None:
    index = _index(_workload(kind))

    assert index.replicas_of(index.workloads[0]) is None


@pytest.mark.parametrize(
    ("documents", "fewest"),
    [
        pytest.param([_workload(spec="replicas: 0")], 0, id="what is switched off has none"),
        pytest.param([_workload(), _KEDA % ""], 1, id="what may go to zero has one before"),
        pytest.param([_workload(spec="replicas: 2")], 2, id="what is set"),
    ],
)
def test_the_fewest_pods_while_there_are_any(documents: list[str], fewest: int) -> None:
    index = _index(*documents)

    found = index.replicas_of(index.workloads[0])

    assert found is not None
    assert found.fewest == fewest


def test_an_autoscaler_of_another_namespace_scales_nothing_here() -> None:
    index = _index(_workload(), _HPA.replace("{name: web}", "{name: web, namespace: other}", 1) % ", minReplicas: 4")

    assert index.scaled_by(index.workloads[0]) == ()
