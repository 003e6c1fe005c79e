"""What Git knows of the repository: the digests that files ever held, the files of a commit, where it comes from.

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
_LINK = b"120000"
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


def extract(repository: Path, revision: str, folder: Path) -> None:
    """Writes the files of a commit into a folder, byte for byte as they were committed; submodules are left out.

    Nothing of the repository changes: no work tree, no index, no attribute or filter has a part in it.

    Raises:
        HistoryError: there is no such commit, or it cannot be read.
    """
    if revision.startswith("-"):
        raise HistoryError(f"{revision} is no revision")
    try:
        commit = _git(repository, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}").decode().strip()
    except HistoryError:
        raise HistoryError(f"there is no commit {revision} in {repository}") from None
    listed = _git(repository, "ls-tree", "-r", "-z", "--full-tree", commit).split(b"\0")
    entries = [
        (head.split(), os.fsdecode(name)) for head, _, name in (line.partition(b"\t") for line in listed) if name
    ]
    blobs = [(mode, sha, name) for (mode, kind, sha), name in entries if kind == b"blob"]
    read = _git(repository, "cat-file", "--batch", standard_input=b"".join(sha + b"\n" for _, sha, _ in blobs))
    start = 0
    for mode, _, name in blobs:
        head_end = read.index(b"\n", start)
        size = int(read[start:head_end].split()[2])
        content = read[head_end + 1 : head_end + 1 + size]
        start = head_end + size + 2
        file = folder / name
        if file.is_symlink() or not file.parent.resolve().is_relative_to(folder.resolve()):
            raise HistoryError(f"{revision} holds the file {name}, which would lie elsewhere")
        file.parent.mkdir(parents=True, exist_ok=True)
        if mode == _LINK:
            file.symlink_to(os.fsdecode(content))
        else:
            file.write_bytes(content)


def _git(repository: Path, *arguments: str, standard_input: bytes = b"") -> bytes:
    git = shutil.which("git")
    if git is None:
        raise HistoryError("git is not installed, so the history is not known")
    command = [os.path.abspath(git), "-C", str(repository), "-c", "core.fsmonitor=false", *arguments]
    try:
        done = subprocess.run(
            command,
            input=standard_input,
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
