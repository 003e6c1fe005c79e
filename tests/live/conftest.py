"""One cluster with pods for the session, started and taken down by the commands of the README. Needs root."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.namespaces import in_network
from cluster.pod_tier import PodCluster
from cluster.repository import git
from cluster.state import State
from tests.e2e.live import brought_back, measured, run_cluster, wait_deployed
from tests.live.full import DEV, Full, is_ready, left_behind, network_of_host, two_frontends

STARTED = pytest.StashKey[Full]()


def pytest_ignore_collect(config: pytest.Config) -> bool | None:
    """Only those who name this folder, or a file of it, run its tests: they start a cluster, as root."""
    here, start = Path(__file__).resolve().parent, config.invocation_params.dir
    named = [(start / one.partition("::")[0]).resolve() for one in config.args]
    return None if any(one.is_relative_to(here) for one in named) else True


@pytest.fixture(scope="session")
def full(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Full]:
    """This process is in the cluster's network meanwhile."""
    folder = tmp_path_factory.mktemp("live") / "cluster"
    state = State(folder)
    before = network_of_host()
    session = Full(PodCluster(state), started=time.monotonic())
    request.config.stash[STARTED] = session
    try:
        done = run_cluster("up", "--state", folder)
        assert done.returncode == 0, done.stderr
        session.measure("up, from nothing", session.started)
        assert network_of_host() == before
        first = session.cluster.machine.process.pid()
        assert first is not None
        with in_network(first):
            yield session
            session.memory = session.cluster.memory()
    finally:
        session.say_last_words(request.session)
        ending = time.monotonic()
        done = run_cluster("down", "--state", folder)
        session.measure("down", ending)
    assert (done.returncode, done.stderr) == (0, "")
    assert left_behind(folder) == []
    assert not folder.exists()
    assert network_of_host() == before


@pytest.fixture(scope="session")
def dev(full: Full) -> Full:
    """The environment whose pods are real, as the first commit says."""
    started = time.monotonic()
    full.wait_synced("dev", git(full.cluster.state.clone, "rev-parse", "HEAD").strip(), seconds=600)
    full.measure("from up to all real pods healthy", started)
    pods = [one for one in full.pods(DEV) if one["status"]["phase"] != "Succeeded"]
    assert pods
    assert all(is_ready(one) for one in pods)
    return full


@pytest.fixture(scope="module")
def pushed(dev: Full, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Full]:
    """For tests that push changes of dev, while nothing else moves: afterwards dev is as before."""
    wait_deployed(dev)
    if not dev.digests:
        dev.digests = two_frontends(dev, tmp_path_factory.mktemp("images") / "frontend")
    with brought_back(dev):
        yield dev


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    session = config.stash.get(STARTED, None)
    if session is not None:
        for line in (*measured(session), *(f"{what}: {count}" for what, count in sorted(session.counts.items()))):
            terminalreporter.write_line(line)
