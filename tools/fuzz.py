"""Searches for input that makes the check end with a traceback: `tox run -e fuzz -- --minutes 10`.

Half of the time goes to the property tests of tests/fuzz, each round on other inputs; the other half to the readers of
YAML under atheris, which looks for texts that reach new branches. Ends with exit code 1 at the first that fails, which
is shown with the input; what atheris finds is kept as a file.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = 400
"""Inputs for each property test in a round."""
LONGEST_TEXT = 2000
"""Of those that atheris tries, in bytes."""


def main(arguments: Sequence[str]) -> int:
    """Fuzz for so many minutes; the exit code says whether nothing was found."""
    parser = argparse.ArgumentParser(prog="fuzz", description="Search for input that makes the check fail.")
    parser.add_argument("--minutes", type=float, default=10, help="for how long, 10 by default")
    minutes: float = parser.parse_args(arguments).minutes
    return _properties(minutes * 30) or _readers(minutes * 30)


def _properties(seconds: float) -> int:
    """Round after round of the property tests, until the time is up."""
    end = time.monotonic() + seconds
    environment = {**os.environ, "HYPOTHESIS_EXAMPLES": str(EXAMPLES)}
    rounds = 0
    while time.monotonic() < end:
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/fuzz/test_check.py"]
        done = subprocess.run(command, cwd=ROOT, env=environment, check=False)
        if done.returncode:
            return 1
        rounds += 1
    print(f"property tests: {rounds} rounds of {EXAMPLES} inputs each, nothing found")
    return 0


def _readers(seconds: float) -> int:
    """atheris on the readers of YAML."""
    command = [sys.executable, "-m", "tests.fuzz.readers", f"-max_total_time={seconds:.0f}", f"-max_len={LONGEST_TEXT}"]
    done = subprocess.run([*command, "-print_final_stats=1"], cwd=ROOT, check=False)
    return 1 if done.returncode else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
