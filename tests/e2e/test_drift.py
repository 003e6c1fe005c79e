"""What is changed past Git comes back; what Git no longer holds goes, unless a person has to say so."""

from __future__ import annotations

import datetime
import json
import time

import pytest

from cluster.kubectl import Object
from cluster.metrics import set_usage
from tests.e2e.frontend import KUSTOMIZATION
from tests.e2e.live import DEV, Live


def removal(kind: str, name: str, group: str = "apps/v1") -> str:
    """A patch entry of a kustomization that takes an object of base away."""
    patch = {"$patch": "delete", "apiVersion": group, "kind": kind, "metadata": {"name": name}}
    return f"  - patch: '{json.dumps(patch)}'\n"


def without(kustomization: str, entry: str) -> str:
    """With a removal as the last of its patches: another patch may be about the same object."""
    return kustomization.replace("images:\n", f"{entry}images:\n", 1)


def test_edits_and_deletions_are_undone(dev: Live) -> None:
    kubectl = dev.kubectl
    policy = kubectl.get("networkpolicy", "default-deny", DEV)
    assert policy is not None
    before = kubectl.get("deployment", "frontend", DEV)
    assert before is not None
    started = time.monotonic()
    kubectl.run("scale", "deployment", "frontend", "--namespace", DEV, "--replicas=4")
    kubectl.run("delete", "networkpolicy", "default-deny", "--namespace", DEV)
    kubectl.patch("service", "frontend", DEV, {"metadata": {"labels": {"app.kubernetes.io/part-of": "another"}}})

    def is_healed() -> bool:
        frontend, back = (
            kubectl.get(*one, DEV) for one in (("deployment", "frontend"), ("networkpolicy", "default-deny"))
        )
        service = kubectl.get("service", "frontend", DEV)
        return bool(
            back is not None
            and back["metadata"]["uid"] != policy["metadata"]["uid"]
            and back["spec"] == policy["spec"]
            and frontend is not None
            and frontend["spec"]["replicas"] == before["spec"]["replicas"]
            and service is not None
            and service["metadata"]["labels"]["app.kubernetes.io/part-of"] == "ecommerce"
        )

    dev.wait_for("drift is healed", is_healed)
    dev.measure("drift to healed", started)


def test_removed_object_is_pruned(dev: Live) -> None:
    entry = removal("PodDisruptionBudget", "frontend", "policy/v1")
    dev.edit(KUSTOMIZATION, lambda text: without(text, entry))
    started = time.monotonic()
    dev.push("No disruption budget for the frontend")
    dev.wait_for("it is pruned", lambda: dev.kubectl.get("poddisruptionbudget", "frontend", DEV) is None)
    dev.measure("push to pruned", started)
    dev.revert()
    dev.wait_for("it is back", lambda: dev.kubectl.get("poddisruptionbudget", "frontend", DEV))


def test_what_holds_data_goes_only_when_a_person_confirms(dev: Live) -> None:
    store = dev.kubectl.get("statefulset", "redis", DEV)
    claim = dev.kubectl.get("persistentvolumeclaim", "data-redis-0", DEV)
    assert store is not None
    assert claim is not None
    entries = removal("StatefulSet", "redis")
    dev.edit(KUSTOMIZATION, lambda text: without(text, entries))
    revision = dev.push("No Redis")

    def waits() -> bool:
        state = dev.application("dev")["status"].get("operationState", {})
        return bool("prun" in state.get("message", "") and "redis" in state["message"] and state["phase"] == "Running")

    dev.wait_for("Argo CD asks for a confirmation", waits)
    time.sleep(2)  # it would have gone by now
    kept = dev.kubectl.get("statefulset", "redis", DEV)
    assert kept is not None
    assert kept["metadata"]["uid"] == store["metadata"]["uid"]
    assert "deletionTimestamp" not in kept["metadata"]

    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    approval = {"metadata": {"annotations": {"argocd.argoproj.io/deletion-approved": now}}}
    dev.kubectl.patch("applications.argoproj.io", "ecommerce-dev", "argocd", approval)
    dev.wait_for("it is deleted", lambda: dev.kubectl.get("statefulset", "redis", DEV) is None)
    dev.wait_synced("dev", revision, healthy=False)
    same = dev.kubectl.get("persistentvolumeclaim", "data-redis-0", DEV)
    assert same is not None, "the data must survive the StatefulSet"
    assert same["metadata"]["uid"] == claim["metadata"]["uid"]
    dev.wait_synced("dev", dev.revert())


def test_namespace_goes_only_when_a_person_confirms(dev: Live) -> None:
    namespace = dev.kubectl.get("namespace", DEV)
    assert namespace is not None
    entry = removal("Namespace", "ecommerce", "v1")
    dev.edit(KUSTOMIZATION, lambda text: without(text, entry))
    dev.push("No namespace")

    def state() -> Object:
        found: Object = dev.application("dev")["status"].get("operationState", {})
        return found

    dev.wait_for("Argo CD asks for a confirmation", lambda: "Namespace" in state().get("message", ""))
    time.sleep(2)
    kept = dev.kubectl.get("namespace", DEV)
    assert kept is not None
    assert "deletionTimestamp" not in kept["metadata"]
    # A waiting sync keeps the next commit out: `argocd app terminate-op` is what a person would say.
    terminate = {"status": {"operationState": {"phase": "Terminating"}}}
    dev.kubectl.patch("applications.argoproj.io", "ecommerce-dev", "argocd", terminate)
    dev.wait_for("the sync is given up", lambda: state().get("phase") in ("Failed", "Error"))
    dev.wait_synced("dev", dev.revert())
    same = dev.kubectl.get("namespace", DEV)
    assert same is not None
    assert same["metadata"]["uid"] == namespace["metadata"]["uid"]


@pytest.fixture
def idle(dev: Live) -> Live:
    """The autoscaler looks back five minutes before it takes a pod away: here it may at once, by a pushed change."""
    behavior = "  behavior:\n    scaleDown:\n      stabilizationWindowSeconds: 0\n      policies:\n"
    behavior += "        - type: Percent\n          value: 100\n          periodSeconds: 15\n"
    dev.edit("overlays/dev/product-service-autoscaling.yaml", lambda text: text.rstrip("\n") + "\n" + behavior)
    dev.deploy("dev", "An autoscaler that does not wait")
    return dev


@pytest.mark.own_cluster(reason="what pods use is said by a stand-in for metrics-server, which a named cluster has not")
def test_replicas_of_the_autoscaler_are_not_fought_over(idle: Live) -> None:
    def replicas() -> int:
        found = idle.kubectl.get("deployment", "product-service", DEV)
        assert found is not None
        return int(found["spec"]["replicas"])

    assert replicas() == 2
    sync = idle.application("dev")["status"]["operationState"]["startedAt"]
    set_usage(idle.cluster.state, DEV, "product-service", "180m")
    try:
        idle.wait_for("the autoscaler asks for its maximum", lambda: replicas() == 4)
        seen = set()
        for _ in range(5):
            seen.add((replicas(), idle.application("dev")["status"]["sync"]["status"]))
            time.sleep(1)
        assert seen == {(4, "Synced")}
    finally:
        set_usage(idle.cluster.state, DEV, "product-service", "1m")
    idle.wait_for("the autoscaler goes back to its minimum", lambda: replicas() == 2)
    assert idle.application("dev")["status"]["sync"]["status"] == "Synced"
    assert idle.application("dev")["status"]["operationState"]["startedAt"] == sync
