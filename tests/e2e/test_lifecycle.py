"""How a cluster begins and ends: twice up is once, and down leaves nothing, whatever came before."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from cluster.state import HOST, PORTS, State
from tests.e2e.killed import kill_up
from tests.e2e.live import Live, left_behind, run_cluster

pytestmark = pytest.mark.own_cluster(reason="a named cluster is neither started nor ended here")


def test_second_up_changes_nothing(live: Live) -> None:
    state = live.cluster.state
    before = {process.name: process.pid() for process in state.processes()}
    done = run_cluster("up", "--no-pods", "--state", state.folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("it is up already\n")
    assert {process.name: process.pid() for process in state.processes()} == before


def test_status_says_what_runs(live: Live) -> None:
    done = run_cluster("status", "--state", live.cluster.state.folder)
    assert done.returncode == 0
    assert "ecommerce-prod" in done.stdout
    assert "does not run" not in done.stdout


def test_everything_listens_on_the_loopback_address_only(live: Live) -> None:
    """Except the metrics of Argo CD's application-controller, which takes a port and no address."""
    inodes = {}
    for process in live.cluster.state.processes():
        for link in Path(f"/proc/{process.pid()}/fd").iterdir():
            target = str(link.readlink())
            if target.startswith("socket:["):
                inodes[target[8:-1]] = process.name
    exposed = set()
    for table, loopback in (("tcp", "0100007F"), ("tcp6", "00000000000000000000000001000000")):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            _, local, _, state, *rest = line.split()
            if state == "0A" and rest[5] in inodes and local.split(":")[0] != loopback:
                exposed.add(inodes[rest[5]])
    assert exposed == {"argocd-application-controller"}


def test_up_that_was_killed_can_be_taken_down(tmp_path: Path) -> None:
    folder = tmp_path / "cluster"
    kill_up(folder, "--no-pods", once="kube-apiserver", seconds=240)
    state = State(folder)
    ports = [state.port(name) for name in PORTS]
    assert left_behind(folder) != []
    done = run_cluster("down", "--state", folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert left_behind(folder) == []
    assert not folder.exists()
    for port in ports:
        with socket.create_server((HOST, port)):
            pass


def test_down_without_a_cluster_is_no_error(tmp_path: Path) -> None:
    done = run_cluster("down", "--state", tmp_path / "none")
    assert (done.returncode, done.stdout) == (0, "there is none\n")
