"""Whatever dies in the middle: started again, the cluster becomes what Git says."""

from __future__ import annotations

import time

from cluster.argocd import CONTROLLER
from tests.e2e.conftest import run_cluster
from tests.e2e.live import DEV, POLL_SECONDS, Live, container, with_image

KUSTOMIZATION = "overlays/dev/kustomization.yaml"


def push_image(live: Live, digit: str) -> str:
    """Another image for the frontend, pushed: the commit."""
    digest = "sha256:" + digit * 64
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
    revision = push_image(dev, "6")

    def syncs() -> bool:
        state = dev.application("dev")["status"].get("operationState", {})
        return bool(state.get("operation", {}).get("sync", {}).get("revision") == revision)

    dev.wait_for("the sync has begun", syncs)
    phase = dev.application("dev")["status"]["operationState"]["phase"]
    dev.cluster.state.process(CONTROLLER).kill()
    assert phase == "Running", "it was killed too late to say anything"
    started = time.monotonic()
    bring_back(dev)
    dev.wait_synced("dev", revision, seconds=POLL_SECONDS)
    dev.measure("controller killed to healthy", started)
    assert image(dev).endswith("6" * 64)


def test_api_server_is_killed_during_a_push(dev: Live) -> None:
    server = dev.cluster.state.process("kube-apiserver")
    before = {environment: dev.generations(environment) for environment in ("staging", "prod")}
    revision = push_image(dev, "7")
    server.kill()
    started = time.monotonic()
    bring_back(dev)
    dev.wait_synced("dev", revision, seconds=POLL_SECONDS)
    dev.measure("API server killed to healthy", started)
    assert image(dev).endswith("7" * 64)
    assert {environment: dev.generations(environment) for environment in before} == before
