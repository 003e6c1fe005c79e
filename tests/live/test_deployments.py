"""What `up` says of a pod of its own that does not become ready."""

from __future__ import annotations

import pytest

from cluster.deployments import until_ready
from cluster.errors import ClusterError
from tests.live.full import DEV, Full

NAMESPACE = "in-vain"


def test_last_words_of_a_pod_are_told(dev: Full) -> None:
    frontend = dev.kubectl.get("deployment", "frontend", DEV)
    assert frontend is not None
    labels = {"app": "crashing"}
    image = frontend["spec"]["template"]["spec"]["containers"][0]["image"]
    container = {
        "name": "one",
        "image": image,
        "args": ["-nonsense"],
        "readinessProbe": {"httpGet": {"path": "/", "port": 8080}},  # without one it is ready for a moment
    }
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "crashing", "namespace": NAMESPACE},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }
    dev.kubectl.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}, deployment)
    try:
        with pytest.raises(ClusterError) as raised:
            until_ready(dev.kubectl, "crashing", NAMESPACE, seconds=15)
    finally:
        dev.kubectl.run("delete", "namespace", NAMESPACE, "--wait=false")
    first, state, *said = str(raised.value).split("\n  ")
    assert first == "waited 15 s in vain: a pod of crashing is ready"
    assert state.startswith("crashing-")
    assert "flag provided but not defined: -nonsense" in said
