"""What dies in the middle of a push: started again, all becomes what Git says, and what ran has run all the while."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from cluster.node import KUBELET
from cluster.waiting import answers
from tests.e2e.faults import Faults
from tests.e2e.live import ENVIRONMENTS
from tests.live.full import DEV, Full

CHANGED = ("credentials", "frontend")
"""Whose pods are started anew by the push."""


@pytest.fixture
def faults(pushed: Full) -> Iterator[Faults]:
    """Whatever the fault, nothing is lost by it."""
    before, others = kept(pushed), {one: pushed.generations(one) for one in ENVIRONMENTS if one != "dev"}
    yield Faults(pushed, starts_pods=KUBELET)
    assert kept(pushed) == before
    assert {one: pushed.generations(one) for one in others} == others


def kept(full: Full) -> dict[str, Any]:
    """Of dev: what holds its data, the very pods that no push is about, and how often their containers started."""
    found = {
        f"{one['kind']}/{one['metadata']['name']}": one["metadata"]["uid"]
        for one in full.kubectl.list("persistentvolumeclaims,secrets", DEV)
    }
    assert len(found) == 8
    pods = [one for one in full.pods() if one["metadata"]["labels"]["app.kubernetes.io/name"] not in CHANGED]
    assert pods
    return found | {
        one["metadata"]["uid"]: [container["restartCount"] for container in one["status"]["containerStatuses"]]
        for one in pods
    }


def test_application_controller_is_killed_in_the_middle_of_a_sync(faults: Faults) -> None:
    faults.kill_controller_in_a_sync()


def test_api_server_is_killed_during_a_push(faults: Faults) -> None:
    """Meanwhile every service answers at its address."""
    services = faults.live.kubectl.list("services", DEV)
    ports = [(one["spec"]["clusterIP"], port) for one in services for port in one["spec"]["ports"]]
    urls = [f"http://{address}:{port['port']}/health/ready" for address, port in ports if port["name"] == "http"]
    assert len(urls) == 5
    with faults.api_server_killed_in_a_push():
        assert [url for url in urls if not answers(url)] == []
