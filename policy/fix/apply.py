"""Putting changed files in place: each whole or not at all, and all of them or none."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from policy.errors import PolicyError
from policy.fix.run import FileChange


def apply(changes: Sequence[FileChange]) -> None:
    """Write the files, each with its mode as it was.

    Raises ``PolicyError``, with all files as they were, if one of them cannot be written, or has changed meanwhile.
    """
    prepared: dict[Path, Path] = {}
    placed: list[FileChange] = []
    name = ""
    try:
        for change in changes:
            name = change.name
            prepared[change.path] = _beside(change, change.after)
        for change in changes:
            name = change.name
            if change.path.read_bytes() != change.before:
                raise PolicyError("was changed by somebody else meanwhile, so no file is mended", file=name)
            os.replace(prepared[change.path], change.path)
            placed.append(change)
    except (OSError, PolicyError) as error:
        for change in placed:
            os.replace(_beside(change, change.before), change.path)
        if isinstance(error, PolicyError):
            raise
        raise PolicyError(f"cannot be written: {error.strerror}; no file is mended", file=name) from error
    finally:
        for new in prepared.values():
            new.unlink(missing_ok=True)


def _beside(change: FileChange, data: bytes) -> Path:
    """A file with that content in the folder of the one that it replaces, so that the move is one step."""
    number, name = tempfile.mkstemp(prefix=f".{change.path.name}.", dir=change.path.parent)
    new = Path(name)
    try:
        with os.fdopen(number, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        shutil.copymode(change.path, new)
    except OSError:
        new.unlink()
        raise
    return new
