"""Writes tools/python/*.txt from *.in: `tox run -e lock`, and `tox run -e lock -- --upgrade` for newer versions.

One lock holds for every platform and every Python from 3.11 on, pins by hash, and names no package index.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

FOLDER = Path(__file__).resolve().parent / "python"
COMMAND = (
    *("uv", "pip", "compile", "--quiet", "--universal", "--python-version", "3.11", "--generate-hashes"),
    *("--no-emit-index-url", "--custom-compile-command", "tox run -e lock"),
)


def main(options: Sequence[str]) -> int:
    """Write every lock; the exit code is that of the first that fails."""
    for source in in_order(sorted(FOLDER.glob("*.in"))):
        print(f"locking {source.name}", file=sys.stderr)
        # What `schemas` needs to run is left out: only its files are read.
        alone = ["--no-deps"] if source.stem == "schemas" else []
        target = source.with_suffix(".txt").name
        done = subprocess.run([*COMMAND, *alone, *options, source.name, "-o", target], cwd=FOLDER, check=False)
        if done.returncode != 0:
            return done.returncode
    return 0


def in_order(sources: Sequence[Path]) -> list[Path]:
    """The sources so that each comes after the locks that it is constrained by (`-c other.txt`)."""
    waiting = {
        source: set(re.findall(r"^-c (\S+)\.txt$", source.read_text(encoding="utf-8"), re.MULTILINE))
        for source in sources
    }
    ordered: list[Path] = []
    while waiting:
        written = {source.stem for source in ordered}
        ready = [source for source, needed in waiting.items() if needed <= written]
        if not ready:
            raise SystemExit(f"error: {', '.join(source.name for source in waiting)} constrain each other")
        ordered += ready
        for source in ready:
            del waiting[source]
    return ordered


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
