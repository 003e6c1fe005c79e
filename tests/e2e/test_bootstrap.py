"""`kubectl apply -k argocd/` brings everything up, and nothing is rejected on the way."""

from __future__ import annotations

import subprocess
from itertools import pairwise

import pytest
import yaml

from cluster.errors import ClusterError
from cluster.kubectl import Object
from cluster.repository import ROOT
from tests.e2e.live import ENVIRONMENTS, Live, conditions

PROJECTS = {"ecommerce-dev", "ecommerce-staging", "ecommerce-prod"}


def rendered(live: Live, environment: str) -> list[Object]:
    kustomize = ROOT / ".tools" / "bin" / "kustomize"
    folder = live.cluster.state.clone / "overlays" / environment
    text = subprocess.run([kustomize, "build", folder], capture_output=True, text=True, check=True).stdout
    return list(yaml.safe_load_all(text))


def wave(manifest: Object) -> int:
    return int(manifest["metadata"].get("annotations", {}).get("argocd.argoproj.io/sync-wave", "0"))


def test_projects_and_applications_are_there(live: Live) -> None:
    projects = {one["metadata"]["name"] for one in live.kubectl.list("appprojects.argoproj.io", "argocd")}
    assert projects == {"argocd", "default", *PROJECTS}
    applications = {one["metadata"]["name"] for one in live.kubectl.list("applications.argoproj.io", "argocd")}
    assert applications == {"argocd", *PROJECTS}


def test_argo_cd_manages_itself(deployed: Live) -> None:
    def is_synced() -> bool:
        found = deployed.kubectl.get("applications.argoproj.io", "argocd", "argocd")
        status = (found or {}).get("status", {})
        return bool(status.get("sync", {}).get("status") == "Synced" and status["health"]["status"] == "Healthy")

    deployed.wait_for("Argo CD has applied its own settings", is_synced)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_environment_is_synced_and_healthy(deployed: Live, environment: str) -> None:
    status = deployed.application(environment)["status"]
    assert (status["sync"]["status"], status["health"]["status"]) == ("Synced", "Healthy")
    assert conditions(deployed.application(environment)) == {}
    # A later sync that had nothing to do lists no resources; what controllers were refused, the events say below.
    said = {one["message"] for one in status["operationState"]["syncResult"].get("resources", ())}
    assert not {message for message in said if "arning" in message or "forbidden" in message}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_everything_rendered_is_there_in_the_order_of_the_waves(deployed: Live, environment: str) -> None:
    manifests = rendered(deployed, environment)
    kinds = ",".join(sorted({one["kind"].lower() for one in manifests if one["kind"] != "Namespace"}))
    found = {
        (one["kind"], one["metadata"]["name"]): one["metadata"]["creationTimestamp"]
        for one in deployed.kubectl.list(kinds, ENVIRONMENTS[environment])
    }
    made: dict[int, list[str]] = {}
    for one in manifests:
        if one["kind"] != "Namespace":
            made.setdefault(wave(one), []).append(found[one["kind"], one["metadata"]["name"]])
    assert len(made) > 3, "the waves are what this test is about"
    ordered = [made[number] for number in sorted(made)]
    assert all(max(earlier) <= min(later) for earlier, later in pairwise(ordered))


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_replica_is_admitted(deployed: Live, environment: str) -> None:
    """By quota, limits and pod security: none is missing, and no controller was refused one."""
    namespace = ENVIRONMENTS[environment]
    workloads = deployed.kubectl.list("deployments,statefulsets", namespace)
    lacking = {
        one["metadata"]["name"]: one["status"]
        for one in workloads
        if one["status"].get("readyReplicas", 0) != one["spec"]["replicas"] or one["spec"]["replicas"] == 0
    }
    assert len(workloads) == 9
    assert lacking == {}
    events = deployed.kubectl.list("events", namespace)
    refused = [one["message"] for one in events if one["reason"].startswith("Failed") and "reate" in one["reason"]]
    assert refused == []


def test_pods_that_break_the_rules_are_rejected(deployed: Live) -> None:
    """So that an empty list of rejections above says something: the same API server refuses these."""
    pod: Object = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "intruder", "namespace": ENVIRONMENTS["dev"]},
        "spec": {
            "containers": [
                {"name": "intruder", "image": "example.test/intruder", "securityContext": {"privileged": True}}
            ]
        },
    }
    with pytest.raises(ClusterError, match="violates PodSecurity"):
        deployed.kubectl.apply(pod)
    greedy = {"requests": {"cpu": "100"}, "limits": {"cpu": "100", "memory": "1Gi"}}
    context = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "runAsNonRoot": True}
    one = {"name": "intruder", "image": "example.test/intruder", "resources": greedy}
    one["securityContext"] = context | {"seccompProfile": {"type": "RuntimeDefault"}}
    pod["spec"] = {"containers": [one]}
    with pytest.raises(ClusterError, match="exceeded quota: platform"):
        deployed.kubectl.apply(pod)
