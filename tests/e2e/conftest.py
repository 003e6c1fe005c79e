"""One cluster for the session, started and taken down by the commands of the README, in a folder of its own."""

from __future__ import annotations

import datetime
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cluster.named import NamedCluster
from cluster.repository import BRANCH, ROOT, git
from cluster.state import State
from cluster.tier import Cluster
from tests.e2e.bound import bounded
from tests.e2e.choice import Choice, choose
from tests.e2e.live import Live

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


def run_cluster(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cluster", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def window_is_closed(now: datetime.datetime) -> bool:
    """Whether production is not synced by itself: from Friday 16:00 to Monday 06:00 UTC (argocd/prod)."""
    day, hour = now.weekday(), now.hour
    return (day == 4 and hour >= 16) or day in (5, 6) or (day == 0 and hour < 6)


def left_behind(folder: Path) -> list[str]:
    """The processes that were started for a cluster's folder, whoever recorded them: it stands in what they run."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            said = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
            command = (process / "cmdline").read_text().replace("\0", " ")
        except OSError:
            continue
        if str(folder).encode() in said and int(process.name) != os.getpid():
            found.append(f"{process.name}: {command}")
    return found


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
        say_last_words(session, tests)
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
    try:
        there.up(choice.kubeconfig)
        session.digests = choice.digests if there.pulls_images() else ANY_DIGESTS
        yield session
    finally:
        say_last_words(session, tests)
        there.down()


def say_last_words(session: Live, tests: pytest.Session) -> None:
    """What the processes said last, if a test failed."""
    if tests.testsfailed:
        print("\n".join(f"{one.name}: {one.last_lines(5)}" for one in session.cluster.state.processes()))


@pytest.fixture(scope="session")
def deployed(live: Live) -> Live:
    """All environments as the first commit says. While the window is closed, production is synced by hand, as its
    releasers would."""
    revision = git(live.cluster.state.clone, "rev-parse", f"origin/{BRANCH}").strip()
    closed = window_is_closed(datetime.datetime.now(datetime.UTC))
    if closed:
        live.wait_for("production is compared", lambda: live.application("prod").get("status", {}).get("sync"))
        assert "operationState" not in live.application("prod")["status"]
        options = ["ServerSideApply=true", "PruneLast=true", "PrunePropagationPolicy=foreground"]
        operation = {"sync": {"revision": revision, "syncOptions": options}, "initiatedBy": {"username": "releaser"}}
        live.kubectl.patch("applications.argoproj.io", "ecommerce-prod", "argocd", {"operation": operation})
    for environment in ("dev", "staging", "prod"):
        live.wait_synced(environment, revision)
    live.measure("up, from nothing, until all environments are healthy", live.started)
    return live


@pytest.fixture
def dev(deployed: Live) -> Iterator[Live]:
    """A test that may change dev: afterwards it is as the first commit says, however the test ended."""
    clone = deployed.cluster.state.clone
    first = git(clone, "rev-parse", "HEAD").strip()
    yield deployed
    git(clone, "checkout", "--quiet", "--force", "main")
    if git(clone, "diff", "--name-only", first).strip():
        git(clone, "read-tree", "--reset", "-u", first)
        deployed.deploy("dev", "As before the test")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    live = config.stash.get(STARTED, None)
    if live is None:
        return
    if live.memory:
        terminalreporter.write_line(f"memory of all processes, at the end: {live.memory / 2**20:.0f} MiB")
    for what, seconds in sorted(live.seconds.items()):
        median = statistics.median(seconds)
        terminalreporter.write_line(f"{what}: {median:.1f} s, median of {len(seconds)} (up to {max(seconds):.1f} s)")
