"""CustomResourceDefinitions as strict JSON schemas.

What the API server would prune, or refuse under strict field validation, is an unknown field here. The semantics are
those of structural schemas: https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from policy.errors import SettingsError
from policy.yaml_faults import fault

Schema = dict[str, Any]

_ANNOTATIONS = ("description", "default", "example", "title", "externalDocs", "nullable")


def convert_definitions(contents: Sequence[tuple[Path, bytes]], metadata: Schema) -> Iterator[tuple[str, str, Schema]]:
    """Each served version of each definition: its apiVersion, its kind and its schema.

    ``metadata`` is the schema of ObjectMeta with its definitions inside. Documents of other kinds are passed over.
    Raises SettingsError for a file that is not YAML, holds no definition, or holds one without a schema.
    """
    for file, content in contents:
        found = list(_definitions_in(file, content))
        if not found:
            raise SettingsError("holds no CustomResourceDefinition", file=file)
        for definition in found:
            try:
                yield from _served(definition, metadata)
            except (KeyError, TypeError, AttributeError) as error:
                raise SettingsError(f"holds a CustomResourceDefinition without {error}", file=file) from error


def _definitions_in(file: Path, content: bytes) -> Iterator[Schema]:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        documents = list(yaml.load_all(content, Loader=loader))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        said, line = fault(content.decode(errors="replace"), error)
        raise SettingsError(said, file=file, line=None if line is None else line + 1) from error
    objects = [document for document in documents if isinstance(document, dict)]
    for listed in [document for document in objects if document.get("kind") == "List"]:
        objects += [item for item in listed.get("items") or [] if isinstance(item, dict)]
    yield from (item for item in objects if item.get("kind") == "CustomResourceDefinition")


def _served(definition: Schema, metadata: Schema) -> Iterator[tuple[str, str, Schema]]:
    spec = definition["spec"]
    group, kind = spec["group"], spec["names"]["kind"]
    for version in spec["versions"]:
        if version.get("served", True):
            api_version = f"{group}/{version['name']}"
            yield api_version, kind, _root(version["schema"]["openAPIV3Schema"], api_version, kind, metadata)


def _root(schema: Schema, api_version: str, kind: str, metadata: Schema) -> Schema:
    root = convert(schema)
    plain = {key: value for key, value in metadata.items() if key != "definitions"}
    narrowed = root.get("properties", {}).get("metadata", {}).get("properties", {})
    root["type"] = "object"
    root["properties"] = {
        **root.get("properties", {}),
        "apiVersion": {"enum": [api_version]},
        "kind": {"enum": [kind]},
        "metadata": {**plain, "properties": {**plain["properties"], **narrowed}},
    }
    root["definitions"] = metadata.get("definitions", {})
    if not schema.get("x-kubernetes-preserve-unknown-fields"):
        root["additionalProperties"] = False
    return root


def convert(schema: Schema) -> Schema:
    """One node of a structural schema, and all below it."""
    plain = {
        key: _convert_inside(key, value)
        for key, value in schema.items()
        if key not in _ANNOTATIONS and not key.startswith("x-kubernetes-")
    }
    if schema.get("x-kubernetes-int-or-string"):
        plain["type"] = ["integer", "string"]
        # The usual anyOf of integer and string says the same, and would only make a poorer message.
        if plain.get("anyOf") == [{"type": "integer"}, {"type": "string"}]:
            del plain["anyOf"]
    if schema.get("nullable") and "type" in plain:
        kinds = plain["type"]
        plain["type"] = [*(kinds if isinstance(kinds, list) else [kinds]), "null"]
        if "enum" in plain:
            plain["enum"] = [*plain["enum"], None]
    if schema.get("x-kubernetes-embedded-resource"):
        plain["properties"] = {"apiVersion": {}, "kind": {}, "metadata": {}, **plain.get("properties", {})}
    closed = schema.get("type") == "object" and "additionalProperties" not in schema
    if closed and not schema.get("x-kubernetes-preserve-unknown-fields"):
        plain["additionalProperties"] = False
    return plain


def _convert_inside(key: str, value: Any) -> Any:
    if key == "properties":
        return {name: convert(child) for name, child in value.items()}
    if key in ("items", "additionalProperties") and isinstance(value, dict):
        return convert(value)
    # anyOf, oneOf, allOf and not narrow values and never say which fields there are: they stay as they are.
    return value
