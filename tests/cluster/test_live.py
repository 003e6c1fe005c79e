"""The waiting of the end-to-end tests: generous with what may still come, and quick with what cannot."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from cluster.kubectl import Object
from cluster.state import State
from cluster.tier import Cluster
from tests.e2e.live import Live, described, is_given_up, is_synced

HERE, BEFORE = "a" * 40, "b" * 40


def application(**status: Any) -> Object:
    return {"metadata": {"name": "shop"}, "status": status}


def synced(phase: str = "Succeeded", health: str = "Healthy") -> Object:
    sync = {"status": "Synced", "revision": HERE}
    return application(sync=sync, health={"status": health}, operationState={"phase": phase})


@pytest.mark.parametrize(
    ("phase", "tried", "given_up"),
    [("Failed", HERE, True), ("Error", HERE, True), ("Failed", BEFORE, False), ("Running", HERE, False)],
)
def test_sync_is_given_up_when_its_last_retry_failed(phase: str, tried: str, given_up: bool) -> None:
    state = {"phase": phase, "syncResult": {"revision": tried}}
    assert is_given_up(application(operationState=state), HERE) == given_up


def test_refused_operation_without_a_result_is_not_ours() -> None:
    assert not is_given_up(application(operationState={"phase": "Error", "syncResult": None}), HERE)
    assert not is_given_up({"metadata": {"name": "shop"}}, HERE)


def test_synced_is_at_the_commit_and_at_rest() -> None:
    assert is_synced(synced(), HERE, healthy=True)
    assert not is_synced(synced(), BEFORE, healthy=True)
    assert not is_synced(synced(phase="Running"), HERE, healthy=False)
    assert not is_synced(synced(health="Progressing"), HERE, healthy=True)
    assert is_synced(synced(health="Progressing"), HERE, healthy=False)


def test_what_keeps_it_from_being_healthy_is_said() -> None:
    late = {"kind": "Deployment", "name": "web", "health": {"status": "Progressing", "message": "0 of 1"}}
    said = described(
        application(
            sync={"status": "OutOfSync", "revision": HERE},
            health={"status": "Progressing"},
            operationState={"phase": "Running", "message": "waiting for healthy state"},
            resources=[late, {"kind": "Service", "name": "web", "health": {"status": "Healthy"}}],
            conditions=[{"type": "ComparisonError", "message": "no such folder"}],
        )
    )
    assert said == (
        "shop is OutOfSync at aaaaaaa; Progressing; operation Running waiting for healthy state;"
        " Deployment/web Progressing 0 of 1; no such folder"
    )


def test_nobody_waits_for_what_a_dead_process_would_do(tmp_path: Path) -> None:
    state = State(tmp_path)
    live = Live(cast(Cluster, SimpleNamespace(state=state)), started=0)
    process = state.process("controller")
    process.start([sys.executable, "-c", "print('out of memory', flush=True)"])
    with pytest.raises(AssertionError, match=r"^controller ended before the sun rises: \['out of memory'"):
        live.wait_for("the sun rises", lambda: None, seconds=60)
