"""Everything that a cluster keeps, in one folder: to remove the folder is to remove the cluster's last trace."""

from __future__ import annotations

import fcntl
import json
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cluster.errors import ClusterError
from cluster.processes import Process

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
    """A cluster's folder. Nothing of it is written outside, and nothing but this cluster writes into it."""

    folder: Path

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
        return f"http://{HOST}:{self.port('git')}/{self.repository.name}"

    @property
    def server_url(self) -> str:
        return f"http://{HOST}:{self.port('argocd-server')}"

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
        """Those that were started, in that order."""
        records = (self.folder / "processes").glob("*.json")
        return [self.process(file.stem) for file in sorted(records, key=lambda file: file.stat().st_mtime_ns)]

    def port(self, name: str) -> int:
        """A port of PORTS: chosen once, when the folder is made. Raises ClusterError if there is no such cluster."""
        try:
            return int(json.loads((self.folder / "ports.json").read_bytes())[name])
        except OSError as error:
            raise ClusterError(f"there is no cluster in {self.folder}") from error

    def choose_ports(self, **given: int) -> None:
        """Take ports that are free now, unless they were chosen before; ``given`` ones are taken as they are."""
        file = self.folder / "ports.json"
        if file.exists():
            return
        sockets = {name: socket.create_server((HOST, 0)) for name in PORTS}
        chosen = {name: one.getsockname()[1] for name, one in sockets.items()} | given
        for one in sockets.values():
            one.close()
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

    def remove(self) -> None:
        """Delete the folder and all that is in it. Raises ClusterError."""
        try:
            shutil.rmtree(self.folder)
        except FileNotFoundError:
            return
        except OSError as error:
            raise ClusterError(f"{error.filename}: {error.strerror}") from error
