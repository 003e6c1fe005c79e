"""Strategic merge of a patch into an object, as Kustomize does it, on marked trees.

The result has Kustomize's values and its order of list items (what a patch touches comes first), and every value keeps
the mark of the line that set it last. Three kinds of lines never become an origin, because they only say what the
patch is about: merge keys, and the object's kind and name.

The patch is used up: its parts become parts of the object. Give a copy.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from policy.kustomize.marks import List, Map, Mark, Node, Scalar, is_null, missing
from policy.kustomize.scalars import STR
from policy.kustomize.schema import PRIMITIVE, Schema, schema_of

DIRECTIVE = "$patch"


class MergeError(Exception):
    """The patch does not fit the object; Kustomize refuses it too."""


def merge_patch(target: Map, patch: Map) -> Map | None:
    """Merge ``patch`` into ``target`` in place; None if the patch deletes the object."""
    result = _walk(target, patch, None)
    return None if result is None else target  # Kustomize does not replace an object, whatever the patch says


def _walk(dest: Node | None, patch: Node | None, schema: Schema | None) -> Node | None:
    """What becomes of a field: ``dest`` is what is there, ``patch`` what the patch says; either may be absent."""
    first = patch if missing(dest) else dest
    if missing(first) or isinstance(first, Map):
        return _walk_map(dest, patch, schema)
    if not missing(patch) and type(patch) is not type(first):
        raise MergeError("the patch has another kind of value than the object")
    if isinstance(first, List):
        if schema is None or not schema.keys:
            return dest if patch is None else patch
        return _walk_list(dest, patch, schema)
    return dest if patch is None else patch


def _schema_for(dest: Node | None, patch: Node | None) -> Schema | None:
    """The schema by the kind that either side states: of an object, or of one that is embedded in an unknown one."""
    for node in (dest, patch):
        if isinstance(node, Map):
            kind, version = node.text("kind"), node.text("apiVersion")
            if kind and version:
                known = schema_of(version, kind)
                if known is not None:
                    return known
    return None


def _directive(patch: Node | None) -> str:
    """The directive of a mapping, or of a list as an item of its own; it is taken out."""
    if isinstance(patch, Map) and DIRECTIVE in patch.fields:
        said = patch.fields.pop(DIRECTIVE)
        return _known(said)
    if isinstance(patch, List):
        for item in patch.items:
            if isinstance(item, Map) and DIRECTIVE in item.fields:
                if len(item.fields) > 1:
                    break
                said = item.fields[DIRECTIVE]
                patch.items.remove(item)
                return _known(said)
    return "merge"


def _known(said: Node) -> str:
    if isinstance(said, Scalar) and said.text in ("delete", "replace", "merge"):
        return said.text
    raise MergeError("unknown $patch directive")


def _walk_map(dest: Node | None, patch: Node | None, schema: Schema | None) -> Node | None:
    schema = schema or _schema_for(dest, patch)
    result: Node | None
    if missing(dest):
        if patch is None:
            # An explicit null stays, an empty value does not.
            return dest if isinstance(dest, Scalar) and dest.text else None
        if isinstance(patch, Map) and _directive(patch) == "delete":
            return None
        result = patch
    elif is_null(patch):
        return None
    else:
        directive = _directive(patch)
        if directive == "delete":
            return None
        result = patch if directive == "replace" else dest
    if not isinstance(result, Map):
        return result
    said = patch.fields if isinstance(patch, Map) else {}
    for name in sorted(result.fields.keys() | said.keys()):
        _walk_field(result, said, name, schema)
    return result


def _walk_field(result: Map, said: dict[str, Node], name: str, schema: Schema | None) -> None:
    there, wanted = result.fields.get(name), said.get(name)
    cause = _cause(wanted)
    value = _walk(there, wanted, schema.field(name) if schema is not None else None)
    takes_away = cause is not None and not missing(there) and there is not wanted
    if value is None or (is_null(value) and (value is not there or value is wanted)):
        if takes_away:
            assert cause is not None
            result.remove(name, cause)
        else:
            result.fields.pop(name, None)
        return
    if takes_away and isinstance(there, Map) and value is not there:
        assert cause is not None
        result.lose(name, cause)
    result.fields[name] = value
    if result.removed is not None and wanted is not None:
        result.removed.pop(name, None)


def _cause(patch: Node | None) -> Mark | None:
    """The line that speaks if this part of the patch takes something away: its directive, or the null itself."""
    if isinstance(patch, Map) and DIRECTIVE in patch.fields:
        return patch.fields[DIRECTIVE].mark
    if isinstance(patch, List):
        for item in patch.items:
            if isinstance(item, Map) and DIRECTIVE in item.fields and len(item.fields) == 1:
                return item.fields[DIRECTIVE].mark
    return patch.mark if patch is not None else None


# --- lists that are merged by key


def _walk_list(dest: Node | None, patch: Node | None, schema: Schema) -> Node | None:
    if missing(dest):
        result = patch
    elif is_null(patch):
        return None
    else:
        directive = _directive(patch)
        if directive == "delete":
            return None
        result = patch if directive == "replace" else dest
    if result is None:
        return None
    assert isinstance(result, List)
    added = patch if isinstance(patch, List) else None
    keys = schema.keys
    values = _primitive_values(added, result) if keys == PRIMITIVE else _element_values(added, result, keys)
    return _merge_items(result, added, values, keys, schema.items)


def _text(node: Node | None) -> str:
    return node.text if isinstance(node, Scalar) else ""


def _element_values(patch: List | None, dest: List, keys: Sequence[str]) -> list[list[str]]:
    """The merge key values of every item, the patch's first, without repetition."""
    found: dict[tuple[str, ...], None] = {}
    for item in chain(patch.items if patch is not None else (), dest.items):
        fields = item.fields if isinstance(item, Map) else {}
        found.setdefault(tuple("" if missing(fields.get(key)) else _text(fields.get(key)) for key in keys))
    return _completed([list(values) for values in found]) if len(keys) > 1 else [list(values) for values in found]


def _primitive_values(patch: List | None, dest: List) -> list[list[str]]:
    found = dict.fromkeys(_text(item) for item in chain(patch.items if patch is not None else (), dest.items))
    return [[text] for text in found]


def _completed(values: list[list[str]]) -> list[list[str]]:
    """Items that agree in one key and differ only where one of them states nothing are the same item."""
    for i, one in enumerate(values):
        for j, other in enumerate(values):
            united = _united(one, other)
            if united is not None:
                values[i] = values[j] = united
    return values


def _united(one: list[str], other: list[str]) -> list[str] | None:
    if any(a != b and a and b for a, b in zip(one, other, strict=True)):
        return None
    if not any(a == b for a, b in zip(one, other, strict=True)):
        return None
    return [a or b for a, b in zip(one, other, strict=True)]


def _merge_items(
    dest: List, patch: List | None, values: list[list[str]], keys: tuple[str, ...], schema: Schema | None
) -> List:
    merged = List(dest.mark)
    used_keys: list[str] = list(keys)
    for wanted in values:
        used_keys, used_values = _stated_keys(values, wanted, keys)
        lookup_keys, lookup_values = _stated_keys([used_values], used_values, used_keys)
        there = _find(dest, lookup_keys, lookup_values)
        new = _find(patch, lookup_keys, lookup_values) if patch is not None else None
        kept = _key_scalars(there, used_keys)
        value = _walk(there, new, schema)
        if missing(value) or (isinstance(value, Map) and not value.fields):
            _set(dest, None, used_keys, used_values)
            continue
        assert value is not None
        if isinstance(value, Map):
            for key, scalar in kept.items():
                if _same(value.fields.get(key), scalar):
                    value.fields[key] = scalar
            for key, text in zip(used_keys, used_values, strict=False):
                if key and key not in value.fields and text:
                    value.fields[key] = Scalar(text, STR, value.mark)
        elif there is not None:
            value = there  # a text that is its own merge key
        _set(merged, value, used_keys, used_values)
    if values:
        _append(merged, dest, used_keys)
        dest.items = merged.items
    return dest


def _key_scalars(item: Node | None, keys: Sequence[str]) -> dict[str, Node]:
    if not isinstance(item, Map):
        return {}
    return {key: item.fields[key] for key in keys if key in item.fields and not missing(item.fields[key])}


def _same(one: Node | None, other: Node) -> bool:
    return isinstance(one, Scalar) and isinstance(other, Scalar) and one.text == other.text and one.tag == other.tag


def _stated_keys(values: list[list[str]], wanted: Sequence[str], keys: Sequence[str]) -> tuple[list[str], list[str]]:
    """The merge keys that any of the items states, with the wanted values; all of them if none states any."""
    stated = {keys[index] for each in values for index, text in enumerate(each[: len(keys)]) if text}
    if not stated:
        return list(keys), list(wanted)
    return (
        [key for key in keys if key in stated],
        [text for key, text in zip(keys, wanted, strict=False) if text or key in stated],
    )


def _find(items: List, keys: Sequence[str], values: Sequence[str]) -> Node | None:
    """The first item with exactly these key values."""
    if not keys[0]:
        return next((item for item in items.items if _text(item) == (values[0] if values else "")), None)
    for item in items.items:
        if isinstance(item, Map) and all(
            key in item.fields and _text(item.fields[key]) == value for key, value in zip(keys, values, strict=False)
        ):
            return item
    return None


def _matches(item: Node, keys: Sequence[str], values: Sequence[str]) -> bool:
    """Whether setting an element would take this one's place: an empty wanted value fits any that is stated."""
    if isinstance(item, Map):
        for index, key in enumerate(keys):
            if index >= len(values):
                break
            node = item.fields.get(key) if key else None
            if node is None or (values[index] and _text(node) != values[index]):
                return False
        return bool(values)
    return (_text(item) == values[0] if values and not missing(item) else False) and not keys[0]


def _set(items: List, element: Node | None, keys: Sequence[str], values: Sequence[str]) -> None:
    """Put the element where one with its keys is, or at the end; without an element take those away."""
    result: list[Node] = []
    found = False
    for item in items.items:
        if missing(item) or (isinstance(item, Map) and not item.fields):
            continue
        if _matches(item, keys, values):
            found = True
            if element is not None:
                result.append(element)
        elif values:
            result.append(item)
    if element is not None and not found:
        result.append(element)
    items.items = result


def _append(merged: List, rest: List, keys: Sequence[str]) -> None:
    """Add what is left of the old list behind what was merged."""
    for item in rest.items:
        if not keys[0]:
            _set(merged, item, keys, [_text(item)])
            continue
        fields = item.fields if isinstance(item, Map) else {}
        stated = []
        for key in keys:
            node = fields.get(key)
            if node is None:
                merged.items.append(item)
            else:
                stated.append(_text(node))
        if len(keys) > 1:
            _set(merged, None, keys, stated)
        _set(merged, item, keys, stated)
