"""The first process of the machine that is the cluster's node: ``python -m cluster.machine``.

Its network begins empty: no route leads out of it, so no address of the cluster is ever asked for elsewhere. What
containerd and the kubelet write to fixed places (`/run`, `/var/lib`, `/var/log`) stays in memory of this machine.
"""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

from cluster.commands import run
from cluster.errors import ClusterError
from cluster.namespaces import InMachine, NewMachine, enter_network
from cluster.processes import Process
from cluster.repository import ROOT
from cluster.state import State
from cluster.waiting import until

NAME = "machine"
BRIDGE = "node"
ADDRESS = "192.0.2.10"
"""Of the node and the API server: the documentation address (RFC 5737) that overlays/ and topology.yaml state."""
SERVICES = "10.96.0.0/16"
_OWN_FOLDERS = ("/run", "/var/lib", "/var/log")
_GATEWAY = "169.254.1.1"

_ENTRANCE = """\
#!/bin/sh
# Runs a command in the cluster's network: enter kubectl get pods --all-namespaces
KUBECONFIG='{kubeconfig}' exec nsenter --net=/proc/{first}/ns/net -- "$@"
"""


@dataclass(frozen=True, slots=True)
class Machine:
    """Started once; what is `inside` ends with it."""

    state: State

    @property
    def process(self) -> Process:
        return self.state.process(NAME)

    @property
    def inside(self) -> InMachine:
        """For the start of a process of it. Raises ClusterError if it does not run."""
        return InMachine(self._first())

    def start(self) -> None:
        """The machine, and its network as this process's own from now on. Raises ClusterError."""
        for folder in _OWN_FOLDERS:
            if self.state.folder.is_relative_to(folder):
                raise ClusterError(f"{self.state.folder} is in {folder}, which the node has for itself: name another")
        self.process.start([sys.executable, "-m", "cluster.machine"], cwd=ROOT, machine=NewMachine())
        mounts = Path(f"/proc/{self._first()}/mounts")
        until(
            "the machine has its mounts",
            lambda: f" {_OWN_FOLDERS[-1]} tmpfs " in mounts.read_text(),
            seconds=20,
            by=self.process,
        )
        self.state.entrance.write_text(_ENTRANCE.format(first=self._first(), kubeconfig=self.state.kubeconfig))
        self.state.entrance.chmod(0o755)
        self.enter()
        if not Path(f"/proc/sys/net/ipv4/conf/{BRIDGE}").exists():
            self._make_network()

    def enter(self) -> None:
        """Its network becomes this process's. Raises ClusterError."""
        enter_network(self._first())

    def _first(self) -> int:
        first = self.process.pid()
        if first is None:
            raise ClusterError(f"the machine of the cluster in {self.state.folder} does not run")
        return first

    @staticmethod
    def _make_network() -> None:
        run("ip", "link", "set", "lo", "up")
        # A bridge without ports: a device that is up without a cable, on kernels without the `dummy` one too.
        run("ip", "link", "add", BRIDGE, "type", "bridge")
        run("ip", "address", "add", f"{ADDRESS}/32", "dev", BRIDGE)
        run("ip", "link", "set", BRIDGE, "up")
        # For Calico's pods every address is behind this one; the kernel answers for it only if it knows a way there.
        # https://docs.tigera.io/calico/latest/reference/faq#why-does-my-container-have-a-route-to-16925411
        run("ip", "route", "add", _GATEWAY, "dev", BRIDGE)
        # Without a way to them, a connection to a Service is refused before kube-proxy's rules are asked.
        run("ip", "route", "add", SERVICES, "dev", BRIDGE)
        for setting in ("ipv4/ip_forward", "bridge/bridge-nf-call-iptables"):
            file = Path("/proc/sys/net") / setting
            if file.exists():
                file.write_text("1")


def main() -> None:
    """Give the machine its own mounts, then clear away processes that nobody else waits for, until ended."""
    run("mount", "--make-rprivate", "/")
    run("mount", "-t", "proc", "-o", "nosuid,nodev,noexec", "proc", "/proc")
    for folder in _OWN_FOLDERS:
        run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", folder)
    awaited = {signal.SIGCHLD, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, awaited)
    while signal.sigwait(awaited) == signal.SIGCHLD:
        while _reap():
            pass


def _reap() -> bool:
    try:
        return os.waitpid(-1, os.WNOHANG)[0] > 0
    except ChildProcessError:
        return False


if __name__ == "__main__":
    try:
        main()
    except ClusterError as error:
        sys.exit(f"error: {error}")
