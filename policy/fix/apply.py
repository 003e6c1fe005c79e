"""Putting changed files in place: each whole or not at all, and all of them or none."""

from __future__ import annotations

import contextlib
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
    prepared: list[tuple[FileChange, Path]] = []
    placed: list[FileChange] = []
    try:
        prepared.extend((change, _beside(change, change.after)) for change in changes)
        for change, new in prepared:
            if change.path.read_bytes() != change.before:
                raise PolicyError("was changed by somebody else meanwhile, so no file is mended", file=change.name)
            os.replace(new, change.path)
            placed.append(change)
    except (OSError, PolicyError) as error:
        for change in placed:
            os.replace(_beside(change, change.before), change.path)
        if isinstance(error, PolicyError):
            raise
        file = prepared[len(placed)][0].name if len(placed) < len(prepared) else changes[len(prepared)].name
        raise PolicyError(f"cannot be written: {error.strerror}; no file is mended", file=file) from error
    finally:
        for _, new in prepared:
            with contextlib.suppress(FileNotFoundError):
                new.unlink()


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
