"""One changed line, pushed: live seconds later, in the environment that it names and in no other."""

from __future__ import annotations

import time

from tests.e2e.live import DEV, Live, container, with_image

KUSTOMIZATION = "overlays/dev/kustomization.yaml"
DIGEST = "sha256:" + "5" * 64


def deployment(live: Live, name: str) -> dict[str, object]:
    found = live.kubectl.get("deployment", name, DEV)
    assert found is not None
    return found


def test_image_replicas_and_limit_go_live_and_come_back(dev: Live) -> None:
    others = {environment: dev.generations(environment) for environment in ("staging", "prod")}
    before = deployment(dev, "frontend")
    dev.edit(KUSTOMIZATION, lambda text: with_image(text, DIGEST))
    started = time.monotonic()
    image = dev.push("A frontend of another image")
    dev.wait_for("the image is live", lambda: str(container(deployment(dev, "frontend"))["image"]).endswith(DIGEST))
    dev.measure("push to live", started)
    dev.wait_synced("dev", image, healthy=False)
    dev.measure("push to synced", started)
    dev.wait_synced("dev", image)
    dev.measure("push to healthy", started)

    dev.edit(KUSTOMIZATION, lambda text: text + "replicas:\n  - name: frontend\n    count: 3\n")
    dev.wait_synced("dev", dev.push("Three of the frontend"))
    status = deployment(dev, "frontend")["status"]
    assert isinstance(status, dict)
    assert status["readyReplicas"] == 3

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
