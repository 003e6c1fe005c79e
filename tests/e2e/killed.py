"""`up` that is killed in the middle of its work."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from cluster.repository import ROOT
from cluster.state import State
from cluster.waiting import until


def kill_up(folder: Path, *options: str, once: str, seconds: float) -> None:
    """Start it for a cluster in the folder, and kill it as soon as the process of that name runs."""
    command = [sys.executable, "-m", "cluster", "up", *options, "--state", str(folder)]
    up = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def runs() -> bool:
        assert up.poll() is None, "it ended by itself"
        return State(folder).process(once).is_alive()

    try:
        until(f"{once} runs", runs, seconds=seconds, every=0.01)
    finally:
        up.kill()
        up.wait()
