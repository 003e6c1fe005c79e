"""The kernel's groups of processes (cgroups) in which a node's pods are counted and limited: one folder of our own.

Both versions are known: in version 1 every controller is a hierarchy of its own, in version 2 they share one.
https://docs.kernel.org/admin-guide/cgroup-v1/cgroups.html https://docs.kernel.org/admin-guide/cgroup-v2.html
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cluster.errors import ClusterError

MOUNT = Path("/sys/fs/cgroup")
NEEDED = ("cpu", "cpuset", "memory", "pids")
_END_SECONDS = 20.0


def controllers() -> set[str]:
    """What this machine's kernel counts and limits by."""
    one_for_all = MOUNT / "cgroup.controllers"
    if one_for_all.exists():
        return set(one_for_all.read_text().split())
    return {folder.name for folder in MOUNT.iterdir()} if MOUNT.is_dir() else set()


@dataclass(frozen=True, slots=True)
class Cgroups:
    """The groups of the cluster in this folder; none of another's is ever looked at."""

    folder: Path

    @property
    def name(self) -> str:
        return f"ecommerce-{hashlib.sha256(os.fsencode(self.folder)).hexdigest()[:12]}"

    def make(self) -> None:
        """One in every hierarchy, for the kubelet to make its own in."""
        try:
            for top in self._hierarchies():
                group = top / self.name
                group.mkdir(exist_ok=True)
                # A new group of version 1 has no processors and no memory until it is given some.
                for setting in ("cpuset.cpus", "cpuset.mems"):
                    if (top / setting).exists() and not (group / setting).read_text().strip():
                        (group / setting).write_text((top / setting).read_text())
        except OSError as error:
            raise ClusterError(f"{error.filename}: {error.strerror}") from error

    def processes(self) -> set[int]:
        """Those in any group of ours: of the pods, since the kubelet is in none."""
        found: set[int] = set()
        for top in self._hierarchies():
            for file in (top / self.name).glob("**/cgroup.procs"):
                with contextlib.suppress(OSError):  # a group that has gone meanwhile
                    found.update(map(int, file.read_text().split()))
        return found - {0}

    def kill(self) -> None:
        """End every process of the pods at once. Raises ClusterError if some do not end."""
        deadline = time.monotonic() + _END_SECONDS
        while left := self.processes():
            if time.monotonic() > deadline:
                raise ClusterError(f"processes that do not end: {sorted(left)}")
            for one in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(one, signal.SIGKILL)
            time.sleep(0.05)

    def remove(self) -> None:
        """With all that was made in it, once its processes have ended. Raises ClusterError if some have not."""
        deadline = time.monotonic() + _END_SECONDS
        while left := [top / self.name for top in self._hierarchies() if not _is_removed(top / self.name)]:
            if time.monotonic() > deadline:
                raise ClusterError(f"{left[0]}: processes of it still run")
            time.sleep(0.05)

    @staticmethod
    def _hierarchies() -> Iterator[Path]:
        if (MOUNT / "cgroup.controllers").exists():
            yield MOUNT
            return
        for folder in MOUNT.iterdir() if MOUNT.is_dir() else ():
            if not folder.is_symlink() and (folder / "cgroup.procs").exists():
                yield folder


def _is_removed(group: Path) -> bool:
    for folder, _, _ in os.walk(group, topdown=False):
        with contextlib.suppress(OSError):
            os.rmdir(folder)
    return not group.exists()
