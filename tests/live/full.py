"""What the tests do to a running cluster with pods, and how they wait for what comes of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from cluster.cgroups import Cgroups
from cluster.commands import run
from cluster.images import push_image
from cluster.images.layout import Settings, write_layout
from cluster.images.tree import Tree
from cluster.kubectl import Object
from cluster.kubectl import is_ready as is_ready
from cluster.pod_tier import PodCluster
from cluster.repository import git
from tests.e2e.frontend import container, frontend
from tests.e2e.live import DEV as DEV
from tests.e2e.live import Live
from tests.e2e.live import left_behind as processes_of


@dataclass
class Full(Live):
    """The cluster of a test session, whose dev has real pods; ``counts`` holds what was counted, by what it is."""

    cluster: PodCluster
    counts: dict[str, int] = field(default_factory=dict)

    def revision(self) -> str:
        return git(self.cluster.state.clone, "rev-parse", "HEAD").strip()

    def pods(self, namespace: str = DEV, selector: str = "") -> list[Object]:
        """Those that are not being deleted."""
        found = self.kubectl.list("pods", namespace, selector)
        return [one for one in found if "deletionTimestamp" not in one["metadata"]]

    def execute(self, pod: str, *command: str) -> str:
        """What a command says inside a pod of dev."""
        return self.kubectl.run("exec", "--namespace", DEV, pod, "--", *command).strip()


def two_frontends(full: Full, folder: Path) -> tuple[str, str]:
    """The digest of the image that the frontend has, and of another one of the same program, packed and pushed here."""
    layer = Tree()
    layer.add_file("http-echo", (full.cluster.tools / "bin" / "http-echo").read_bytes(), 0o755)
    write_layout(folder, [layer], Settings(entrypoint=("/http-echo",)))
    another = push_image(full.cluster.state, full.cluster.tools, folder, "hashicorp/http-echo:another")
    return container(frontend(full))["image"].rpartition("@")[2], another


def left_behind(folder: Path) -> list[str]:
    """What still is there of a cluster's folder: processes, mounts, groups."""
    found = [f"process {one}" for one in processes_of(folder)]
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
