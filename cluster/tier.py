"""The tier without pods: what is started, in which order, and how it ends."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from cluster.argocd import ArgoCD
from cluster.control_plane import ControlPlane
from cluster.errors import ClusterError
from cluster.fake_node import start_fake_node
from cluster.kubectl import Kubectl
from cluster.metrics import start_metrics
from cluster.repository import ROOT, push_checkout, start_git_server
from cluster.state import State
from tools.commands import say

PROGRAMS = ("argocd", "etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl", "kustomize")
TOOLS = (*PROGRAMS, "kwok", "miniredis", "argocd-installation", "kwok-stages")
"""What tools/build.py has to provide."""

Step = tuple[str, Callable[[], None]]
"""What is started, for the person who waits, and how."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster by its folder: real API server, controllers and Argo CD; kwok in place of nodes and pods."""

    state: State
    tools: Path = ROOT / ".tools"

    @property
    def kubectl(self) -> Kubectl:
        return Kubectl(self.tools / "bin" / "kubectl", self.state.kubeconfig)

    @property
    def control_plane(self) -> ControlPlane:
        return ControlPlane(self.state, self.tools / "bin")

    @property
    def argocd(self) -> ArgoCD:
        return ArgoCD(self.state, self.kubectl, self.tools)

    def up(self, *, empty: bool = False) -> bool:
        """Start all that is not running. False if there was nothing to do. Raises ClusterError.

        An ``empty`` one has no Git server, and Argo CD has nothing to deploy.
        """
        with self.state.alone():
            if not empty and self.state.ready.exists() and not self.state.clone.exists():
                raise ClusterError(f"the cluster in {self.state.folder} was started empty, and stays so until `down`")
            if self.is_up():
                return False
            started = time.monotonic()
            self.prepare()
            for what, start in self.steps(empty=empty):
                begun = time.monotonic()
                start()
                say(f"{what}: {time.monotonic() - begun:.1f} s")
            self.state.ready.write_text(f"{time.monotonic() - started:.1f}\n")
            return True

    def prepare(self) -> None:
        """What comes before the first process of the cluster."""
        self.state.choose_ports()

    def steps(self, *, empty: bool) -> Iterator[Step]:
        """What is started, in this order; ``empty``: nothing that deploys."""
        yield "etcd, API server, controllers", lambda: self.control_plane.start(self.kubectl)
        yield "a node of kwok", lambda: start_fake_node(self.state, self.kubectl, self.tools)
        yield "metrics", lambda: start_metrics(self.state, self.kubectl)
        if not empty:
            yield "Git server", self.start_git
        yield "Argo CD", lambda: self.start_argocd(empty=empty)

    def enter(self) -> None:
        """From now on this process reaches what listens: here it does already."""

    def is_up(self) -> bool:
        """Everything was set up once, and every process of it runs."""
        processes = self.state.processes()
        return self.state.ready.exists() and bool(processes) and all(one.is_alive() for one in processes)

    def memory(self) -> int:
        """Resident bytes of every process of it."""
        return sum(process.memory() for process in self.state.processes())

    def down(self) -> bool:
        """End every process, the last started first, and delete the folder. False if there was none."""
        if not self.state.folder.exists():
            return False
        with self.state.alone():
            self.end_processes()
            self.state.remove()
        return True

    def end_processes(self) -> None:
        """The last started first."""
        for process in reversed(self.state.processes()):
            process.end()

    def start_git(self) -> None:
        """The server, filled with this checkout's last commit."""
        start_git_server(self.state)
        push_checkout(self.state)

    def start_argocd(self, *, empty: bool = False) -> None:
        """Installed and told what to deploy, the first time; then its components."""
        if not self.state.ready.exists():
            self.argocd.install()
        if not self.state.ready.exists() and not empty:
            self.argocd.apply(self.state.clone / "argocd")
        # Its parameters are among what was applied, and are read at the start.
        self.argocd.start()
