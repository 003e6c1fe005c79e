"""Everything that a cluster keeps, in one folder; only whose its ports are is said beside it, in the user's cache."""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cluster import ports
from cluster.errors import ClusterError
from cluster.processes import Process
from tools.build import cache_folder

PORTS = (
    *(
        "api-server",
        "controller-manager",
        "etcd",
        "etcd-peer",
        "git",
        "kwok",
        "metrics",
        "redis",
        "registry",
        "scheduler",
    ),
    *(
        "argocd-controller",
        "argocd-repo-server",
        "argocd-repo-server-metrics",
        "argocd-server",
        "argocd-server-metrics",
    ),
)
"""What listens, each on a port of its own on the loopback address."""

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class State:
    """A cluster's folder. Nothing of it is written outside, and nothing but this cluster writes into it.

    ``git_host`` is the address of this machine by which Argo CD reaches the Git server; ``argocd_url`` is where Argo CD
    answers if not on a port of this cluster, and ``argocd_scheme`` is what it speaks there.
    """

    folder: Path
    git_host: str = HOST
    argocd_url: str = ""
    argocd_scheme: str = "http"

    @property
    def pki(self) -> Path:
        return self.folder / "pki"

    @property
    def kubeconfig(self) -> Path:
        return self.folder / "kubeconfig"

    @property
    def clone(self) -> Path:
        """The clone from which changes are pushed."""
        return self.folder / "clone"

    @property
    def repository(self) -> Path:
        """The bare repository that is served."""
        return self.folder / "git" / "ecommerce-gitops.git"

    @property
    def repository_url(self) -> str:
        return f"http://{self.git_host}:{self.port('git')}/{self.repository.name}"

    @property
    def server_url(self) -> str:
        return self.argocd_url or f"{self.argocd_scheme}://{HOST}:{self.port('argocd-server')}"

    @property
    def with_pods(self) -> Path:
        """There if this cluster has a node with real pods."""
        return self.folder / "with-pods"

    @property
    def entrance(self) -> Path:
        """A script that runs a command in the network of a cluster with pods."""
        return self.folder / "enter"

    @property
    def ready(self) -> Path:
        """There once everything has been set up: how long that took, in seconds."""
        return self.folder / "ready"

    def process(self, name: str) -> Process:
        return Process(name, self.folder / "processes", self.folder / "logs")

    def processes(self) -> list[Process]:
        """Those that were started, in the order of their first starts."""
        records = (self.folder / "processes").glob("*.json")
        return [self.process(file.stem) for file in sorted(records, key=lambda file: file.stat().st_mtime_ns)]

    def port(self, name: str) -> int:
        """A port of PORTS: chosen once, when the folder is made. Raises ClusterError if there is no such cluster."""
        try:
            return int(json.loads((self.folder / "ports.json").read_bytes())[name])
        except OSError as error:
            raise ClusterError(f"there is no cluster in {self.folder}") from error

    def choose_ports(self, **given: int) -> None:
        """Take ports that nobody else takes meanwhile, unless they were chosen before; ``given`` ones are as they are.

        Raises ClusterError.
        """
        file = self.folder / "ports.json"
        if file.exists():
            return
        first = ports.claim(self.folder, len(PORTS), claims=_claims())
        chosen = {name: first + number for number, name in enumerate(PORTS)} | given
        part = file.with_suffix(".part")
        part.write_text(json.dumps(chosen, indent=1))
        part.replace(file)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Nobody else starts or ends this cluster meanwhile. Raises ClusterError if somebody does."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise ClusterError(f"another command works on the cluster in {self.folder}") from error
            yield

    def is_own(self) -> bool:
        """Whether nothing but a cluster is in the folder, which is deleted in the end, or nothing at all."""
        if not self.folder.is_dir() or not any(self.folder.iterdir()):
            return True
        return any((self.folder / name).exists() for name in ("lock", "ports.json", "processes"))

    def remove(self) -> None:
        """Delete the folder and all that is in it. Raises ClusterError."""
        try:
            shutil.rmtree(self.folder)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise ClusterError(f"{error.filename}: {error.strerror}") from error
        ports.release(self.folder, claims=_claims())


def _claims() -> Path:
    """One file for the clusters of all checkouts."""
    return cache_folder() / "ports.json"
