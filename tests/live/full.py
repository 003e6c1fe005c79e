"""What the tests do to a running cluster with pods, and how they wait for what comes of it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cluster.cgroups import Cgroups
from cluster.commands import run
from cluster.kubectl import Kubectl, Object
from cluster.pod_tier import PodCluster
from cluster.repository import git, push
from cluster.waiting import until

ENVIRONMENTS = {"dev": "ecommerce-dev", "staging": "ecommerce-staging", "prod": "ecommerce"}
"""The namespace of each environment."""

DEV = ENVIRONMENTS["dev"]
SECONDS = 300
# Each question is a kubectl of its own, which must not take the processor from what it asks about.
ASK_SECONDS = 1.0


@dataclass
class Full:
    """The cluster of a test session; ``seconds`` holds what was measured, by what it is."""

    cluster: PodCluster
    seconds: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def kubectl(self) -> Kubectl:
        return self.cluster.kubectl

    def application(self, environment: str) -> Object:
        found = self.kubectl.get("applications.argoproj.io", f"ecommerce-{environment}", "argocd")
        assert found is not None, f"there is no Application ecommerce-{environment}"
        return found

    def wait_for(self, what: str, probe: Callable[[], Any], *, seconds: float = SECONDS) -> Any:
        return until(what, probe, seconds=seconds, every=ASK_SECONDS)

    def wait_synced(self, environment: str, revision: str, *, seconds: float = SECONDS) -> None:
        """Until Argo CD says that the environment is what the commit says, and that it is healthy."""

        def is_there() -> bool:
            status = self.application(environment).get("status", {})
            sync = status.get("sync", {})
            there = sync.get("status") == "Synced" and sync.get("revision") == revision
            idle = status.get("operationState", {}).get("phase") not in ("Running", "Terminating")
            return bool(there and idle and status.get("health", {}).get("status") == "Healthy")

        self.wait_for(f"{environment} is synced to {revision[:7]}", is_there, seconds=seconds)

    def edit(self, path: str, change: Callable[[str], str]) -> None:
        """Change a file of the clone; a change that changes nothing is a mistake of the test."""
        file = self.cluster.state.clone / path
        before = file.read_text(encoding="utf-8")
        after = change(before)
        assert after != before, f"{path} does not change"
        file.write_text(after, encoding="utf-8")

    def push(self, message: str) -> str:
        return push(self.cluster.state, message)

    def revision(self) -> str:
        return git(self.cluster.state.clone, "rev-parse", "HEAD").strip()

    def pods(self, namespace: str = DEV, selector: str = "") -> list[Object]:
        """Those that are not being deleted."""
        found = self.kubectl.list("pods", namespace, selector)
        return [one for one in found if "deletionTimestamp" not in one["metadata"]]

    def execute(self, pod: str, *command: str) -> str:
        """What a command says inside a pod of dev."""
        return self.kubectl.run("exec", "--namespace", DEV, pod, "--", *command).strip()


def is_ready(pod: Object) -> bool:
    """As its probes say."""
    conditions = pod.get("status", {}).get("conditions", [])
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def left_behind(folder: Path) -> list[str]:
    """What still is there of a cluster's folder: processes (it stands in what they run), mounts, groups."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            said = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        except OSError:
            continue
        if str(folder).encode() in said and int(process.name) != os.getpid():
            found.append(f"process {process.name}: {said[:200]!r}")
    mounts = Path("/proc/self/mounts").read_text().splitlines()
    found += [f"mount {line}" for line in mounts if str(folder) in line]
    return found + [str(one) for one in Path("/sys/fs/cgroup").glob(f"**/{Cgroups(folder).name}")]


def network_of_host() -> dict[str, str]:
    """What a cluster must not change of the machine it runs on."""
    settings = ("net/ipv4/ip_forward", "net/ipv4/conf/all/forwarding")
    return {
        "devices": run("ip", "-brief", "link"),
        "routes": run("ip", "route"),
        "rules": run("nft", "list", "ruleset"),
        **{name: (Path("/proc/sys") / name).read_text() for name in settings},
    }
