"""What the checks cost when they are warm: `tox run -e bench`, or a part: `tox run -e bench -- --only job|streams`.

Whole processes, as a person starts them, the processor seconds with all children and the memory of the largest
process. First the main job; then streams of many objects, beside other people's checkers (tools/bench_streams.py).
Ends with exit code 1 if something is over its budget.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if not __package__:
    sys.path[0] = str(ROOT)  # run as a file: imports are looked up from the project's root, not from this folder

from tools import bench_streams  # noqa: E402
from tools.costs import Cost, cost_of, median  # noqa: E402

RUNS = 7


@dataclass(frozen=True, slots=True)
class Job:
    """A check, and what it may cost: seconds of wall time (the median) and MiB."""

    arguments: tuple[str, ...]
    wall: float
    memory: float = 150.0

    @property
    def name(self) -> str:
        return " ".join(("policy check", *self.arguments))


JOBS = (Job((), wall=1.5), Job(("prod",), wall=0.8))


def main(arguments: Sequence[str]) -> int:
    """Measure what is asked for, everything by default."""
    parser = argparse.ArgumentParser(prog="tools/bench.py", description="Measure what the checks cost.")
    parser.add_argument("--only", choices=("job", "streams"), help="only this part")
    bench_streams.add_arguments(parser)
    parsed = parser.parse_args(arguments)
    is_within = True
    if parsed.only != "streams":
        is_within = main_job()
    if parsed.only != "job":
        is_within = bench_streams.run(ROOT, parsed) and is_within
    return 0 if is_within else 1


def main_job() -> bool:
    """The renders alone for comparison, the check of all environments, and that of one; whether within budget."""
    kustomize = str(ROOT / ".tools" / "bin" / "kustomize")
    for overlay in sorted(ROOT.glob("overlays/*/kustomization.yaml")):
        name = overlay.parent.relative_to(ROOT)
        print(shown(f"kustomize build {name}", _measured([kustomize, "build", str(name)], (0,))))
    is_within = True
    for job in JOBS:
        costs = _measured([sys.executable, "-m", "policy", "check", *job.arguments], (0, 1))
        middle = median(costs)
        within = middle.wall <= job.wall and middle.memory <= job.memory
        is_within = is_within and within
        budget = f"{'within' if within else 'over'} {job.wall} s and {job.memory:.0f} MiB"
        print(f"{shown(job.name, costs)}   {budget}")
    return is_within


def _measured(command: Sequence[str], good: Sequence[int]) -> list[Cost]:
    """Run a command some times, after once to warm the caches."""
    return [cost_of(command, good, folder=ROOT) for _ in range(RUNS + 1)][1:]


def shown(name: str, costs: Sequence[Cost]) -> str:
    """One line: the minimum, median and maximum of the wall time, the median processor time and the most memory."""
    walls = sorted(cost.wall for cost in costs)
    middle = median(costs)
    wall = f"{walls[0]:.2f} · {middle.wall:.2f} · {walls[-1]:.2f} s"
    return f"{name:32} wall {wall}   processor {middle.processor:.2f} s   memory {middle.memory:.0f} MiB"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
