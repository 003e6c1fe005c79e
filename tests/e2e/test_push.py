"""One changed line, pushed: live seconds later, in the environment that it names and in no other."""

from __future__ import annotations

import time

import pytest

from cluster.kubectl import Object
from tests.e2e.live import DEV, Live, container, with_image

KUSTOMIZATION = "overlays/dev/kustomization.yaml"
DIGEST = "sha256:" + "5" * 64


def deployment(live: Live, name: str) -> Object:
    found = live.kubectl.get("deployment", name, DEV)
    assert found is not None
    return found


def test_image_replicas_and_limit_go_live_and_come_back(dev: Live) -> None:
    others = {environment: dev.generations(environment) for environment in ("staging", "prod")}
    before = deployment(dev, "frontend")
    dev.edit(KUSTOMIZATION, lambda text: with_image(text, DIGEST))
    dev.wait_synced("dev", dev.push("A frontend of another image"))
    assert container(deployment(dev, "frontend"))["image"].endswith(DIGEST)

    dev.edit(KUSTOMIZATION, lambda text: text + "replicas:\n  - name: frontend\n    count: 3\n")
    dev.wait_synced("dev", dev.push("Three of the frontend"))
    assert deployment(dev, "frontend")["status"]["readyReplicas"] == 3

    limit = "op: replace, path: /spec/template/spec/containers/0/resources/limits/memory, value: 200Mi"
    patch = f"  - target:\n      kind: Deployment\n      name: frontend\n    patch: |-\n      - {{{limit}}}\n"
    dev.edit(KUSTOMIZATION, lambda text: text.replace("patches:\n", f"patches:\n{patch}", 1))
    dev.wait_synced("dev", dev.push("More memory for the frontend"))
    assert container(deployment(dev, "frontend"))["resources"]["limits"]["memory"] == "200Mi"
    assert {environment: dev.generations(environment) for environment in others} == others

    dev.wait_synced("dev", dev.revert())
    limits = container(deployment(dev, "frontend"))["resources"]["limits"]
    assert limits == container(before)["resources"]["limits"]


def test_commit_that_is_about_nothing_deployed_moves_nothing(dev: Live) -> None:
    before = {environment: dev.application(environment)["status"]["sync"] for environment in ("dev", "staging")}
    dev.edit("README.md", lambda text: text + "\n")
    dev.push("A line in the README")
    dev.edit(KUSTOMIZATION, lambda text: text + "commonAnnotations:\n  changed: in dev alone\n")
    dev.wait_synced("dev", dev.push("Something in dev"))
    assert dev.application("staging")["status"]["sync"]["comparedTo"] == before["staging"]["comparedTo"]
    assert dev.application("dev")["status"]["sync"]["revision"] != before["dev"]["revision"]


@pytest.mark.parametrize("digit", "0123456789")
def test_push_is_live_in_time(deployed: Live, digit: str) -> None:
    """Ten pushes in a row, measured; the summary of the run shows the median."""
    digest = "sha256:" + digit * 64
    deployed.edit(KUSTOMIZATION, lambda text: with_image(text, digest))
    started = time.monotonic()
    revision = deployed.push(f"A frontend of {digest}")
    deployed.wait_for("it is live", lambda: container(deployment(deployed, "frontend"))["image"].endswith(digest))
    deployed.measure("push to live", started)
    deployed.wait_synced("dev", revision, healthy=False)
    deployed.measure("push to synced", started)
    deployed.wait_synced("dev", revision)
    deployed.measure("push to healthy", started)
