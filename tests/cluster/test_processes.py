"""Processes are recorded before they run, and only what was recorded is ever ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.errors import ClusterError
from cluster.processes import Process
from cluster.state import State
from cluster.waiting import until

SLEEP = (sys.executable, "-c", "import time; print('here', flush=True); time.sleep(60)")


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    one = Process("one", tmp_path / "processes", tmp_path / "logs")
    yield one
    one.end()


def test_process_is_recorded_and_its_words_are_kept(process: Process) -> None:
    process.start(SLEEP)
    pid = process.pid()
    assert pid is not None
    assert json.loads(process.record.read_text())["pid"] == pid
    assert os.getsid(pid) == pid
    until("it speaks", lambda: process.last_lines() == ["here"], seconds=30, by=process)
    assert process.memory() > 2**20


def test_second_start_changes_nothing(process: Process) -> None:
    process.start(SLEEP)
    pid = process.pid()
    process.start(SLEEP)
    assert process.pid() == pid


def test_ended_process_is_gone_and_forgotten(process: Process) -> None:
    process.start(SLEEP)
    pid = process.pid()
    process.end()
    assert not Path(f"/proc/{pid}").exists()
    assert not process.record.exists()
    process.end()


def test_process_that_does_not_listen_is_ended_all_the_same(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cluster.processes._END_SECONDS", 0.2)
    stubborn = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)"
    process.start((sys.executable, "-c", f"{stubborn}; print('deaf', flush=True); signal.pause(); signal.pause()"))
    until("it is deaf", lambda: process.last_lines() == ["deaf"], seconds=30, by=process)
    process.end()
    assert not process.is_alive()


def test_killed_process_can_be_started_again(process: Process) -> None:
    process.start(SLEEP)
    before = process.pid()
    process.kill()
    assert not process.is_alive()
    with pytest.raises(ClusterError, match=r"^one does not run$"):
        process.kill()
    process.start(SLEEP)
    assert process.pid() not in (None, before)


def test_order_is_that_of_the_first_starts(tmp_path: Path) -> None:
    """So that whoever is needed ends after those who need it, also if it was started again."""
    state = State(tmp_path)
    needed, needing = state.process("needed"), state.process("needing")
    try:
        needed.start(SLEEP)
        needing.start(SLEEP)
        needed.kill()
        needed.start(SLEEP)
        assert [one.name for one in state.processes()] == ["needed", "needing"]
    finally:
        needing.end()
        needed.end()


def test_children_end_with_it(process: Process) -> None:
    parent = "import subprocess; child = subprocess.Popen(['sleep', '60']); print(child.pid, flush=True); child.wait()"
    process.start((sys.executable, "-c", parent))
    (child,) = until("it has a child", lambda: process.last_lines() or None, seconds=30, by=process)
    process.end()
    until("the child is gone", lambda: _is_gone(int(child)), seconds=10)


def test_process_that_was_given_the_same_id_is_not_ours(process: Process) -> None:
    other = subprocess.Popen(SLEEP, stdout=subprocess.DEVNULL)
    try:
        process.records.mkdir(parents=True)
        process.record.write_text(json.dumps({"pid": other.pid, "started": 1}))
        assert not process.is_alive()
        process.end()
        assert other.poll() is None
    finally:
        other.send_signal(signal.SIGKILL)
        other.wait()


def test_program_that_cannot_be_run_is_one_sentence(process: Process) -> None:
    with pytest.raises(ClusterError, match=r"^/no/such/program cannot be run: No such file or directory$"):
        process.start(["/no/such/program"])
    assert not process.record.exists()


def test_wait_ends_at_once_with_the_last_words_of_what_has_ended(process: Process) -> None:
    process.start((sys.executable, "-c", "print('no disk'); raise SystemExit(1)"))
    with pytest.raises(ClusterError, match=r"(?s)^one ended before it is ready\n.*one\.log:\n  no disk$"):
        until("it is ready", lambda: False, seconds=30, by=process)


def test_wait_has_an_end_and_says_what_the_probe_said() -> None:
    def refuse() -> None:
        raise ClusterError("connection refused")

    with pytest.raises(ClusterError, match=r"^waited 0 s in vain: it answers \(connection refused\)$"):
        until("it answers", refuse, seconds=0.05, every=0.01)


def _is_gone(pid: int) -> bool:
    try:
        return ") Z " in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True
