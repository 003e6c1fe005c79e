"""kubeconform itself: one process for each Kubernetes version, side by side, and what its words mean.

Its JSON lists only the outermost causes, so the causes are read from the message, which holds the whole tree:
``- at '<JSON pointer>': <what>``, two spaces deeper for each level.
"""

from __future__ import annotations

import difflib
import json
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from policy.errors import ToolError
from policy.findings import FieldPath
from policy.schema import REPEATED_KEY, fixes
from policy.schema.fixes import with_article
from policy.schema.schemas import Library

Said = tuple[str, FieldPath, str, str | None]
"""A document's text, the field, what is wrong there, and what to write instead where that can be told."""
_Problem = tuple[FieldPath, str, str | None]

_LIMITS = {
    "maxItems": "must have at most {} items",
    "maxLength": "must have at most {} characters",
    "maxProperties": "must have at most {} keys",
    "maximum": "must be at most {}",
    "minItems": "must have at least {} items",
    "minLength": "must have at least {} characters",
    "minProperties": "must have at least {} keys",
    "minimum": "must be at least {}",
}
_TIMEOUT_SECONDS = 120
_QUOTED = r"'((?:[^'\\]|\\.)*)'"
_CAUSE = re.compile(rf" ((?:  )*)- at {_QUOTED}: ")
_ESCAPE = re.compile(r"\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8})|(.))", re.DOTALL)
_CONTROL = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def run(texts: Sequence[str], *, library: Library, kubeconform: Path, work: Path) -> dict[str, list[Said]]:
    """Validate distinct texts; the answer, for each version of the library, is in the order of the texts."""
    folder = work / "documents"
    folder.mkdir()
    for index, text in enumerate(texts):
        (folder / f"{index}.yaml").write_text(text, encoding="utf-8", newline="")
    # kubeconform makes an URL of its working folder and stumbles over a percent sign in it.
    place = work / "library"
    place.symlink_to(library.root.absolute(), target_is_directory=True)
    running: list[tuple[str, subprocess.Popen[str], IO[str], IO[str]]] = []
    try:
        for version in library.folders:
            # Files, because a pipe that nobody reads while the other process runs would fill up and stop both.
            files = tempfile.TemporaryFile("w+", encoding="utf-8"), tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115
            process = _start(_command(kubeconform, library, version, folder), place, *files)
            running.append((version, process, *files))
        return {
            version: list(_said(_answer(process, output, errors), texts, library, version))
            for version, process, output, errors in running
        }
    finally:
        for _, process, output, errors in running:
            if process.poll() is None:
                process.kill()
                process.wait()
            output.close()
            errors.close()


def _command(kubeconform: Path, library: Library, version: str, folder: Path) -> list[str]:
    command = [str(kubeconform.absolute()), "-strict", "-verbose", "-summary", "-output", "json"]
    for place in library.folders[version]:
        command += ["-schema-location", place + "/{{.Group}}/{{.ResourceKind}}_{{.ResourceAPIVersion}}.json"]
    return [*command, str(folder)]


def _start(command: Sequence[str], folder: Path, output: IO[str], errors: IO[str]) -> subprocess.Popen[str]:
    # PWD: Go takes it for the working folder's name, instead of what the link resolves to.
    environment = os.environ | {"PWD": str(folder)}
    try:
        return subprocess.Popen(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=errors, text=True
        )
    except OSError as error:
        raise ToolError(f"{command[0]} cannot be run: {error.strerror}") from error


def _answer(process: subprocess.Popen[str], output: IO[str], errors: IO[str]) -> list[dict[str, Any]]:
    try:
        code = process.wait(_TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise ToolError(f"kubeconform did not end within {_TIMEOUT_SECONDS} seconds") from error
    output.seek(0)
    errors.seek(0)
    try:
        answer = json.loads(output.read())
        resources: list[dict[str, Any]] = answer["resources"]
    except (ValueError, KeyError, TypeError) as error:
        words = errors.read().strip().splitlines()
        raise ToolError(f"kubeconform ended with {code}: {words[0] if words else 'it said nothing'}") from error
    return resources


def _said(answer: Sequence[dict[str, Any]], texts: Sequence[str], library: Library, version: str) -> Iterator[Said]:
    by_index: dict[int, list[dict[str, Any]]] = {}
    for result in answer:
        if result["filename"]:
            by_index.setdefault(int(Path(result["filename"]).stem), []).append(result)
    for index, text in enumerate(texts):
        if index not in by_index:
            raise ToolError(f"kubeconform gave no answer about document {index + 1} of {len(texts)}")
        judged = [result for result in by_index[index] if result["status"]]
        if not judged:
            yield text, (), "there is no object in this document", None
        for result in judged:
            if result["status"] != "statusValid":
                yield from ((text, *problem) for problem in _problems(result, text, library, version))


def _problems(result: dict[str, Any], text: str, library: Library, version: str) -> Iterator[_Problem]:
    message: str = result["msg"]
    api_version, kind = result["version"], result["kind"]
    if result["status"] == "statusInvalid":
        file = library.file(version, api_version, kind)
        yield from _causes(message, _load(text), json.loads(file.read_bytes()) if file else {})
    elif message.startswith("could not find schema for "):
        if file := library.file(version, api_version, kind):
            raise ToolError(f"kubeconform cannot read the schema {file}")
        yield _unknown_kind(library, version, api_version, kind)
    else:
        yield (), REPEATED_KEY if message.endswith(" already set in map") else _without_preamble(message), None


def _unknown_kind(library: Library, version: str, api_version: str, kind: str) -> _Problem:
    known = library.api_versions(version, kind)
    if known:
        message = f"{kind} is not served in {api_version}, only in {', '.join(known)}"
        return ("apiVersion",), message, f"write apiVersion: {' or '.join(known)}, and its fields"
    message = f"no schema for kind {kind} in apiVersion {api_version}"
    fix = "correct it; or name the CustomResourceDefinition of a custom resource under schemas.crds in policy.toml"
    return ("kind",), message, fix


def _without_preamble(message: str) -> str:
    for preamble in ("error unmarshalling resource: ", "error converting YAML to JSON: ", "error while parsing: "):
        message = message.removeprefix(preamble)
    return " ".join(message.split())


def _load(text: str) -> Any:
    """The document again, only to tell list indexes from keys that look like numbers."""
    import yaml

    try:
        return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError:
        return None


def _causes(message: str, document: Any, schema: dict[str, Any]) -> Iterator[_Problem]:
    marks = list(_CAUSE.finditer(message))
    if not marks:
        yield (), _without_preamble(message), None
    skipped_below: int | None = None
    for mark, following in zip(marks, [*marks[1:], None], strict=True):
        depth = len(mark[1])
        if skipped_below is not None and depth > skipped_below:
            continue
        skipped_below = None
        what = message[mark.end() : following.start() if following else None].strip()
        if what in ("validation failed", "'allOf' failed"):
            continue  # the causes below say more
        if what.startswith(("'anyOf' failed", "'oneOf' failed")):
            skipped_below = depth
        path = _path(_unquote(mark[2]), document)
        yield from _sentences(path, what, schema, document)


def _path(pointer: str, document: Any) -> FieldPath:
    steps: list[str | int] = []
    for raw in pointer.split("/")[1:]:
        token = raw.replace("~1", "/").replace("~0", "~")
        if isinstance(document, list) and token.isdigit():
            steps.append(int(token))
            document = document[int(token)] if int(token) < len(document) else None
        else:
            steps.append(token)
            document = document.get(token) if isinstance(document, dict) else None
    return tuple(steps)


def _sentences(path: FieldPath, what: str, schema: dict[str, Any], document: Any) -> Iterator[_Problem]:
    if what.startswith("additional properties "):
        known = _fields(schema, path)
        for name in map(_unquote, re.findall(_QUOTED, what)):
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.8)
            message = f"unknown field {name}" + (f", did you mean {near[0]}?" if near else "")
            yield (*path, name), message, fixes.of_unknown(near, known, _value_at(document, path) or ())
    elif what.startswith(("missing property ", "missing properties ")):
        for name in map(_unquote, re.findall(_QUOTED, what)):
            yield (
                (*path, name),
                f"required field {name} is missing",
                fixes.of_missing(name, _node(schema, (*path, name))),
            )
    else:
        node = _node(schema, path)
        yield path, _value_sentence(what, node), fixes.of_value(what, node, _value_at(document, path))


def _value_at(document: Any, path: FieldPath) -> Any:
    for step in path:
        try:
            document = document[step]
        except (KeyError, IndexError, TypeError):
            return None
    return document


def _value_sentence(what: str, schema: dict[str, Any]) -> str:
    """What is wrong with a value, without the value: it may be a secret."""
    keyword = what.partition(":")[0]
    if keyword in _LIMITS and keyword in schema:  # kubeconform would write 2147483647 as 2.147483647×10⁰⁹
        return _LIMITS[keyword].format(schema[keyword])
    if match := re.fullmatch(r"got (\w+), want (.+)", what):
        wanted = [name for name in match[2].split(" or ") if name != "null"]
        return f"is {with_article(match[1])}, must be {' or '.join(map(with_article, wanted))}"
    if what.startswith("value must be ") and "enum" in schema:
        return "must be " + " or ".join(str(value) for value in schema["enum"] if value is not None)
    if schema.get("format") == "byte":
        return "is not base64"
    if match := re.fullmatch(rf".*does not match pattern {_QUOTED}", what, re.DOTALL):
        return f"does not match the pattern {_unquote(match[1])}"
    if match := re.fullmatch(r".* is not valid ([\w-]+): .*", what, re.DOTALL):
        return f"is not a valid {match[1]}"
    if what.startswith(("'anyOf' failed", "'oneOf' failed, none")):
        return "has none of the forms that are allowed here"
    if what.startswith("'oneOf' failed"):
        return "has more than one of the forms of which exactly one is allowed"
    return what


def _fields(schema: dict[str, Any], path: FieldPath) -> list[str]:
    """The fields that a schema knows at a path."""
    return list(_node(schema, path).get("properties", {}))


def _node(schema: dict[str, Any], path: FieldPath) -> dict[str, Any]:
    """What a schema says about a path; nothing, if it says it in a roundabout way."""
    node: Any = schema
    for step in path:
        node = _resolved(node, schema)
        if isinstance(step, int):
            node = node.get("items")
        else:
            node = node.get("properties", {}).get(step) or node.get("additionalProperties")
        if not isinstance(node, dict):
            return {}
    return _resolved(node, schema)


def _resolved(node: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    reference = node.get("$ref")
    if not isinstance(reference, str):
        return node
    found: dict[str, Any] = schema.get("definitions", {}).get(reference.rpartition("/")[2], {})
    return found


def _unquote(text: str) -> str:
    """The inside of a string as Go's %q writes it."""

    def plain(match: re.Match[str]) -> str:
        code = match[1] or match[2] or match[3]
        if code:
            return chr(int(code, 16))
        return _CONTROL.get(match[4], match[4])

    return _ESCAPE.sub(plain, text)
