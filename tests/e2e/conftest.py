"""One cluster for the session, started and taken down by the commands of the README, in a folder of its own."""

from __future__ import annotations

import datetime
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.repository import BRANCH, ROOT, git
from cluster.state import State
from cluster.tier import Cluster
from tests.e2e.live import Live

STARTED = pytest.StashKey[Live]()


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


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Live]:
    folder = tmp_path_factory.mktemp("e2e") / "cluster"
    session = Live(Cluster(State(folder)), started=time.monotonic())
    done = run_cluster("up", "--no-pods", "--state", folder)
    try:
        assert done.returncode == 0, done.stderr
        session.measure("up, from nothing", session.started)
        request.config.stash[STARTED] = session
        yield session
    finally:
        if request.session.testsfailed:
            print("\n".join(f"{one.name}: {one.last_lines(5)}" for one in State(folder).processes()))
        session.memory = sum(process.memory() for process in State(folder).processes())
        ending = time.monotonic()
        done = run_cluster("down", "--state", folder)
        session.measure("down", ending)
    assert (done.returncode, done.stderr) == (0, "")
    assert left_behind(folder) == []
    assert not folder.exists()


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
        live.wait_synced(environment, revision, seconds=240)
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
        deployed.wait_synced("dev", deployed.push("As before the test"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    live = config.stash.get(STARTED, None)
    if live is None:
        return
    terminalreporter.write_line(f"memory of all processes, at the end: {live.memory / 2**20:.0f} MiB")
    for what, seconds in sorted(live.seconds.items()):
        median = statistics.median(seconds)
        terminalreporter.write_line(f"{what}: {median:.1f} s, median of {len(seconds)} (up to {max(seconds):.1f} s)")
