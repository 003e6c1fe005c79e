"""One cluster for the session, started and taken down by the commands of the README, in a folder of its own."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cluster.named import NamedCluster
from cluster.state import State
from cluster.tier import Cluster
from tests.e2e.bound import bounded
from tests.e2e.choice import Choice, choose
from tests.e2e.live import Live, brought_back, left_behind, measured, run_cluster, wait_deployed

STARTED = pytest.StashKey[Live]()
ANY_DIGESTS = tuple(f"sha256:{digit * 64}" for digit in "0123456789")
"""Where no node pulls an image, none has to exist."""

_RUN_SECONDS = 30 * 60
_END_SECONDS = 5 * 60


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Says where they run, and skips on a named cluster what is about one of their own."""
    choice = choice_or_usage_error()
    for item in items:
        marker = item.get_closest_marker("own_cluster")
        if choice.context and marker is not None:
            item.add_marker(pytest.mark.skip(reason=marker.kwargs["reason"]))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Where the tests run, and why: with -q too."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and any(Path(__file__).parent in item.path.parents for item in session.items):
        reporter.write_line(choice_or_usage_error().said())


def choice_or_usage_error() -> Choice:
    try:
        return choose(os.environ)
    except ValueError as error:
        raise pytest.UsageError(str(error)) from error


@pytest.fixture(scope="session", autouse=True)
def whole_run(request: pytest.FixtureRequest) -> Iterator[None]:
    """Some eight times what it takes on a quiet machine."""
    with bounded(request.session, seconds=_RUN_SECONDS, ending=_END_SECONDS):
        yield


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Live]:
    choice = choose(os.environ)
    folder = tmp_path_factory.mktemp("e2e") / "cluster"
    started = named if choice.context else own
    with started(choice, folder, request.session) as session:
        request.config.stash[STARTED] = session
        yield session
    assert left_behind(folder) == []
    assert not folder.exists()


@contextmanager
def own(_: Choice, folder: Path, tests: pytest.Session) -> Iterator[Live]:
    """By the commands that a person would use."""
    session = Live(Cluster(State(folder)), started=time.monotonic(), digests=ANY_DIGESTS)
    done = run_cluster("up", "--no-pods", "--state", folder)
    try:
        assert done.returncode == 0, done.stderr
        session.measure("up, from nothing", session.started)
        yield session
    finally:
        session.say_last_words(tests)
        session.memory = sum(process.memory() for process in State(folder).processes())
        ending = time.monotonic()
        done = run_cluster("down", "--state", folder)
        session.measure("down", ending)
    assert (done.returncode, done.stderr) == (0, "")


@contextmanager
def named(choice: Choice, folder: Path, tests: pytest.Session) -> Iterator[Live]:
    """With what is there; all that is brought goes again, however the tests end."""
    state = State(folder, choice.git_host, choice.argocd_url, "https")
    there = NamedCluster(state, choice.context)
    session = Live(there, started=time.monotonic())
    reporter = tests.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None:
        reporter.write_line(f"should this run be killed: `python -m cluster down --state {folder}`")
    try:
        there.up(choice.kubeconfig)
        session.digests = choice.digests if there.pulls_images() else ANY_DIGESTS
        yield session
    finally:
        session.say_last_words(tests)
        there.down()


@pytest.fixture(scope="session")
def deployed(live: Live) -> Live:
    """All environments as the first commit says."""
    wait_deployed(live)
    live.measure("up, from nothing, until all environments are healthy", live.started)
    return live


@pytest.fixture
def dev(deployed: Live) -> Iterator[Live]:
    """A test that may change dev: afterwards it is as the first commit says, however the test ended."""
    with brought_back(deployed):
        yield deployed


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    live = config.stash.get(STARTED, None)
    for line in measured(live) if live is not None else ():
        terminalreporter.write_line(line)
