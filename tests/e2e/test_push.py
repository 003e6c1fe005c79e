"""One changed line, pushed: live seconds later, in the environment that it names and in no other."""

from __future__ import annotations

import time

import pytest

from cluster.kubectl import Object
from tests.e2e.live import DEV, ENVIRONMENTS, Live, container, with_image

KUSTOMIZATION = "overlays/dev/kustomization.yaml"


def deployment(live: Live, name: str) -> Object:
    found = live.kubectl.get("deployment", name, DEV)
    assert found is not None
    return found


def with_limit(kustomization: str, memory: str) -> str:
    """The text of an overlay, with another memory limit for the frontend."""
    limit = f"op: replace, path: /spec/template/spec/containers/0/resources/limits/memory, value: {memory}"
    patch = f"  - target:\n      kind: Deployment\n      name: frontend\n    patch: |-\n      - {{{limit}}}\n"
    return kustomization.replace("patches:\n", f"patches:\n{patch}", 1)


def test_image_replicas_and_limit_go_live_and_come_back(dev: Live) -> None:
    others = {environment: dev.generations(environment) for environment in ("staging", "prod")}
    before = deployment(dev, "frontend")
    digest = dev.digest(5)
    dev.edit(KUSTOMIZATION, lambda text: with_image(text, digest))
    dev.deploy("dev", "A frontend of another image")
    assert container(deployment(dev, "frontend"))["image"].endswith(digest)

    dev.edit(KUSTOMIZATION, lambda text: text + "replicas:\n  - name: frontend\n    count: 3\n")
    dev.deploy("dev", "Three of the frontend")
    assert deployment(dev, "frontend")["status"]["readyReplicas"] == 3

    dev.edit(KUSTOMIZATION, lambda text: with_limit(text, "200Mi"))
    dev.deploy("dev", "More memory for the frontend")
    assert container(deployment(dev, "frontend"))["resources"]["limits"]["memory"] == "200Mi"
    assert {environment: dev.generations(environment) for environment in others} == others

    dev.wait_synced("dev", dev.revert())
    limits = container(deployment(dev, "frontend"))["resources"]["limits"]
    assert limits == container(before)["resources"]["limits"]


def test_commit_that_is_about_nothing_deployed_moves_nothing(dev: Live) -> None:
    """Argo CD looks at commits in their order: once it has synced the second one, it has passed over the first."""

    def syncs() -> dict[str, int]:
        applications = {one: dev.application(one)["status"] for one in ENVIRONMENTS}
        return {environment: status["history"][-1]["id"] for environment, status in applications.items()}

    before, unmoved = syncs(), {one: dev.generations(one) for one in ("staging", "prod")}
    dev.edit("README.md", lambda text: text + "\n")
    dev.push("A line in the README")
    dev.edit(KUSTOMIZATION, lambda text: with_limit(text, "201Mi"))
    dev.deploy("dev", "Something in dev")
    assert syncs() == before | {"dev": before["dev"] + 1}
    assert {one: dev.generations(one) for one in unmoved} == unmoved


@pytest.mark.parametrize("number", range(3))
def test_push_is_live_in_time(deployed: Live, number: int) -> None:
    """Measured, like every plain push of these tests; the summary of the run shows the medians."""
    digest = deployed.digest(number)
    deployed.edit(KUSTOMIZATION, lambda text: with_image(text, digest))
    started = time.monotonic()
    revision = deployed.push(f"A frontend of {digest}")
    deployed.wait_for("it is live", lambda: container(deployment(deployed, "frontend"))["image"].endswith(digest))
    deployed.measure("push to live", started)
    deployed.wait_synced("dev", revision, healthy=False)
    deployed.measure("push to synced", started)
    deployed.wait_synced("dev", revision)
    deployed.measure("push to healthy", started)
