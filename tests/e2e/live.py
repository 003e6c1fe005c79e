"""What the end-to-end tests do to the running cluster, and how they wait for what comes of it."""

from __future__ import annotations

import datetime
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from cluster.errors import ClusterError
from cluster.kubectl import Kubectl, Object
from cluster.named import NamedCluster
from cluster.repository import BRANCH, ROOT, git, push
from cluster.tier import Cluster
from cluster.waiting import until

ENVIRONMENTS = {"dev": "ecommerce-dev", "staging": "ecommerce-staging", "prod": "ecommerce"}
"""The namespace of each environment."""

DEV = ENVIRONMENTS["dev"]
# Each question is a kubectl of its own, which must not take the processor from what it asks about.
ASK_SECONDS = 0.4
# Some forty times what it takes on a quiet machine. What cannot become right any more is not waited for.
SYNC_SECONDS = 360
MANAGED = (
    "configmaps,cronjobs,deployments,horizontalpodautoscalers,ingresses,limitranges,networkpolicies,poddisruptionbudgets,"
    "resourcequotas,rolebindings,roles,serviceaccounts,services,statefulsets"
)


@dataclass
class Live:
    """The cluster of a test session; ``seconds`` holds what was measured, by what it is, ``memory`` is in bytes.

    ``digests`` are those of images that can be had for the frontend; of no image at all where no node pulls one.
    """

    cluster: Cluster | NamedCluster
    started: float
    digests: Sequence[str] = ()
    memory: int = 0
    seconds: dict[str, list[float]] = field(default_factory=dict)

    @property
    def kubectl(self) -> Kubectl:
        return self.cluster.kubectl

    def application(self, environment: str) -> Object:
        found = self.kubectl.get("applications.argoproj.io", f"ecommerce-{environment}", "argocd")
        assert found is not None, f"there is no Application ecommerce-{environment}"
        return found

    def digest(self, number: int) -> str:
        """Another for each number, or at least than for the number before. Skips the test if the cluster has none."""
        if len(self.digests) < 2:
            pytest.skip("the cluster pulls images, and E2E_DIGESTS names no two that it can pull for the frontend")
        return self.digests[number % len(self.digests)]

    def edit(self, path: str, change: Callable[[str], str]) -> None:
        """Change a file of the clone; a change that changes nothing is a mistake of the test."""
        file = self.cluster.state.clone / path
        before = file.read_text(encoding="utf-8") if file.exists() else ""
        after = change(before)
        assert after != before, f"{path} does not change"
        file.write_text(after, encoding="utf-8")

    def push(self, message: str) -> str:
        return push(self.cluster.state, message)

    def deploy(self, environment: str, message: str, *, is_live: Callable[[], bool] | None = None) -> None:
        """Push, and measure how long it takes until it is live, and until Argo CD calls it synced, and healthy."""
        started = time.monotonic()
        revision = self.push(message)
        if is_live is not None:
            self.wait_for("it is live", is_live)
            self.measure("push to live", started)
        self.wait_synced(environment, revision, healthy=False)
        self.measure("push to synced", started)
        self.wait_synced(environment, revision)
        self.measure("push to healthy", started)

    def revert(self) -> str:
        """`git revert` of the last commit, pushed."""
        clone = self.cluster.state.clone
        git(clone, "revert", "--no-edit", "HEAD")
        git(clone, "push", "--quiet", "origin", "main")
        return git(clone, "rev-parse", "HEAD").strip()

    def wait_synced(
        self, environment: str, revision: str, *, seconds: float = SYNC_SECONDS, healthy: bool = True
    ) -> None:
        """Until Argo CD says that the environment is what the commit says, and that it is healthy."""

        def is_there() -> bool:
            application = self.application(environment)
            assert not is_given_up(application, revision), f"it will stay so: {described(application)}"
            if is_synced(application, revision, healthy=healthy):
                return True
            raise ClusterError(described(application))

        self.wait_for(f"{environment} is synced to {revision[:7]}", is_there, seconds=seconds)

    def wait_for(self, what: str, probe: Callable[[], Any], *, seconds: float = SYNC_SECONDS) -> Any:
        """What the probe gives. Ends at once if a process that all of this needs has ended meanwhile."""

        def ask() -> Any:
            for process in self.cluster.state.processes():
                assert process.is_alive(), f"{process.name} ended before {what}: {process.last_lines()}"
            return probe()

        return until(what, ask, seconds=seconds, every=ASK_SECONDS)

    def measure(self, what: str, since: float) -> None:
        self.seconds.setdefault(what, []).append(time.monotonic() - since)

    def say_last_words(self, tests: pytest.Session) -> None:
        """What the processes said last, if a test failed."""
        if tests.testsfailed:
            print("\n".join(f"{one.name}: {one.last_lines(5)}" for one in self.cluster.state.processes()))

    def generations(self, environment: str) -> dict[str, tuple[str, object]]:
        """What changes with each object whose wished state is written: its identity and its generation, or its data."""
        objects = self.kubectl.list(MANAGED, ENVIRONMENTS[environment])
        return {
            f"{one['kind']}/{one['metadata']['name']}": (
                one["metadata"]["uid"],
                one["metadata"].get("generation", (one.get("data"), one.get("spec"), one.get("rules"))),
            )
            for one in objects
            if one["metadata"]["name"] != "kube-root-ca.crt"
        }


@contextmanager
def brought_back(live: Live) -> Iterator[None]:
    """Whatever is pushed meanwhile to dev: afterwards it is as the commit before says, however the test ended."""
    clone = live.cluster.state.clone
    first = git(clone, "rev-parse", "HEAD").strip()
    try:
        yield
    finally:
        git(clone, "checkout", "--quiet", "--force", "main")
        if git(clone, "diff", "--name-only", first).strip():
            git(clone, "read-tree", "--reset", "-u", first)
            live.deploy("dev", "As before the test")


def wait_deployed(live: Live) -> None:
    """Until all environments are as the first commit says. While the window is closed, production is synced by hand, as
    its releasers would."""
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


def window_is_closed(now: datetime.datetime) -> bool:
    """Whether production is not synced by itself: from Friday 16:00 to Monday 06:00 UTC (argocd/prod)."""
    day, hour = now.weekday(), now.hour
    return (day == 4 and hour >= 16) or day in (5, 6) or (day == 0 and hour < 6)


def run_cluster(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """The command of the README, as a person calls it."""
    command = [sys.executable, "-m", "cluster", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


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


def measured(live: Live) -> Iterator[str]:
    """A line for everything that was."""
    if live.memory:
        yield f"memory of all processes, at the end: {live.memory / 2**20:.0f} MiB"
    for what, seconds in sorted(live.seconds.items()):
        yield f"{what}: {statistics.median(seconds):.1f} s, median of {len(seconds)} (up to {max(seconds):.1f} s)"


def is_synced(application: Object, revision: str, *, healthy: bool) -> bool:
    """Argo CD says that all is what the commit says, that it works on nothing, and that it is healthy if so asked."""
    status = application.get("status", {})
    sync = status.get("sync", {})
    there = sync.get("status") == "Synced" and sync.get("revision") == revision
    # A commit that is live already, as after a refused one, is synced without an operation of its own.
    operates = status.get("operationState", {}).get("phase") in ("Running", "Terminating")
    return bool(there and not operates and (not healthy or status.get("health", {}).get("status") == "Healthy"))


def is_given_up(application: Object, revision: str) -> bool:
    """The sync of this commit failed, retries and all: Argo CD tries the same commit no more."""
    state = application.get("status", {}).get("operationState", {})
    tried = (state.get("syncResult") or {}).get("revision")
    return bool(tried == revision and state.get("phase") in ("Failed", "Error"))


def described(application: Object) -> str:
    """What Argo CD says of it, in one line: what somebody would look at who asks why it takes so long."""
    status = application.get("status", {})
    sync, state = status.get("sync", {}), status.get("operationState", {})
    unhealthy = [
        f"{one['kind']}/{one['name']} {one['health'].get('status')} {one['health'].get('message', '')}".rstrip()
        for one in status.get("resources", [])
        if one.get("health", {}).get("status", "Healthy") != "Healthy"
    ]
    said = [
        f"{application['metadata']['name']} is {sync.get('status')} at {sync.get('revision', '')[:7]}",
        f"{status.get('health', {}).get('status')}",
        f"operation {state.get('phase')} {state.get('message', '')}".rstrip(),
        *unhealthy,
        *conditions(application).values(),
    ]
    return "; ".join(said)


def conditions(application: Object) -> dict[str, str]:
    """What Argo CD objects to, by type."""
    return {one["type"]: one["message"] for one in application.get("status", {}).get("conditions", [])}
