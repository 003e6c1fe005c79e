"""One changed line, pushed: live seconds later, in the environment that it names and in no other."""

from __future__ import annotations

import pytest

from tests.e2e.frontend import KUSTOMIZATION, container, frontend, with_image, with_limit, with_replicas
from tests.e2e.live import ENVIRONMENTS, Live


def test_image_replicas_and_limit_go_live_and_come_back(dev: Live) -> None:
    others = {environment: dev.generations(environment) for environment in ("staging", "prod")}
    before = frontend(dev)
    digest = dev.digest(5)
    dev.edit(KUSTOMIZATION, lambda text: with_image(text, digest))
    dev.deploy("dev", "A frontend of another image")
    assert container(frontend(dev))["image"].endswith(digest)

    dev.edit(KUSTOMIZATION, lambda text: with_replicas(text, 3))
    dev.deploy("dev", "Three of the frontend")
    assert frontend(dev)["status"]["readyReplicas"] == 3

    dev.edit(KUSTOMIZATION, lambda text: with_limit(text, "200Mi"))
    dev.deploy("dev", "More memory for the frontend")
    assert container(frontend(dev))["resources"]["limits"]["memory"] == "200Mi"
    assert {environment: dev.generations(environment) for environment in others} == others

    dev.wait_synced("dev", dev.revert())
    limits = container(frontend(dev))["resources"]["limits"]
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

    def is_live() -> bool:
        return bool(container(frontend(deployed))["image"].endswith(digest))

    deployed.deploy("dev", f"A frontend of {digest}", is_live=is_live)
