"""Reports that go to files: all of a report is written, or nothing."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import msgspec

from policy.errors import PolicyError
from policy.reports import FORMATS


class Output(msgspec.Struct, frozen=True):
    """A report that is asked for in a file: ``sarif:policy.sarif``."""

    format: str
    path: Path


def parse_output(text: str) -> Output:
    """Reads ``FORMAT:FILE``. Raises ValueError with what is wrong."""
    name, colon, file = text.partition(":")
    if not colon or not file:
        raise ValueError(f"{text!r} is not FORMAT:FILE, e.g. sarif:policy.sarif")
    if name not in FORMATS:
        raise ValueError(f"there is no format {name}; formats: {', '.join(FORMATS)}")
    return Output(name, Path(file))


def check_outputs(outputs: list[Output]) -> None:
    """Raises PolicyError, before anything is checked, where a file can never be written or is named twice."""
    seen: set[str] = set()
    for output in outputs:
        target = os.path.realpath(output.path)
        if target in seen:
            raise PolicyError("two reports cannot be written to the same file", file=output.path)
        seen.add(target)
        if os.path.isdir(target):
            raise PolicyError("cannot be written: it is a folder", file=output.path)
        if not os.path.isdir(os.path.dirname(target)):
            raise PolicyError("cannot be written: its folder does not exist", file=output.path)


def write_report(path: Path, text: str) -> None:
    """Writes the file so that others see all of it or what was there before; a device or pipe is written to directly.

    Raises PolicyError if that is not possible.
    """
    content = encoded(text)
    target = Path(os.path.realpath(path))
    try:
        mode = stat.S_IMODE(target.stat().st_mode) if target.is_file() else None
        if mode is None and target.exists():
            target.write_bytes(content)
        else:
            _replace(target, content, mode)
    except OSError as error:
        raise PolicyError(f"cannot be written: {error.strerror}", file=path) from error


def encoded(text: str) -> bytes:
    """UTF-8; what it cannot carry, a file name that is not UTF-8, is written out as in JSON."""
    return text.encode("utf-8", errors="backslashreplace")


def _replace(target: Path, content: bytes, mode: int | None) -> None:
    temporary = target.with_name(f".policy-{os.urandom(6).hex()}")
    try:
        with open(temporary, "xb") as file:
            file.write(content)
        if mode is not None:
            temporary.chmod(mode)
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
