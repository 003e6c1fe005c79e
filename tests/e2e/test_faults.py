"""Whatever dies in the middle: started again, the cluster becomes what Git says."""

from __future__ import annotations

import os
import signal
import time

import pytest

from cluster.argocd import CONTROLLER
from tests.e2e.conftest import run_cluster
from tests.e2e.live import DEV, Live, container, with_image

KUSTOMIZATION = "overlays/dev/kustomization.yaml"
pytestmark = pytest.mark.own_cluster(reason="the processes of a named cluster are not ours to kill")


def push_image(live: Live, number: int) -> str:
    """Another image for the frontend, pushed: the commit."""
    digest = live.digest(number)
    live.edit(KUSTOMIZATION, lambda text: with_image(text, digest))
    return live.push(f"A frontend of {digest}")


def bring_back(live: Live) -> None:
    """By the command that a person would use: it starts what is missing."""
    done = run_cluster("up", "--no-pods", "--state", live.cluster.state.folder)
    assert done.returncode == 0, done.stderr


def image(live: Live) -> str:
    frontend = live.kubectl.get("deployment", "frontend", DEV)
    assert frontend is not None
    return str(container(frontend)["image"])


def test_application_controller_is_killed_in_the_middle_of_a_sync(dev: Live) -> None:
    state = dev.cluster.state
    node = state.process("kwok").pid()
    assert node is not None
    os.kill(node, signal.SIGSTOP)  # no pod begins or ends, so the sync stays in its middle
    try:
        revision = push_image(dev, 6)

        def waits_for_the_job() -> bool:
            """For the end of the last one's pod, or for that of the new one."""
            status = dev.application("dev")["status"].get("operationState", {})
            is_ours = status.get("operation", {}).get("sync", {}).get("revision") == revision
            return bool(is_ours and status.get("message", "").startswith("waiting for"))

        dev.wait_for("the sync waits for its Job", waits_for_the_job)
        state.process(CONTROLLER).kill()
    finally:
        os.kill(node, signal.SIGCONT)
    assert not image(dev).endswith(dev.digest(6)), "it was killed too late to say anything"
    started = time.monotonic()
    bring_back(dev)
    dev.wait_synced("dev", revision)
    dev.measure("controller killed to healthy", started)
    assert image(dev).endswith(dev.digest(6))


def test_api_server_is_killed_during_a_push(dev: Live) -> None:
    server = dev.cluster.state.process("kube-apiserver")
    before = {environment: dev.generations(environment) for environment in ("staging", "prod")}
    revision = push_image(dev, 7)
    server.kill()
    started = time.monotonic()
    bring_back(dev)
    # What Argo CD says right after the server is back may be from before, so what runs is asked first.
    dev.wait_for("the image is live", lambda: image(dev).endswith(dev.digest(7)))
    dev.wait_synced("dev", revision)
    dev.measure("API server killed to healthy", started)
    assert {environment: dev.generations(environment) for environment in before} == before
