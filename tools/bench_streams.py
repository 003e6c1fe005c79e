"""`policy check` of large streams beside kube-score and Checkov: the same stream, in turns, in one run.

All rules, and for kube-score all its checks, the optional ones too. kube-score does not compare objects with the
schemas of Kubernetes, so the bars hold for our rules without schema-valid. With schema-valid the check is measured as
well: ``new`` asks kubeconform about every object, for two versions of Kubernetes; ``seen`` knows the objects from an
earlier run. Times are the median of some runs, fewer for the large streams.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.costs import Cost, cost_of, median
from tools.streams import NAMESPACES, stream

RUNS = {48: 9, 420: 7, 4_020: 5, 14_020: 3, 40_020: 1}
"""By the number of objects, how often each program runs."""
LARGEST_FOR_CHECKOV = 48
RULES, SEEN, NEW, KUBE_SCORE, CHECKOV = (
    "policy, all rules",
    "policy, and schemas (seen)",
    "policy, and schemas (new)",
    "kube-score",
    "checkov",
)


@dataclass(frozen=True, slots=True)
class Bar:
    """What our rules may cost: processor seconds, how often they must fit into those of kube-score, MiB."""

    seconds: float | None = None
    ratio: float | None = None
    memory: float | None = None


BARS = {48: Bar(seconds=0.15), 4_020: Bar(ratio=7, memory=64), 14_020: Bar(ratio=15, memory=160)}
LINEAR = (4_020, 40_020, 1.25)
"""Between these sizes the seconds for an object, beyond those that 48 objects take, grow at most by this factor."""


@dataclass(frozen=True, slots=True)
class Program:
    """One of those that run in turns; ``prepare`` is done before each run and not measured."""

    name: str
    command: tuple[str, ...]
    folder: Path
    environment: Mapping[str, str]
    prepare: Callable[[], None] = lambda: None

    def cost(self, file: Path) -> Cost:
        self.prepare()
        return cost_of([*self.command, str(file)], (0, 1), folder=self.folder, environment=self.environment)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What of this can be asked for."""
    parser.add_argument("--sizes", type=int, nargs="+", choices=RUNS, default=list(RUNS), metavar="OBJECTS")
    parser.add_argument("--varied", action="store_true", help="streams of several kinds of workloads and YAML styles")


def run(root: Path, parsed: argparse.Namespace) -> bool:
    """Measure and print the table; whether everything is within its bar."""
    checkov = _find_checkov(root)
    if checkov is None:
        print("checkov is left out: it is not installed; `tox run -e peers` installs it")
    print(f"{'objects':>7}  {'program':28} {'processor':>11} {'memory':>10}  {'kube-score takes':>16}")
    measured: dict[int, dict[str, Cost]] = {}
    within = True
    with tempfile.TemporaryDirectory(prefix="bench-") as work:
        programs = list(_programs(root, Path(work), checkov))
        for size in parsed.sizes:
            file = Path(work) / f"{size}.yaml"
            file.write_text(stream((size - 2 * NAMESPACES) // 4, varied=parsed.varied), encoding="utf-8")
            costs = measured[size] = _in_turns(programs, file, size)
            for line, fits in _rows(size, costs):
                print(line, flush=True)
                within = within and fits
    for line, fits in _linear(measured):
        print(line)
        within = within and fits
    return within


def _in_turns(programs: Sequence[Program], file: Path, size: int) -> dict[str, Cost]:
    """Each program once, then again, so that what else the machine does meets all alike."""
    costs: dict[str, list[Cost]] = defaultdict(list)
    asked = [program for program in programs if program.name != CHECKOV or size <= LARGEST_FOR_CHECKOV]
    for number in range(RUNS[size] + 1):
        for program in asked:
            if (program.name == CHECKOV and number > 1) or (number == 0 and program.name not in (RULES, SEEN)):
                continue  # Checkov takes seconds for anything; the first turn warms caches, which only these have
            cost = program.cost(file)
            if number:
                costs[program.name].append(cost)
    return {name: median(each) for name, each in costs.items()}


def _rows(size: int, costs: Mapping[str, Cost]) -> Iterator[tuple[str, bool]]:
    other = costs[KUBE_SCORE].processor
    for name, cost in costs.items():
        ratio = other / cost.processor if cost.processor else float("inf")
        bars = list(_bars(cost, ratio, BARS.get(size, Bar()))) if name == RULES else []
        said = ", ".join(f"{'within' if fits else 'over'} {bar}" for bar, fits in bars)
        line = f"{size:7,}  {name:28} {cost.processor:9.2f} s {cost.memory:6.0f} MiB  {ratio:14.2f} x  {said}".rstrip()
        yield line, all(fits for _, fits in bars)


def _bars(cost: Cost, ratio: float, bar: Bar) -> Iterator[tuple[str, bool]]:
    if bar.seconds is not None:
        yield f"{bar.seconds} s", cost.processor <= bar.seconds
    if bar.ratio is not None:
        yield f"{bar.ratio:g} x", ratio >= bar.ratio
    if bar.memory is not None:
        yield f"{bar.memory:g} MiB", cost.memory <= bar.memory


def _linear(measured: Mapping[int, Mapping[str, Cost]]) -> Iterator[tuple[str, bool]]:
    small, large, most = LINEAR
    least = min(RUNS)
    if not {least, small, large} <= measured.keys():
        return
    start = measured[least][RULES].processor
    each = [(measured[size][RULES].processor - start) / size * 1e6 for size in (small, large)]
    fits = each[1] <= each[0] * most
    yield (
        (
            f"{RULES}: {each[0]:.0f} µs for an object at {small:,}, {each[1]:.0f} µs at {large:,}: "
            f"{'within' if fits else 'over'} {most} times"
        ),
        fits,
    )


def _programs(root: Path, work: Path, checkov: Path | None) -> Iterator[Program]:
    tools = root / ".tools" / "bin"
    python_path = os.pathsep.join((str(root), str(root / ".tools" / "schemas")))
    path = os.pathsep.join((str(tools), os.environ.get("PATH", "")))
    shared = {**os.environ, "PYTHONPATH": python_path, "PATH": path}
    check = (sys.executable, "-m", "policy", "check")

    def policy(name: str, settings: str, prepare: Callable[[Path], None] = lambda _: None) -> Program:
        folder = work / str(len(list(work.iterdir())))
        folder.mkdir()
        cache = folder / "cache"
        (folder / "policy.toml").write_text(settings, encoding="utf-8")
        command = (*check, "--config", str(folder / "policy.toml"))
        return Program(name, command, folder, {**shared, "XDG_CACHE_HOME": str(cache)}, lambda: prepare(cache))

    yield policy(RULES, "[rules.schema-valid]\nenabled = false\n")
    yield policy(SEEN, "")
    yield policy(NEW, "", _forget_verdicts)
    score = (str(tools / "kube-score"), "score", "--all-default-optional", "--output-format", "json")
    yield Program(KUBE_SCORE, score, work, shared)
    if checkov is not None:
        options = ("--framework", "kubernetes", "--compact", "--quiet", "--skip-download", "--output", "json", "--file")
        yield Program(CHECKOV, (str(checkov), *options), work, dict(os.environ))


def _forget_verdicts(cache: Path) -> None:
    for file in cache.rglob("valid-*"):
        file.unlink()


def _find_checkov(root: Path) -> Path | None:
    """Beside this Python, or where the environment that runs it keeps it."""
    for place in (Path(sys.executable).parent, root / ".tox" / "peers" / "bin"):
        if (place / "checkov").is_file():
            return place / "checkov"
    return None
