"""How a cluster with pods begins and ends: on a machine of its own, and nothing stays of it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.namespaces import InMachine, NewMachine, in_network
from cluster.processes import Process, descendants
from cluster.repository import ROOT
from cluster.waiting import until
from tests.e2e.killed import kill_up
from tests.e2e.live import run_cluster
from tests.live.full import Full, left_behind, network_of_host


def test_second_up_changes_nothing(full: Full) -> None:
    state = full.cluster.state
    before = {process.name: process.pid() for process in state.processes()}
    done = run_cluster("up", "--state", state.folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("it is up already\n")
    assert {process.name: process.pid() for process in state.processes()} == before


def test_nothing_of_it_leads_out(full: Full) -> None:
    """Every process is in the machine's network, which has no default route and no device to the outside."""
    ours = os.readlink("/proc/thread-self/ns/net")
    for process in full.cluster.state.processes():
        assert os.readlink(f"/proc/{process.pid()}/ns/net") == ours, process.name
    assert os.readlink(f"/proc/{os.getppid()}/ns/net") != ours
    routes = subprocess.run(["ip", "route"], capture_output=True, text=True, check=True).stdout
    assert "default" not in routes
    devices = subprocess.run(["ip", "-brief", "link"], capture_output=True, text=True, check=True).stdout
    assert {line.split()[0].partition("@")[0].rstrip("0123456789abcdef") for line in devices.splitlines()} <= {
        *("lo", "no", "cali"),
    }, devices


@pytest.fixture
def outside() -> Iterator[None]:
    """In this machine's own network, as whoever started the tests is."""
    with in_network(os.getppid()):
        yield


@pytest.mark.usefixtures("outside")
def test_up_that_was_killed_can_be_taken_down(tmp_path: Path) -> None:
    folder, before = tmp_path / "cluster", network_of_host()
    kill_up(folder, once="kubelet", seconds=300)
    assert left_behind(folder) != []
    done = run_cluster("down", "--state", folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert left_behind(folder) == []
    assert not folder.exists()
    assert network_of_host() == before


@pytest.fixture
def machine(tmp_path: Path) -> Process:
    return Process("machine", tmp_path / "processes", tmp_path / "logs")


def test_machine_takes_all_its_processes_along(machine: Process, tmp_path: Path) -> None:
    machine.start([sys.executable, "-m", "cluster.machine"], cwd=ROOT, machine=NewMachine())
    first = machine.pid()
    assert first is not None
    mounts = Path(f"/proc/{first}/mounts")
    until("it has its mounts", lambda: " /var/log tmpfs " in mounts.read_text(), seconds=30, by=machine)
    inside = Process("inside", machine.records, machine.logs)
    inside.start(["sh", "-c", "pwd; ip -brief link; sleep 600 & wait"], cwd=tmp_path, machine=InMachine(first))
    try:
        until("it speaks", lambda: len(inside.last_lines()) == 2, seconds=30, by=inside)
        assert inside.last_lines()[0] == str(tmp_path)
        assert inside.last_lines()[1].split()[:2] == ["lo", "DOWN"]
        pid = inside.pid()
        assert pid is not None
        assert os.getsid(pid) == pid
        everyone = descendants(first) | descendants(pid)
        assert len(everyone) == 3
    finally:
        machine.end()
    assert inside.pid() is None
    assert [pid for pid in everyone if Path(f"/proc/{pid}/ns/net").exists()] == []
