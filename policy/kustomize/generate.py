"""ConfigMaps and Secrets that Kustomize generates, and the hash of their content in their names."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable
from typing import Any

from policy.kustomize.kustomization import Generator, Kustomization, flag, text_map
from policy.kustomize.marks import Map, Mark, Node, Scalar
from policy.kustomize.objects import Object
from policy.kustomize.scalars import BOOL, STR

MERGE, REPLACE = "merge", "replace"


def generated(kustomization: Kustomization, generator: Generator) -> Object:
    """The object that an entry generates, before it is named by its content.

    A key's value is placed at the literal or env line that gives it, or at line 1 of the file that is its value; all
    else at the entry.
    """
    entry, fields = generator.entry, generator.fields
    name = fields.fields["name"]
    mark = kustomization.mark(name, entry)
    metadata = Map(mark, {"name": Scalar(fields.text("name"), STR, mark)})
    namespace = fields.fields.get("namespace")
    if isinstance(namespace, Scalar) and namespace.text:
        metadata.fields["namespace"] = Scalar(namespace.text, STR, kustomization.mark(namespace, entry))
    start = kustomization.mark(fields, entry)
    root = Map(
        start,
        {
            "apiVersion": Scalar("v1", STR, start),
            "kind": Scalar(generator.kind, STR, start),
            "metadata": metadata,
        },
    )
    if generator.kind == "Secret":
        stated = fields.fields.get("type")
        known = isinstance(stated, Scalar) and bool(stated.text)
        place = kustomization.mark(stated, entry) if known and stated is not None else start
        root.fields["type"] = Scalar(fields.text("type") or "Opaque", STR, place)
        root.fields["data"] = Map(start)
    for pair in sorted(generator.pairs, key=lambda pair: pair.key):
        field, text = _content(generator.kind, pair.value)
        holder = root.fields.setdefault(field, Map(start))
        assert isinstance(holder, Map)
        holder.fields[pair.key] = Scalar(text, STR, pair.mark)
    result = Object(root, mark)
    _apply_options(result, kustomization, generator)
    result.behavior = fields.text("behavior")
    return result


def _content(kind: str, value: bytes) -> tuple[str, str]:
    if kind == "ConfigMap":
        try:
            return "data", value.decode()
        except UnicodeDecodeError:
            return "binaryData", _base64(value)
    return "data", _base64(value)


def _base64(value: bytes) -> str:
    """Base64, in lines of 70 if it is longer than one."""
    text = base64.b64encode(value).decode()
    if len(text) < 70:
        return text
    return "".join(text[start : start + 70] + "\n" for start in range(0, len(text), 70))


def _apply_options(object: Object, kustomization: Kustomization, generator: Generator) -> None:
    shared = kustomization.root.fields.get("generatorOptions")
    own = generator.fields.fields.get("options")
    stated = [
        (node, entry) for node, entry in ((shared, "generatorOptions"), (own, generator.entry)) if isinstance(node, Map)
    ]
    for field in ("labels", "annotations"):
        values: dict[str, Scalar] = {}
        for node, entry in stated:
            for key, scalar in text_map(node.fields.get(field), kustomization, field).items():
                values[key] = Scalar(scalar.text, STR, kustomization.mark(scalar, entry))
        if values:
            first = next(iter(values.values())).mark
            object.set_metadata(field, Map(first, {key: values[key] for key in sorted(values)}))
    for node, entry in stated:
        if flag(node, "immutable"):
            mark = kustomization.mark(node.fields["immutable"], entry)
            object.root.fields["immutable"] = Scalar("true", BOOL, mark)
    object.needs_hash = not any(flag(node, "disableNameSuffixHash") for node, _ in stated)


def absorb(objects: list[Object], new: Object) -> None:
    """Add a generated object, or merge it into (put it in place of) the one that it says to change."""
    wanted = new.identity.key
    index = next((i for i, each in enumerate(objects) if any(one.key == wanted for one in each.identities)), None)
    if index is None or new.behavior not in (MERGE, REPLACE):
        objects.append(new)
        return
    old = objects[index]
    _take_metadata(old, new)
    cause = new.root.mark
    if old.kind == "Secret" and new.behavior == MERGE:
        _encode_string_data(old)
    for field in ("data", "binaryData"):
        _take_data(old, new, field, cause, keep=new.behavior == MERGE)
    new.declared = old.declared
    for field in ("apiVersion", "kind", "type"):
        if field in new.root.fields and new.root.text(field) == old.root.text(field):
            new.root.fields[field] = old.root.fields[field]
    new.root.mark = old.root.mark
    new.previous, new.prefixes, new.suffixes = old.previous, old.prefixes, old.suffixes
    new.renamed_by = old.renamed_by
    new.needs_hash = new.needs_hash and old.needs_hash
    objects[index] = new


def _encode_string_data(secret: Object) -> None:
    """Move what ``stringData`` says to ``data``, as the API server would."""
    stated = secret.root.fields.get("stringData")
    if isinstance(stated, Map):
        data = secret.root.fields.setdefault("data", Map(stated.mark))
        if isinstance(data, Map):
            for key, node in stated.fields.items():
                if isinstance(node, Scalar):
                    data.fields[key] = Scalar(_base64(node.text.encode()), STR, node.mark)


def _take_metadata(old: Object, new: Object) -> None:
    """Name and namespace stay the old ones; labels and annotations are united, the new ones win."""
    mark = new.root.mark
    before, after = old.metadata, new.metadata
    assert before is not None
    assert after is not None
    after.mark = before.mark
    for field in ("labels", "annotations"):
        values: dict[str, Node] = {}
        for metadata in (before, after):
            node = metadata.fields.get(field)
            if isinstance(node, Map):
                values.update(node.fields)
        new.set_metadata(field, Map(mark, values) if values else None)
    for field in ("name", "namespace"):
        new.set_metadata(field, before.fields.get(field))


def _take_data(old: Object, new: Object, field: str, cause: Mark, *, keep: bool) -> None:
    before, after = old.root.fields.get(field), new.root.fields.get(field)
    if not isinstance(before, Map):
        return
    if keep:
        values = {**before.fields, **(after.fields if isinstance(after, Map) else {})}
        if values:
            result = Map(before.mark, {key: values[key] for key in sorted(values)})
            result.removed, result.lost = before.removed, before.lost
            new.root.fields[field] = result
    elif isinstance(after, Map):
        gone = {key: node for key, node in before.fields.items() if key not in after.fields}
        after.removed = dict.fromkeys(gone, cause)
        after.lost = {key: [(cause, node)] for key, node in gone.items()}


def add_hashes(objects: Iterable[Object]) -> None:
    """Name generated objects by their content, unless that is switched off."""
    for each in objects:
        if each.needs_hash:
            digest = content_hash(each)
            each.remember()
            each.set_name(f"{each.name}-{digest}", each.declared)


def content_hash(object: Object) -> str:
    """The ten characters that stand for the content of a ConfigMap or Secret."""
    fields = object.root.fields

    def of(field: str) -> Any:
        node = fields.get(field)
        return "" if node is None else node.value

    content: dict[str, Any] = {"kind": object.kind, "name": "", "data": of("data")}
    extra = "binaryData" if object.kind == "ConfigMap" else "stringData"
    if isinstance(fields.get(extra), Map):
        content[extra] = of(extra)
    if object.kind == "Secret":
        content["type"] = of("type")
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    digest = hashlib.sha256(text.encode()).hexdigest()[:10]
    return digest.translate(_SPEAKABLE)


_SPEAKABLE = str.maketrans("013ae", "ghkmt")
