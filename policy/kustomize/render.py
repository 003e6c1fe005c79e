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
    "no_proxy": "",
}


def render(kustomize: Path, folder: Path, *, restrict_files: bool = True, timeout: float = TIMEOUT_SECONDS) -> str:
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
    try:
        return done.stdout.decode("utf-8")
    except UnicodeDecodeError:
        raise RenderError("kustomize printed what is not UTF-8", file=folder) from None


def render_all(
    kustomize: Path,
    folders: Iterable[Path],
    *,
    restrict_files: bool = True,
    timeout: float = TIMEOUT_SECONDS,
) -> dict[Path, str | RenderError]:
    """Render several folders at the same time; one that fails holds its error and does not hide the others."""
    from concurrent.futures import ThreadPoolExecutor  # a single target does not need it, and it is slow to import

    def attempt(folder: Path) -> str | RenderError:
        try:
            return render(kustomize, folder, restrict_files=restrict_files, timeout=timeout)
        except RenderError as error:
            return error

    unique = list(dict.fromkeys(folders))
    with ThreadPoolExecutor(max_workers=min(len(unique), 2 * (os.cpu_count() or 1)) or 1) as pool:
        return dict(zip(unique, pool.map(attempt, unique), strict=True))


_LONGEST = 300
_NESTED = re.compile(r"(?:recursed \w+ (?:of|from)|couldn't make target for) path '([^']+)': ")
_AROUND = re.compile(
    r"^(?:accumulating (?:resources|components): |accumulation err='|accumulateDirectory: \"?|loader\.New \"?|"
    r"must build at directory: |(?:accumulating|merging) resources from '[^']*': )+"
)
_AFTER = re.compile(r"': (?:must build at directory: .*|recursed .*)$", re.DOTALL)


def explain(stderr: str, folder: Path) -> RenderError:
    """Kustomize's message as one sentence: the innermost cause, at the file that it concerns."""
    lines = [line for line in stderr.splitlines() if not line.startswith("# Warning:")]
    text = "\n".join(lines).strip().removeprefix("Error: ")
    nested = _NESTED.findall(text)
    where = Path(nested[-1]) if nested else folder
    for pattern, sentence in _SENTENCES:
        match = re.search(pattern, text, re.DOTALL)
        if match:
            parts = match.groupdict()
            line = parts.get("line") or ""
            file = where / parts["file"] if parts.get("file") else where
            return RenderError(sentence.format(**parts), file=file, line=int(line) if line.isdecimal() else None)
    cause = text.rsplit("': ", 1)[-1] if nested else _AFTER.sub("", _AROUND.sub("", text))
    words = " ".join(cause.split()) or "it failed without saying why"
    return RenderError(f"kustomize: {words if len(words) <= _LONGEST else words[:_LONGEST] + ' …'}", file=where)


_SENTENCES = (
    (
        r"accumulating resources from '(?P<what>[a-z+]+://[^']+)'",
        "the resource {what} is remote, and nothing is fetched",
    ),
    (
        r"cycle detected: candidate root '(?P<to>[^']+)' contains visited root",
        "a cycle of kustomizations: it leads back to {to}",
    ),
    (
        r"from '(?P<file>[^']+)': MalformedYAMLError: yaml: line (?P<line>\d+): (?P<what>.+?) in File",
        "not valid YAML: {what}",
    ),
    (r"accumulating resources from '(?P<file>[^']+)': (?P<what>missing \S+)", "an object is {what}"),
    (
        r"invalid Kustomization: yaml: (?:unmarshal errors:\n +)?line (?P<line>\d+): (?P<what>[^\n]+)",
        "malformed kustomization: {what}",
    ),
    (r"invalid Kustomization: (?:json: )?(?P<what>[^\n]+)", "malformed kustomization: {what}"),
    (r"Failed to read kustomization file under [^\n]+\n(?P<what>[^\n]+)", "malformed kustomization: {what}"),
    (r"kustomization\.yaml is empty", "the kustomization is empty"),
    (r"unable to find one of .* in directory '(?P<dir>[^']+)'", "there is no kustomization in {dir}"),
    (r"no resource matches strategic merge patch \"(?P<what>[^\"]+)\"", "a patch finds no object {what}"),
    (r"failed to get the patch file from path\((?P<what>[^)]+)\)", "the patch file {what} does not exist"),
    (r"unable to parse SM or JSON patch from \[(?P<what>.+)\]$", "a patch is neither an object nor operations: {what}"),
    (r"must specify a target for JSON patch \[(?P<what>.+)\]$", "a JSON patch has no target: {what}"),
    (
        r"wrong node kind: expected (?P<wanted>\w+?)Node but got (?P<got>\w+?)Node",
        "a {got} stands where a {wanted} is wanted",
    ),
    (r"unknown patch strategy '(?P<what>[^']*)'", "a patch says $patch: {what}, which is no directive"),
    (r"accumulating resources from '(?P<what>[^']+)': evalsymlink failure", "the resource {what} does not exist"),
    (
        r"security; file '(?P<what>[^']+)' is not in or below '(?P<dir>[^']+)'",
        "{what} is outside of {dir}, and a kustomization may only read files in or below its own folder",
    ),
    (
        r"may not add resource with an already registered id: (?P<what>\S+?)'?(?::|$)",
        "an object is there twice: {what}",
    ),
    (
        r"namespace transformation produces ID conflict: .*?\"kind\W+(?P<kind>\w+).*?[^s]\"name\W+(?P<name>[\w.-]+)",
        "the namespace makes two objects one: {kind}/{name}",
    ),
    (
        r"resource with name (?P<what>\S+) does not match a config",
        "replicas names {what}, which is no object with replicas",
    ),
    (r"nothing selected by (?P<what>\S+)", "a replacement finds no source {what}"),
    (r"unable to find field (?P<what>\"[^\"]+\") in replacement target", "a replacement finds no field {what} to set"),
    (
        r"Kind:\"(?P<kind>\w+)\", .*Name:\"(?P<name>[^\"]+)\".* does not exist; cannot merge or replace",
        "a generator is to change {kind}/{name}, which does not exist",
    ),
    (
        r"Kind:\"(?P<kind>\w+)\", .*Name:\"(?P<name>[^\"]+)\".* exists; can not use behavior",
        "a generator makes {kind}/{name}, which is there already, without saying whether to merge or to replace",
    ),
    (
        r"configmap (?P<name>\S+) illegally repeats the key `(?P<key>[^`]+)`",
        "a generator gives {name} the key {key} twice",
    ),
    (
        r"expected kind 'Component' for path '(?P<what>[^']+)'",
        "{what} is listed in components, and is none",
    ),
    (r"expected kind != 'Component' for path '(?P<what>[^']+)'", "{what} is a component, and listed in resources"),
    (
        r"must build at directory: not a valid directory: evalsymlink failure on '(?P<what>[^']+)'",
        "{what} does not exist",
    ),
    (r"mapping key (?P<what>\"[^\"]+\") already defined at line", "an object holds the key {what} twice"),
)
"""What Kustomize says, and the sentence for it; ``file`` and ``line`` are the place."""
