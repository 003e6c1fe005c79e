"""Rendering a kustomization with the real binary."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

from policy.errors import RenderError

TIMEOUT_SECONDS = 60.0
"""How long one build may take. A build of hundreds of objects takes a fraction of a second."""

_ENVIRONMENT = {
    # Nothing may be fetched: no git to clone with, and a proxy that refuses at once whatever is asked of it.
    "PATH": "",
    "HTTP_PROXY": "http://127.0.0.1:9",
    "HTTPS_PROXY": "http://127.0.0.1:9",
    "NO_PROXY": "",
}


def render(
    kustomize: Path,
    folder: Path,
    *,
    restrict_files: bool = True,
    timeout: float = TIMEOUT_SECONDS,
) -> str:
    """What ``kustomize build`` prints for a folder: a YAML stream.

    With ``restrict_files`` a kustomization may only read files in or below its own folder (Kustomize's default).

    Raises ``RenderError`` with one sentence of what is wrong, and the file and line where Kustomize tells.
    """
    command = [str(kustomize), "build", str(folder)]
    if not restrict_files:
        command.append("--load-restrictor=LoadRestrictionsNone")
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            check=False,
            env={**os.environ, **_ENVIRONMENT},
            stdin=subprocess.DEVNULL,
            timeout=timeout,
        )
    except subprocess.TimeoutExpired:
        raise RenderError(f"kustomize did not finish within {timeout:g} s", file=folder) from None
    except OSError as error:
        raise RenderError(f"kustomize cannot be run: {error.strerror}", file=kustomize) from None
    if done.returncode != 0:
        raise explain(done.stderr.decode("utf-8", "replace"), folder)
    return done.stdout.decode("utf-8")


def render_all(
    kustomize: Path,
    folders: Iterable[Path],
    *,
    restrict_files: bool = True,
    timeout: float = TIMEOUT_SECONDS,
) -> dict[Path, str | RenderError]:
    """Render several folders at the same time; one that fails holds its error and does not hide the others."""
    from concurrent.futures import (
        ThreadPoolExecutor,
    )  # not needed for a single target, and slow to import

    def attempt(folder: Path) -> str | RenderError:
        try:
            return render(kustomize, folder, restrict_files=restrict_files, timeout=timeout)
        except RenderError as error:
            return error

    unique = list(dict.fromkeys(folders))
    with ThreadPoolExecutor(max_workers=min(len(unique), 2 * (os.cpu_count() or 1)) or 1) as pool:
        return dict(zip(unique, pool.map(attempt, unique), strict=True))


_WRAPPERS = re.compile(
    r"^(?:accumulating resources: |accumulating components: |accumulation err='|accumulateDirectory: \"?|"
    r"recursed (?:accumulation|merging) (?:of|from) path '[^']*': |accumulating resources from '[^']*': |"
    r"merging resources from '[^']*': |couldn't make target for path '[^']*': |loader\.New \"?|"
    r"must build at directory: )+"
)
_RECURSED = re.compile(r"(?:recursed \w+ (?:of|from)|couldn't make target for) path '([^']+)': ")
_FOLLOWING = re.compile(r"': (?:must build at directory: .*|recursed .*)$", re.DOTALL)


def explain(stderr: str, folder: Path) -> RenderError:
    """Kustomize's message as one sentence: the innermost cause, at the file that it concerns."""
    lines = [line for line in stderr.splitlines() if not line.startswith("# Warning:")]
    text = "\n".join(lines).strip().removeprefix("Error: ")
    nested = _RECURSED.findall(text)
    where = Path(nested[-1]) if nested else folder
    for pattern, sentence in _KNOWN:
        match = pattern.search(text)
        if match:
            parts = match.groupdict()
            file = where / parts["file"] if parts.get("file") else where
            line = parts.get("line")
            return RenderError(
                sentence.format(**parts),
                file=file,
                line=int(line) if line and line.isdecimal() else None,
            )
    cause = text.rsplit("': ", 1)[-1] if nested else _FOLLOWING.sub("", _WRAPPERS.sub("", text))
    return RenderError(f"kustomize: {' '.join(cause.split())}", file=where)


_KNOWN = [
    (re.compile(pattern, re.DOTALL), sentence)
    for pattern, sentence in (
        (
            r"cycle detected: candidate root '(?P<to>[^']+)' contains visited root '(?P<from>[^']+)'",
            "a cycle of kustomizations: {from} leads back to {to}",
        ),
        (
            r"from '(?P<file>[^']+)': MalformedYAMLError: yaml: line (?P<line>\d+): (?P<what>.+?) in File",
            "malformed YAML: {what}",
        ),
        (
            r"accumulating resources from '(?P<file>[^']+)': (?P<what>missing \S+)(?: in object.*)?",
            "an object is {what}",
        ),
        (
            r"invalid Kustomization: yaml: (?:unmarshal errors:\n +)?line (?P<line>\d+): (?P<what>[^\n]+)",
            "malformed kustomization: {what}",
        ),
        (
            r"invalid Kustomization: (?:json: )?(?P<what>[^\n]+)",
            "malformed kustomization: {what}",
        ),
        (r"kustomization\.yaml is empty", "the kustomization is empty"),
        (
            r"unable to find one of .* in directory '(?P<dir>[^']+)'",
            "there is no kustomization in {dir}",
        ),
        (
            r"no resource matches strategic merge patch \"(?P<what>[^\"]+)\"",
            "a patch finds no object {what}",
        ),
        (
            r"failed to get the patch file from path\((?P<what>[^)]+)\)",
            "the patch file {what} does not exist",
        ),
        (
            r"accumulating resources from '(?P<what>[^']+)': evalsymlink failure",
            "the resource {what} does not exist",
        ),
        (
            r"security; file '(?P<what>[^']+)' is not in or below '(?P<dir>[^']+)'",
            "{what} is outside of {dir}, and a kustomization may only read files in or below its own folder",
        ),
        (
            r"may not add resource with an already registered id: (?P<what>\S+?)'?(?::|$)",
            "an object is there twice: {what}",
        ),
        (
            r"resource with name (?P<what>\S+) does not match a config",
            "replicas names {what}, which is no object with replicas",
        ),
        (
            r"must build at directory: not a valid directory: evalsymlink failure on '(?P<what>[^']+)'",
            "{what} does not exist",
        ),
        (
            r"mapping key (?P<what>\"[^\"]+\") already defined at line",
            "an object holds the key {what} twice",
        ),
    )
]
