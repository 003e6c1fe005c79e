"""The autoscaler follows what pods really use, and Argo CD leaves its number of replicas alone."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from cluster.repository import ROOT
from tests.live.full import DEV, Full

SETTINGS = "overlays/dev/product-service-autoscaling.yaml"
NAME = "product-service"
LOAD_SECONDS = 240


@pytest.fixture
def idle(dev: Full) -> Iterator[Full]:
    """The autoscaler looks back five minutes before it takes a pod away: here it may at once, by a pushed change."""
    behavior = "  behavior:\n    scaleDown:\n      stabilizationWindowSeconds: 0\n      policies:\n"
    behavior += "        - type: Percent\n          value: 100\n          periodSeconds: 15\n"
    dev.edit(SETTINGS, lambda text: text + behavior)
    dev.wait_synced("dev", dev.push("An autoscaler that does not wait"))
    yield dev
    dev.edit(SETTINGS, lambda text: text.replace(behavior, ""))
    dev.wait_synced("dev", dev.push("An autoscaler that waits again"))


def test_load_brings_replicas_and_they_go_again(idle: Full) -> None:
    def replicas() -> int:
        found = idle.kubectl.get("deployment", NAME, DEV)
        assert found is not None
        return int(found["spec"]["replicas"])

    def is_synced() -> bool:
        return bool(idle.application("dev")["status"]["sync"]["status"] == "Synced")

    idle.wait_for("the autoscaler has its minimum", lambda: replicas() == 2)
    started = idle.application("dev")["status"]["operationState"]["startedAt"]
    service = idle.kubectl.get("service", NAME, DEV)
    assert service is not None
    address, port = service["spec"]["clusterIP"], str(service["spec"]["ports"][0]["port"])
    command = [sys.executable, "-m", "tests.live.load", address, port, str(LOAD_SECONDS)]
    loads = [subprocess.Popen(command, cwd=ROOT) for _ in range(4)]
    try:
        idle.wait_for("the autoscaler asks for more", lambda: replicas() > 2, seconds=LOAD_SECONDS)
        assert is_synced()
    finally:
        for load in loads:
            load.terminate()
            load.wait()
    idle.wait_for("the autoscaler goes back to its minimum", lambda: replicas() == 2)
    assert is_synced()
    assert idle.application("dev")["status"]["operationState"]["startedAt"] == started
