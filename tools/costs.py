"""What a whole process costs, with all its children."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one run: wall seconds, processor seconds, and MiB of the largest process."""

    wall: float
    processor: float
    memory: float


def cost_of(
    command: Sequence[str], good: Sequence[int], *, folder: Path, environment: Mapping[str, str] | None = None
) -> Cost:
    """Run a command to its end, its output thrown away; ends the program if its exit code is not a ``good`` one."""
    started = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=folder, env=_as_users_run(environment), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    assert process.stderr is not None
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stderr.close()
    if process.returncode not in good:
        raise SystemExit(f"error: {' '.join(command)} ended with {process.returncode}:\n{said.decode()}")
    kilobyte = 1 if sys.platform == "darwin" else 1024
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * kilobyte / 2**20)


def median(costs: Sequence[Cost]) -> Cost:
    """The median times, and the most memory."""
    return Cost(
        statistics.median(cost.wall for cost in costs),
        statistics.median(cost.processor for cost in costs),
        max(cost.memory for cost in costs),
    )


def _as_users_run(environment: Mapping[str, str] | None) -> dict[str, str]:
    """Without what would have Python compile every module anew in every run."""
    given = os.environ if environment is None else environment
    return {key: value for key, value in given.items() if key != "PYTHONDONTWRITEBYTECODE"}
