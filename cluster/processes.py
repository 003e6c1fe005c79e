"""Processes that outlive the command that starts them: recorded before they run, ended by what was recorded.

A record holds the process id and the time at which the kernel started it, so an id that was given to another process
meanwhile is never taken for ours (proc_pid_stat(5), field 22).
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from cluster.errors import ClusterError
from cluster.namespaces import InMachine, NewMachine

_END_SECONDS = 20.0
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Process:
    """One program by its name in this cluster: its record (``<name>.json``) and what it says (``<name>.log``)."""

    name: str
    records: Path
    logs: Path

    @property
    def record(self) -> Path:
        return self.records / f"{self.name}.json"

    @property
    def log(self) -> Path:
        return self.logs / f"{self.name}.log"

    def start(
        self,
        command: Sequence[str | Path],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        machine: NewMachine | InMachine | None = None,
    ) -> None:
        """Run the command in a session of its own, unless it runs. Raises ClusterError if it cannot be run.

        It is a process of this machine, unless another is given.
        """
        if self.is_alive():
            return
        self.records.mkdir(parents=True, exist_ok=True)
        self.logs.mkdir(parents=True, exist_ok=True)
        arguments = [os.fspath(part) for part in command]
        try:
            with self.log.open("ab") as log:
                child = subprocess.Popen(
                    arguments,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=env,
                    cwd=cwd,
                    start_new_session=True,
                    # In the child, before it becomes the program: however this command ends, the record is there.
                    preexec_fn=partial(self._record, machine),
                )
            if machine is not None:
                child.wait()  # it has become another process
            child.returncode = 0  # it outlives this command: nobody waits for it
        except OSError as error:
            self.record.unlink(missing_ok=True)
            raise ClusterError(f"{arguments[0]} cannot be run: {error.strerror}") from error
        except subprocess.SubprocessError as error:
            self.record.unlink(missing_ok=True)
            raise ClusterError(f"{arguments[0]} cannot be run on a machine of its own: is root missing?") from error

    def pid(self) -> int | None:
        """The process id, if the very process that was recorded still runs."""
        try:
            recorded = json.loads(self.record.read_bytes())
        except (OSError, ValueError):
            return None
        pid, started = int(recorded["pid"]), recorded["started"]
        return pid if _running_since(pid) == started else None

    def is_alive(self) -> bool:
        return self.pid() is not None

    def kill(self) -> None:
        """End it at once, as a crash would; its record stays. Raises ClusterError if it does not run."""
        pid = self.pid()
        if pid is None:
            raise ClusterError(f"{self.name} does not run")
        _signal_group(pid, signal.SIGKILL)
        self._wait(_END_SECONDS)

    def end(self) -> None:
        """Ask it to end, insist after twenty seconds, and forget it. Raises ClusterError if it still runs then."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            pid = self.pid()
            if pid is None:
                break
            _signal_group(pid, number)
            if self._wait(_END_SECONDS):
                break
        if self.is_alive():
            raise ClusterError(f"{self.name} (process {self.pid()}) does not end")
        self.record.unlink(missing_ok=True)

    def memory(self) -> int:
        """Resident bytes; 0 if it does not run."""
        pid = self.pid()
        return resident(pid) if pid else 0

    def last_lines(self, count: int = 10) -> list[str]:
        """The end of its log."""
        try:
            return self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-count:]
        except OSError:
            return []

    def _record(self, machine: NewMachine | InMachine | None) -> None:
        if machine is None:
            self._write_record(os.getpid())
        else:
            machine(self._write_record)

    def _write_record(self, pid: int) -> None:
        part = self.record.with_suffix(".part")
        part.write_text(json.dumps({"pid": pid, "started": _running_since(pid)}))
        # The order of the records is that of the first starts, which is that of who needs whom.
        with contextlib.suppress(FileNotFoundError):
            before = self.record.stat()
            os.utime(part, ns=(before.st_atime_ns, before.st_mtime_ns))
        part.replace(self.record)

    def _wait(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while self.is_alive():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True


def resident(pid: int) -> int:
    """Resident bytes of a process; 0 if there is none."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
    except OSError:
        return 0


def descendants(pid: int) -> set[int]:
    """The process and all that it, and they, have as children now."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(folder.name))
    found, todo = set(), [pid]
    while todo:
        one = todo.pop()
        found.add(one)
        todo += children.get(one, [])
    return found


def _running_since(pid: int) -> int | None:
    """When the kernel started the process, in clock ticks since boot; None if there is none, or only its remains."""
    with contextlib.suppress(OSError):
        os.waitpid(pid, os.WNOHANG)  # a child of ours that has ended must not stay as its remains
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def _signal_group(pid: int, number: int) -> None:
    """To the program and its children: it leads a group of its own."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, number)
