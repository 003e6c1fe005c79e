"""The quota of every environment holds all rollouts of a sync at once, not only the one that weighs most."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest

from .rendered import ENVIRONMENTS, Document, of_kind, one, overlay

SIDES = ("requests", "limits")
RESOURCES = ("cpu", "memory")
UNITS = {"": Decimal(1), "m": Decimal("0.001"), "Mi": Decimal(2**20), "Gi": Decimal(2**30)}


def amount(quantity: str) -> Decimal:
    """Cores or bytes."""
    number, unit = re.fullmatch(r"(\d+)(\w*)", quantity).groups()  # type: ignore[union-attr]
    return Decimal(number) * UNITS[unit]


def pods_at_worst(documents: tuple[Document, ...], workload: Document) -> int:
    """Pods that a quota counts while the workload rolls out; those that end count until they are gone."""
    if workload["kind"] == "Job":
        return 1
    spec = workload["spec"]
    scaled = {
        scaler["spec"]["scaleTargetRef"]["name"]: scaler["spec"]["maxReplicas"]
        for scaler in of_kind(documents, "HorizontalPodAutoscaler")
    }
    replicas: int = scaled[workload["metadata"]["name"]] if "replicas" not in spec else spec["replicas"]
    if workload["kind"] == "StatefulSet":
        # The old pod is gone before the new one is made.
        return replicas
    surge = spec["strategy"]["rollingUpdate"]["maxSurge"]
    assert isinstance(surge, int)
    return replicas + 2 * surge


def needed(documents: tuple[Document, ...]) -> dict[str, Decimal]:
    total = dict.fromkeys(("pods", *(f"{side}.{name}" for side in SIDES for name in RESOURCES)), Decimal(0))
    for workload in of_kind(documents, "Deployment", "StatefulSet", "Job"):
        count = pods_at_worst(documents, workload)
        total["pods"] += count
        spec = workload["spec"]["template"]["spec"]
        assert "initContainers" not in spec
        for container in spec["containers"]:
            for side in SIDES:
                for name in RESOURCES:
                    total[f"{side}.{name}"] += count * amount(container["resources"][side][name])
    return total


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_quota_holds_all_rollouts_at_once(environment: str) -> None:
    hard = one(overlay(environment), "ResourceQuota", "platform")["spec"]["hard"]
    total = needed(overlay(environment))
    assert {key: str(value) for key, value in total.items() if value > amount(hard[key])} == {}
