"""Whatever dies in the middle: started again, the cluster becomes what Git says."""

from __future__ import annotations

import pytest

from tests.e2e.faults import Faults
from tests.e2e.live import Live

pytestmark = pytest.mark.own_cluster(reason="the processes of a named cluster are not ours to kill")


@pytest.fixture
def faults(dev: Live) -> Faults:
    return Faults(dev, starts_pods="kwok", flags=("--no-pods",))


def test_application_controller_is_killed_in_the_middle_of_a_sync(faults: Faults) -> None:
    faults.kill_controller_in_a_sync()


def test_api_server_is_killed_during_a_push(faults: Faults) -> None:
    live = faults.live
    before = {environment: live.generations(environment) for environment in ("staging", "prod")}
    with faults.api_server_killed_in_a_push():
        pass
    assert {environment: live.generations(environment) for environment in before} == before
