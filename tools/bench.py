"""What the main job costs when it is warm: `tox run -e bench`.

Whole processes, as a person starts them: wall and processor seconds (with all children) and the memory of the largest
process. Ends with exit code 1 if the median wall time or the memory is over budget.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RUNS = 7
WALL_SECONDS = 1.5
MEMORY_MIB = 150.0


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one run: seconds, seconds, MiB."""

    wall: float
    processor: float
    memory: float


def main(arguments: Sequence[str]) -> int:
    """Measure `policy check` with the given arguments, and the renders alone for comparison."""
    kustomize = str(ROOT / ".tools" / "bin" / "kustomize")
    for overlay in sorted(ROOT.glob("overlays/*/kustomization.yaml")):
        name = overlay.parent.relative_to(ROOT)
        show(f"kustomize build {name}", measured([kustomize, "build", str(name)], (0,)))
    check = measured([sys.executable, "-m", "policy", "check", *arguments], (0, 1))
    show("policy check", check)
    wall, memory = statistics.median(cost.wall for cost in check), max(cost.memory for cost in check)
    over = wall > WALL_SECONDS or memory > MEMORY_MIB
    print(f"{'over' if over else 'within'} the budget of {WALL_SECONDS} s and {MEMORY_MIB:.0f} MiB")
    return 1 if over else 0


def measured(command: Sequence[str], good: Sequence[int]) -> list[Cost]:
    """Run a command some times, after once to warm the caches."""
    return [_cost(command, good) for _ in range(RUNS + 1)][1:]


def show(name: str, costs: Sequence[Cost]) -> None:
    """One line: the minimum, median and maximum of the wall time, the median processor time and the most memory."""
    walls = sorted(cost.wall for cost in costs)
    processor = statistics.median(cost.processor for cost in costs)
    memory = max(cost.memory for cost in costs)
    wall = f"{walls[0]:.2f} · {statistics.median(walls):.2f} · {walls[-1]:.2f} s"
    print(f"{name:32} wall {wall}   processor {processor:.2f} s   memory {memory:.0f} MiB")


def _cost(command: Sequence[str], good: Sequence[int]) -> Cost:
    started = time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
