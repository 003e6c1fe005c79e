"""Running a program to its end: its answer, or its own words as the error."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from cluster.errors import ClusterError


def run(*command: str | Path, given: str | None = None, seconds: float = 60) -> str:
    """What it writes to stdout. Raises ClusterError if it fails, cannot be run, or is not done in time."""
    parts = [os.fspath(part) for part in command]
    name = Path(parts[0]).name
    try:
        done = subprocess.run(parts, input=given, capture_output=True, text=True, timeout=seconds, check=False)
    except OSError as error:
        raise ClusterError(f"{name} cannot be run: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise ClusterError(f"{' '.join([name, *parts[1:]])} is not done after {seconds:.0f} s") from error
    if done.returncode != 0:
        words = (done.stderr or done.stdout).strip() or f"exit code {done.returncode}"
        raise ClusterError(f"{' '.join([name, *parts[1:]])}: {words}")
    return done.stdout
