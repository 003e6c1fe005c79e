"""What Git knows of the repository: the digests that files ever held, and where the repository comes from.

Git is asked only when a rule asks. Nothing that the repository's configuration names is run: no external diff, no text
conversion, no file system monitor.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import msgspec

from policy.errors import PolicyError

TIMEOUT_SECONDS = 30.0

_DIGEST = re.compile(rb"sha256:[0-9a-f]{64}")
_ENVIRONMENT = {"GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}


class HistoryError(PolicyError):
    """The history cannot be read: there is no Git, no repository, or no commit."""


class Past(msgspec.Struct, frozen=True):
    """The digests (``sha256:…``) that were ever committed; not ``is_complete`` where older commits were not fetched."""

    digests: frozenset[str]
    is_complete: bool = True


def past_of(repository: Path, folders: Sequence[str]) -> Past:
    """What the files in these folders (relative to the repository) ever held, up to the present commit.

    Raises:
        HistoryError: there is no history to read.
    """
    log = _git(
        repository, "log", "--no-color", "--no-ext-diff", "--no-textconv", "-p", "-U0", "--format=", "--", *folders
    )
    added = b"\n".join(line for line in log.splitlines() if line.startswith(b"+"))
    is_shallow = _git(repository, "rev-parse", "--is-shallow-repository").strip() == b"true"
    return Past(frozenset(found.decode() for found in _DIGEST.findall(added)), not is_shallow)


def remotes(repository: Path) -> tuple[str, ...]:
    """The URLs that the repository is fetched from; none where that is not known."""
    try:
        said = _git(repository, "config", "--get-regexp", r"^remote\..*\.url$")
    except HistoryError:
        return ()
    return tuple(line.split(" ", 1)[1] for line in said.decode("utf-8", "replace").splitlines() if " " in line)


def _git(repository: Path, *arguments: str) -> bytes:
    git = shutil.which("git")
    if git is None:
        raise HistoryError("git is not installed, so the history is not known")
    command = [os.path.abspath(git), "-C", str(repository), "-c", "core.fsmonitor=false", *arguments]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env={**os.environ, **_ENVIRONMENT},
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise HistoryError(f"git did not answer within {TIMEOUT_SECONDS:g} s") from None
    except OSError as error:
        raise HistoryError(f"git cannot be run: {error.strerror}") from error
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise HistoryError(f"git: {said[0].removeprefix('fatal: ') if said else 'failed'}")
    return done.stdout
