"""The real pods of dev: they run, they start twice, and what they wrote outlives them and a restart of the node."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cluster.fake_node import NODE as FAKE
from cluster.node import NAME as REAL
from tests.e2e.live import ENVIRONMENTS
from tests.live.full import DEV, Full, is_ready

DATABASE = "users-db-0"


def test_only_dev_is_on_the_real_node(dev: Full) -> None:
    assert {pod["spec"]["nodeName"] for pod in dev.pods(DEV)} == {REAL}
    for environment in ("staging", "prod"):
        assert {pod["spec"].get("nodeName", FAKE) for pod in dev.pods(ENVIRONMENTS[environment])} <= {FAKE}


def test_no_object_was_rejected(dev: Full) -> None:
    events = dev.kubectl.list("events", DEV)
    refused = [one["message"] for one in events if one.get("reason") in ("FailedCreate", "PolicyViolation")]
    assert refused == []


@pytest.fixture(scope="module")
def row(dev: Full) -> Iterator[str]:
    """A row of a database, and how it is read again."""
    query(dev, "CREATE TABLE live (said text); INSERT INTO live VALUES ('kept')")
    yield "SELECT said FROM live"
    query(dev, "DROP TABLE live")


def query(full: Full, statement: str) -> str:
    # On the pod's own address PostgreSQL asks for the password that the Job made.
    script = 'PGPASSWORD="$(cat "$POSTGRES_PASSWORD_FILE")" exec psql --host="$(hostname -i)" -U "$POSTGRES_USER"'
    return full.execute(DATABASE, "sh", "-c", f'{script} -d "$POSTGRES_DB" -qtAc "$1"', "sh", statement)


def test_rows_outlive_the_pod(dev: Full, row: str) -> None:
    before = {pod["metadata"]["name"]: pod["metadata"]["uid"] for pod in dev.pods()}
    dev.kubectl.run("delete", "pods", "--namespace", DEV, "--all", "--wait=false")

    def everyone_again() -> bool:
        pods = dev.pods()
        new = all(before.get(pod["metadata"]["name"]) != pod["metadata"]["uid"] for pod in pods)
        return new and all(map(is_ready, pods)) and DATABASE in {pod["metadata"]["name"] for pod in pods}

    dev.wait_for("every pod has started a second time", everyone_again)
    assert query(dev, row) == "kept"
    dev.wait_synced("dev", dev.revision())


def test_rows_outlive_a_restart_of_the_node(dev: Full, row: str) -> None:
    restarts = {pod["metadata"]["uid"] for pod in dev.pods()}
    node = dev.cluster.node
    node.crash()
    assert node.cgroups.processes() == set()
    node.start()

    def everyone_again() -> bool:
        pods = dev.pods()
        restarted = all(sum(one["restartCount"] for one in pod["status"]["containerStatuses"]) for pod in pods)
        return {pod["metadata"]["uid"] for pod in pods} == restarts and restarted and all(map(is_ready, pods))

    dev.wait_for("the same pods run again", everyone_again)
    assert query(dev, row) == "kept"
    dev.wait_synced("dev", dev.revision())
