"""One cluster with pods for the session, started and taken down by the commands of the README. Needs root."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.namespaces import in_network
from cluster.pod_tier import PodCluster
from cluster.repository import ROOT, git
from cluster.state import State
from tests.live.full import DEV, Full, is_ready, left_behind, network_of_host

STARTED = pytest.StashKey[Full]()


def pytest_ignore_collect(config: pytest.Config) -> bool | None:
    """Only those who name this folder, or a file of it, run its tests: they start a cluster, as root."""
    here, start = Path(__file__).resolve().parent, config.invocation_params.dir
    named = [(start / one.partition("::")[0]).resolve() for one in config.args]
    return None if any(one.is_relative_to(here) for one in named) else True


def run_cluster(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cluster", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.fixture(scope="session")
def full(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Full]:
    """This process is in the cluster's network meanwhile."""
    folder = tmp_path_factory.mktemp("live") / "cluster"
    state = State(folder)
    session = Full(PodCluster(state))
    request.config.stash[STARTED] = session
    before, started = network_of_host(), time.monotonic()
    try:
        done = run_cluster("up", "--state", folder)
        assert done.returncode == 0, done.stderr
        session.seconds["up, from nothing"] = time.monotonic() - started
        assert network_of_host() == before
        first = session.cluster.machine.process.pid()
        assert first is not None
        with in_network(first):
            yield session
            session.counts["MiB of memory, all processes"] = session.cluster.memory() // 2**20
    finally:
        if request.session.testsfailed:
            print("\n".join(f"{one.name}: {one.last_lines(5)}" for one in state.processes()))
        started = time.monotonic()
        done = run_cluster("down", "--state", folder)
        session.seconds["down"] = time.monotonic() - started
    assert (done.returncode, done.stderr) == (0, "")
    assert left_behind(folder) == []
    assert not folder.exists()
    assert network_of_host() == before


@pytest.fixture(scope="session")
def dev(full: Full) -> Full:
    """The environment whose pods are real, as the first commit says."""
    started = time.monotonic()
    full.wait_synced("dev", git(full.cluster.state.clone, "rev-parse", "HEAD").strip(), seconds=600)
    full.seconds["from up to all real pods healthy"] = time.monotonic() - started
    pods = [one for one in full.pods(DEV) if one["status"]["phase"] != "Succeeded"]
    assert pods
    assert all(is_ready(one) for one in pods)
    return full


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    session = config.stash.get(STARTED, None)
    if session is not None:
        for what, seconds in sorted(session.seconds.items()):
            terminalreporter.write_line(f"{what}: {seconds:.1f} s")
        for what, count in sorted(session.counts.items()):
            terminalreporter.write_line(f"{what}: {count}")
