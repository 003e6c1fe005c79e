"""The command-line tools that the checks run: found, and of exactly the version that is asked for.

A render or a validation by another version is another answer, so a near match is an error, never a warning.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from policy.errors import ToolError
from policy.patterns import Pattern

VERSION_ARGUMENTS: Mapping[str, tuple[str, ...]] = {
    "argocd": ("version", "--client", "--short"),
    "calico": ("-v",),
    "crane": ("version",),
    "go": ("version",),
    "kube-score": ("version",),
    "kubeconform": ("-v",),
    "kubectl": ("version", "--client"),
    "kustomize": ("version",),
    "nginx": ("-v",),
    "traefik": ("version",),
}
"""How a tool is asked for its version, where it is not ``--version``."""

HOMEPAGES: Mapping[str, str] = {
    "argocd": "https://argo-cd.readthedocs.io/en/stable/cli_installation/",
    "kubeconform": "https://github.com/yannh/kubeconform#installation",
    "kustomize": "https://kubectl.docs.kubernetes.io/installation/kustomize/",
}

_VERSION = Pattern(r"(?<![\w.])(?:[a-z]+)?(\d+\.\d+(?:\.\d+)?(?:-[0-9A-Za-z.-]+)?)")
_TIMEOUT_SECONDS = 30
_REMEMBERED = 64


def find_tool(name: str, *, wanted: str | None, root: Path) -> Path:
    """Where the tool ``name`` of version ``wanted`` (``5.8.3``; None: any) is.

    Looked at, in this order: the environment variable ``POLICY_<NAME>``, ``<root>/.tools/bin``, the folder of the
    running Python, PATH. A wrong version in one of the last three is passed over if a later one is right.

    Raises ToolError if there is none, or none of that version.
    """
    variable = "POLICY_" + name.upper().replace("-", "_")
    named = os.environ.get(variable)
    if named:
        return _named_tool(name, Path(named), variable, wanted)
    passed_over: list[str] = []
    for path in _candidates(name, root):
        if wanted is None:
            return path
        found = tool_version(name, path)
        if found == wanted:
            return path
        passed_over.append(f"{name} {found} at {path}")
    how = _how_to_get(name, wanted, variable)
    if passed_over:
        raise ToolError(f"found {' and '.join(passed_over)}, want {wanted}: {how}")
    raise ToolError(f"{name} is not installed: {how}")


def tool_version(name: str, path: Path) -> str:
    """The version that the binary at ``path`` says it has, without a leading ``v`` and without build metadata.

    Asked once per file: the answer is remembered in the user's cache folder until the file changes.
    Raises ToolError if it cannot be run or says no version.
    """
    memo = _Memo(cache_folder() / "tool-versions.json")
    try:
        status = path.stat()
    except OSError as error:
        raise ToolError(f"{name} at {path} cannot be read: {error.strerror}") from error
    key = f"{path.absolute()} {status.st_ino} {status.st_size} {status.st_mtime_ns}"
    known = memo.get(key)
    if known is None:
        known = _ask_version(name, path)
        memo.put(key, known)
    return known


def cache_folder() -> Path:
    """Where this package keeps what it can make again: ``$XDG_CACHE_HOME/gitops-policy``, by default in ``~/.cache``.

    Raises ToolError if the user has no home folder.
    """
    given = os.environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(given):
        return Path(given) / "gitops-policy"
    try:
        return Path.home() / ".cache" / "gitops-policy"
    except RuntimeError as error:
        raise ToolError("this user has no home folder for a cache: set XDG_CACHE_HOME to an absolute path") from error


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that another process sees all of it or nothing. Raises OSError."""
    import tempfile  # most runs write nothing

    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _named_tool(name: str, path: Path, variable: str, wanted: str | None) -> Path:
    if not _is_program(path):
        raise ToolError(f"{variable} names {path}, which is not an executable file")
    if wanted is not None and (found := tool_version(name, path)) != wanted:
        raise ToolError(f"found {name} {found} at {path} (named by {variable}), want {wanted}")
    return path.absolute()


def _candidates(name: str, root: Path) -> Iterator[Path]:
    seen: set[Path] = set()
    places = [root / ".tools" / "bin", Path(sys.executable).parent]
    # An empty entry of PATH means the current folder, which must never decide what is run.
    places += [Path(entry) for entry in os.environ.get("PATH", "").split(os.pathsep) if entry]
    for place in places:
        path = (place / name).absolute()
        if path not in seen and _is_program(path):
            seen.add(path)
            yield path


def _is_program(path: Path) -> bool:
    import shutil

    return shutil.which(str(path.absolute())) is not None


def _ask_version(name: str, path: Path) -> str:
    import subprocess  # a version that is known is not asked for

    arguments = VERSION_ARGUMENTS.get(name, ("--version",))
    try:
        done = subprocess.run(
            [path, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ToolError(f"{path} {' '.join(arguments)} gave no answer in {_TIMEOUT_SECONDS} seconds") from error
    except OSError as error:
        raise ToolError(f"{path} cannot be run: {error.strerror}") from error
    said = (done.stdout + done.stderr).strip()
    match = _VERSION.search(said)
    if done.returncode != 0 or match is None:
        first = said.splitlines()[0] if said else "nothing"
        raise ToolError(f"{path} {' '.join(arguments)} ended with {done.returncode} and says no version: {first}")
    return match[1]


def _how_to_get(name: str, wanted: str | None, variable: str) -> str:
    page = f" ({HOMEPAGES[name]})" if name in HOMEPAGES else ""
    return f"install {name}{f' {wanted}' if wanted else ''}{page} on PATH, or name its file by {variable}"


class _Memo:
    """Strings by key in one small file; without a usable file it remembers nothing and nothing breaks."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def get(self, key: str) -> str | None:
        return self._read().get(key)

    def put(self, key: str, value: str) -> None:
        known = self._read()
        known[key] = value
        newest = dict(list(known.items())[-_REMEMBERED:])
        try:
            write_atomically(self._file, json.dumps(newest, indent=1).encode())
        except OSError:
            return

    def _read(self) -> dict[str, str]:
        try:
            content = json.loads(self._file.read_bytes())
        except (OSError, ValueError):
            return {}
        if not isinstance(content, dict):
            return {}
        return {key: value for key, value in content.items() if isinstance(key, str) and isinstance(value, str)}
