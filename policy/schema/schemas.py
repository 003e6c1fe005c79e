"""Schemas as kubeconform reads them fastest: one file per kind, with exactly the definitions it needs inside.

``<folder>/<group>/<kind>_<version>.json``, kind in lower case; the core group's folder is its version, ``v1``.
Converted once into the cache; a folder's name says from what, so a newer package or an edited definition is another.
"""

from __future__ import annotations

import glob
import hashlib
import importlib.util
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from policy.errors import SettingsError, ToolError

PACKAGE = "kubernetes-validate"

_FORMAT = 2
"""Counted up when the conversion changes, so that what an older one made is not read."""

_NOT_NULL = "!"
"""Behind the name of a definition: the same, but not null."""

Schema = dict[str, Any]


class Library(msgspec.Struct, frozen=True):
    """Converted schemas: for each Kubernetes version, the folders below ``root`` in which a kind is looked up."""

    root: Path
    folders: Mapping[str, tuple[str, ...]]

    def file(self, version: str, api_version: str, kind: str) -> Path | None:
        """The schema of one kind, or None if there is none."""
        for folder in self.folders[version]:
            path = self.root / folder / _relative_path(api_version, kind)
            if path.is_file():
                return path
        return None

    def api_versions(self, version: str, kind: str) -> list[str]:
        """The apiVersions in which this Kubernetes version knows a kind of that name."""
        found = set()
        for folder in self.folders[version]:
            for path in (self.root / folder).glob(f"*/{glob.escape(kind.lower())}_*.json"):
                name = path.stem.rpartition("_")[2]
                found.add(name if path.parent.name == name else f"{path.parent.name}/{name}")
        return sorted(found)


def prepare(versions: Sequence[str], crds: Sequence[Path], *, cache: Path, spare: Path) -> Library:
    """Convert what is not converted yet, in ``cache``, or in ``spare`` if that cannot be written."""
    root = cache / "schemas"
    try:
        root.mkdir(parents=True, exist_ok=True)
        writable = os.access(root, os.W_OK)
    except OSError:
        writable = False
    if not writable:
        root = spare / "schemas"
        root.mkdir()
    source, release = _package()
    carried = _carried(source)
    own = _definitions_folder(root, crds, carried, release) if crds else None
    folders: dict[str, tuple[str, ...]] = {}
    for version in dict.fromkeys(versions):
        folder = _kubernetes_folder(root, source, carried, release, version)
        folders[version] = (folder, own) if own else (folder,)
    return Library(root, folders)


def standalone(name: str, definitions: Mapping[str, Schema]) -> Schema:
    """One definition with all that it refers to inside, so that reading it reads nothing else."""
    needed: dict[str, Schema] = {}
    waiting = [definitions[name]]
    while waiting:
        for reference in _references(waiting.pop()):
            if reference not in needed:
                definition = definitions[reference.removesuffix(_NOT_NULL)]
                needed[reference] = _without_null(definition) if reference.endswith(_NOT_NULL) else definition
                waiting.append(needed[reference])
    return {**definitions[name], "definitions": dict(sorted(needed.items()))}


def simplify(schema: Schema) -> Schema:
    """A package schema without prose, and with what its formats mean to the API server."""
    plain = {
        key: _simplify_inside(key, value)
        for key, value in schema.items()
        if key not in ("description", "default") and not key.startswith(("x-kubernetes-", "$schema", "$id"))
    }
    choice = plain.get("oneOf")
    if choice is not None and all(set(option) == {"type"} for option in choice):
        # int-or-string and quantity; null would match two of the options, so oneOf refuses what the server accepts.
        del plain["oneOf"]
        plain["type"] = list(dict.fromkeys(name for option in choice for name in _as_list(option["type"])))
    bits = {"int32": 32, "int64": 64}.get(plain.get("format", ""))
    if bits:
        plain |= {"minimum": -(2 ** (bits - 1)), "maximum": 2 ** (bits - 1) - 1}
    if plain.get("format") == "byte":
        plain["pattern"] = r"^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"
    return plain


def _simplify_inside(key: str, value: Any) -> Any:
    if key == "properties":
        return {name: simplify(child) for name, child in value.items()}
    if key == "$ref":
        return "#/definitions/" + value.rpartition("/")[2]
    if key == "items":
        return _without_null(simplify(value))
    if key == "additionalProperties" and isinstance(value, dict):
        return simplify(value)
    if key in ("oneOf", "anyOf", "allOf"):
        return [simplify(child) for child in value]
    return value


def _without_null(schema: Schema) -> Schema:
    # The package lets every optional value be null, list items too; there a null is a dash with nothing behind it.
    if "$ref" in schema:
        return {"$ref": schema["$ref"] + _NOT_NULL}
    if isinstance(schema.get("type"), list):
        return {**schema, "type": [name for name in schema["type"] if name != "null"]}
    return schema


def _as_list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def _references(schema: Any) -> Iterable[str]:
    if isinstance(schema, dict):
        reference = schema.get("$ref")
        if isinstance(reference, str):
            yield reference.rpartition("/")[2]
        schema = list(schema.values())
    if isinstance(schema, list):
        for child in schema:
            yield from _references(child)


def _package() -> tuple[Path, str]:
    # Found and read without being imported: it would import jsonschema, which takes longer than the whole validation.
    found = importlib.util.find_spec("kubernetes_validate")
    if found is None or not found.submodule_search_locations:
        raise ToolError(f"the Python package {PACKAGE}, which carries the Kubernetes schemas, is not installed")
    folder = Path(found.submodule_search_locations[0])
    match = re.search(r"""__version__ = ["']([^"']+)["']""", (folder / "version.py").read_text(encoding="utf-8"))
    if match is None:
        raise ToolError(f"the Python package {PACKAGE} at {folder} does not say its version")
    return folder / "kubernetes-json-schema", match[1]


def _carried(source: Path) -> dict[str, Path]:
    found = {}
    for path in source.glob("v*-local-strict"):
        major, minor, *_ = path.name.removeprefix("v").split(".")
        found[f"{major}.{minor}"] = path
    return dict(sorted(found.items(), key=lambda item: tuple(map(int, item[0].split(".")))))


def _definitions_of(folder: Path) -> dict[str, Schema]:
    content: dict[str, Schema] = json.loads((folder / "_definitions.json").read_bytes())["$defs"]
    return content


def _kubernetes_folder(root: Path, source: Path, carried: Mapping[str, Path], release: str, version: str) -> str:
    short = ".".join(version.removeprefix("v").split(".")[:2])
    if short not in carried:
        known = list(carried)
        raise SettingsError(
            f"there are no schemas for Kubernetes {version}: {PACKAGE} {release} carries {known[0]} to {known[-1]}"
            if known
            else f"{PACKAGE} {release} at {source} carries no schemas"
        )
    name = f"kubernetes-{short}-{release}-{_FORMAT}"
    _make_folder(root / name, lambda folder: _convert_kubernetes(carried[short], folder))
    return name


def _convert_kubernetes(source: Path, folder: Path) -> None:
    raw = _definitions_of(source)
    definitions = {name: simplify(schema) for name, schema in raw.items()}
    for name, schema in raw.items():
        kinds = schema.get("x-kubernetes-group-version-kind", [])
        if len(kinds) != 1:  # DeleteOptions and WatchEvent stand in every group and are no objects
            continue
        group, version, kind = kinds[0]["group"], kinds[0]["version"], kinds[0]["kind"]
        api_version = f"{group}/{version}" if group else version
        _write(folder, api_version, kind, standalone(name, definitions))


def _definitions_folder(root: Path, crds: Sequence[Path], carried: Mapping[str, Path], release: str) -> str:
    files = list(_definition_files(crds))
    digest = hashlib.sha256(f"{_FORMAT} {release}".encode())
    contents = []
    for file in files:
        content = file.read_bytes()
        contents.append((file, content))
        digest.update(hashlib.sha256(content).digest())
    name = f"definitions-{digest.hexdigest()[:24]}"

    def convert(folder: Path) -> None:
        from policy.schema.definitions import convert_definitions

        newest = list(carried.values())[-1]
        known = {key: simplify(schema) for key, schema in _definitions_of(newest).items()}
        metadata = standalone("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta", known)
        for api_version, kind, schema in convert_definitions(contents, metadata):
            _write(folder, api_version, kind, schema)

    _make_folder(root / name, convert)
    return name


def _definition_files(crds: Sequence[Path]) -> Iterable[Path]:
    for path in crds:
        if path.is_file():
            yield path
        elif path.is_dir():
            found = sorted(child for child in path.rglob("*") if child.suffix in (".yaml", ".yml", ".json"))
            if not found:
                raise SettingsError("holds no CustomResourceDefinition files (.yaml, .yml, .json)", file=path)
            yield from found
        else:
            raise SettingsError("is named as CustomResourceDefinitions and does not exist", file=path)


def _make_folder(folder: Path, fill: Callable[[Path], None]) -> None:
    if folder.is_dir():
        return
    part = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".making-"))
    try:
        fill(part)
        part.chmod(0o755)
        part.rename(folder)
    except OSError as error:
        if not folder.is_dir():  # else another process was faster
            raise ToolError(f"schemas cannot be written to {folder}: {error.strerror}") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _relative_path(api_version: str, kind: str) -> str:
    group, _, version = api_version.partition("/")
    return f"{group}/{kind.lower()}_{version or group}.json"


def _write(folder: Path, api_version: str, kind: str, schema: Schema) -> None:
    path = folder / _relative_path(api_version, kind)
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(schema, separators=(",", ":")), encoding="utf-8")
