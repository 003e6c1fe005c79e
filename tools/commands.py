"""Running a command that takes its time: with progress on stderr, and its own words if it fails."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from policy.errors import ToolError

_LAST_LINES = 20


def say(line: str) -> None:
    """One line for the person at the terminal."""
    print(line, file=sys.stderr, flush=True)


def run_shown(
    command: Sequence[str], what: str, *, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> str:
    """Run a command, say ``what`` it does and for how long, and return its stdout. Raises ToolError if it fails."""
    started = time.monotonic()
    with tempfile.TemporaryFile("w+") as said, tempfile.TemporaryFile("w+") as answered:
        try:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=answered, stderr=said, cwd=cwd, env=env
            )
        except OSError as error:
            raise ToolError(f"{command[0]} cannot be run: {error.strerror}") from error
        progress = _Progress(what)
        try:
            while (code := _wait(process, 1.0)) is None:
                progress.show(time.monotonic() - started)
        except BaseException:
            process.terminate()
            process.wait()
            raise
        finally:
            progress.end(time.monotonic() - started)
        said.seek(0)
        answered.seek(0)
        if code != 0:
            words = (said.read().strip() or answered.read().strip() or f"exit code {code}").splitlines()
            raise ToolError("\n  ".join([f"{what} failed:", *words[-_LAST_LINES:]]))
        return answered.read()


def _wait(process: subprocess.Popen[bytes], seconds: float) -> int | None:
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        return None


class _Progress:
    """One line on stderr: rewritten every second on a terminal, else a start and an end."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._live = sys.stderr.isatty()
        self._write(0)

    def show(self, seconds: float) -> None:
        if self._live:
            self._write(seconds)

    def end(self, seconds: float) -> None:
        if self._live:
            self._write(seconds, end="\n")
        else:
            say(f"{self._what}: {seconds:.0f} s")

    def _write(self, seconds: float, end: str = "") -> None:
        if self._live:
            print(f"\r{self._what} … {seconds:.0f} s", end=end, file=sys.stderr, flush=True)
        else:
            say(f"{self._what} …")
