"""Kustomize's ``replacements``: a value copied from one field to others.

A field that is replaced is placed at the field path in the kustomization (or replacement file) that names it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from policy.kustomize.fields import blank, split_path
from policy.kustomize.marks import List, Map, Mark, Node, Scalar, Source, at, copy, missing
from policy.kustomize.objects import Identity, Object, is_empty
from policy.kustomize.scalars import BOOL, INT, STR
from policy.kustomize.selectors import Selector

DEFAULT_PATH = "metadata.name"


class ReplacementError(Exception):
    """The replacement does not apply, or does what is not understood here."""


def replace(objects: list[Object], entry: Map, kustomization: str, name: str) -> None:
    """Apply one replacement, entry ``name`` of a kustomization file, to all objects."""
    value = _value(objects, entry)
    targets = entry.fields.get("targets")
    for target in targets.items if isinstance(targets, List) else ():
        if not isinstance(target, Map):
            raise ReplacementError("a target must be a mapping")
        paths = target.fields.get("fieldPaths")
        stated = [each for each in paths.items if isinstance(each, Scalar)] if isinstance(paths, List) else []
        stated = stated or [Scalar(DEFAULT_PATH, STR, target.mark)]
        for each in objects:
            if _is_target(each, target):
                for path in stated:
                    _write(each, path, value, target, _own(path.mark, kustomization, name))


def _own(mark: Mark, kustomization: str, entry: str) -> Mark:
    return at(mark, Source(mark.source.file, kustomization, entry))


def _options(fields: Map) -> Map:
    options = fields.fields.get("options")
    return options if isinstance(options, Map) else Map(fields.mark)


def _number(options: Map) -> int:
    node = options.fields.get("index")
    return int(node.value) if isinstance(node, Scalar) and node.tag == INT and isinstance(node.value, int) else 0


def _value(objects: list[Object], entry: Map) -> Node:
    literal = entry.fields.get("sourceValue")
    if isinstance(literal, Scalar) and not missing(literal):
        return Scalar(literal.text, STR, literal.mark)
    source = entry.fields.get("source")
    if not isinstance(source, Map):
        raise ReplacementError("a replacement needs a source")
    found = [each for each in objects if any(_is_source(identity, source) for identity in each.identities)]
    if len(found) != 1:
        raise ReplacementError("the source must be one object")
    path = split_field_path(source.text("fieldPath") or DEFAULT_PATH)
    node = _look_up(found[0].root, path)
    if node is None or is_empty(node):
        raise ReplacementError("the source has no such field")
    return _refined(node, _options(source))


def _refined(node: Node, options: Map) -> Node:
    delimiter = options.text("delimiter")
    if not delimiter:
        return node
    if not isinstance(node, Scalar):
        raise ReplacementError("only a scalar has parts")
    parts = node.text.split(delimiter)
    index = _number(options)
    if not 0 <= index < len(parts):
        raise ReplacementError("the source has no such part")
    return Scalar(parts[index], node.tag, node.mark)


def _is_source(identity: Identity, wanted: Map) -> bool:
    return all(
        not wanted.text(field) or wanted.text(field) == have
        for field, have in (
            ("group", identity.group),
            ("version", identity.version),
            ("kind", identity.kind),
            ("name", identity.name),
        )
    ) and (not wanted.text("namespace") or wanted.text("namespace") == identity.effective_namespace)


def _is_target(object: Object, target: Map) -> bool:
    select = target.fields.get("select")
    if not isinstance(select, Map):
        raise ReplacementError("a target must select")
    selector = Selector.read(select)
    reject = target.fields.get("reject")
    rejected = (
        [Selector.read(each) for each in reject.items if isinstance(each, Map)] if isinstance(reject, List) else []
    )
    identities = list(object.identities)
    if not selector.matches_labels(object):
        return False
    for each in rejected:
        if (each.labels or each.annotations) and each.matches_labels(object):
            return False
        if each.is_identity and any(each.matches(identity) for identity in identities):
            return False
    return any(selector.matches(identity) for identity in identities)


def split_field_path(path: str) -> list[str]:
    """The steps of a dotted path; a step in brackets may hold dots: ``spec.containers.[name=a.b].image``."""
    steps: list[str] = []
    parts = iter(split_path(path, "."))
    for part in parts:
        if part.startswith("[") and not part.endswith("]"):
            for more in parts:
                part += "." + more
                if more.endswith("]"):
                    break
            steps.append(part if "=" in part else part.strip("[]"))
        else:
            steps.append(part)
    return steps


def _look_up(node: Node | None, steps: list[str]) -> Node | None:
    for step in (each.strip() for each in steps):
        if not step:
            continue
        if isinstance(node, List):
            if step == "-" and node.items:
                node = node.items[-1]
            elif step.isdecimal():
                node = node.items[int(step)] if int(step) < len(node.items) else None
            elif _is_match(step):
                key, value = step[1:-1].split("=", 1)
                node = next((item for item in node.items if _item_text(item, key) == value), None)
            else:
                raise ReplacementError(f"{step!r} names no item of a list")
        elif isinstance(node, Map):
            node = node.fields.get(step)
        else:
            return None
    return node


def _is_match(step: str) -> bool:
    return step.startswith("[") and step.endswith("]") and "=" in step


def _item_text(item: Node, key: str) -> str | None:
    node = item if not key else item.fields.get(key) if isinstance(item, Map) else None
    return node.text if isinstance(node, Scalar) else None


def _write(object: Object, path: Scalar, value: Node, target: Map, mark: Mark) -> None:
    options = _options(target)
    create = options.fields.get("create")
    made: type[Node] | None = None
    if isinstance(create, Scalar) and create.tag == BOOL and create.value is True:
        made = type(value)
    places = list(_places(object.root, split_field_path(path.text), made, mark))
    if not places:
        raise ReplacementError("the target has no such field")
    for holder, key in places:
        old = holder.fields[str(key)] if isinstance(holder, Map) else holder.items[int(key)]
        new = _written(old, value, options, mark)
        if isinstance(holder, Map):
            holder.fields[str(key)] = new
        else:
            holder.items[int(key)] = new


def _places(
    node: Node, steps: list[str], made: type[Node] | None, mark: Mark
) -> Iterator[tuple[Map | List, str | int]]:
    """Where the target's path leads, as holder and key; what is missing is made if ``made`` says of which kind."""
    step, rest = steps[0], steps[1:]
    if isinstance(node, Map) and not step.isdecimal() and not _is_match(step) and step != "*":
        if step not in node.fields:
            if made is None:
                return
            node.fields[step] = _blank(rest, made, mark)
        yield from _further(node, step, node.fields[step], rest, made, mark)
    elif isinstance(node, List):
        for index in _indexes(node, step, rest, made, mark):
            yield from _further(node, index, node.items[index], rest, made, mark)
    else:
        raise ReplacementError(f"{step!r} does not lead into the value")


def _further(
    holder: Map | List, key: str | int, there: Node, rest: list[str], made: type[Node] | None, mark: Mark
) -> Iterator[tuple[Map | List, str | int]]:
    if not rest:
        yield holder, key
    elif isinstance(there, Scalar):
        raise ReplacementError("a value inside of a text is not understood")
    else:
        yield from _places(there, rest, made, mark)


def _indexes(node: List, step: str, rest: list[str], made: type[Node] | None, mark: Mark) -> list[int]:
    if step == "*":
        return list(range(len(node.items)))
    if step.isdecimal():
        if int(step) == len(node.items) and made is not None:
            node.items.append(_blank(rest, made, mark))
        return [int(step)] if int(step) < len(node.items) else []
    if not _is_match(step):
        raise ReplacementError(f"{step!r} names no item of a list")
    key, pattern = step[1:-1].split("=", 1)
    texts = [_item_text(item, key) for item in node.items]
    found = [index for index, text in enumerate(texts) if text is not None and re.search(pattern, text)]
    if not found and made is not None:
        new = Scalar(pattern, STR, mark)
        node.items.append(Map(mark, {key: new}) if key else new)
        found = [len(node.items) - 1]
    return found


def _blank(rest: list[str], made: type[Node], mark: Mark) -> Node:
    kind: type[Node] = made
    if rest:
        kind = List if rest[0].isdecimal() or _is_match(rest[0]) else Map
    return blank(kind, mark)


def _written(old: Node, value: Node, options: Map, mark: Mark) -> Node:
    delimiter = options.text("delimiter")
    text = value.text if isinstance(value, Scalar) else ""
    if delimiter:
        if not isinstance(old, Scalar):
            raise ReplacementError("only a scalar has parts")
        parts = old.text.split(delimiter)
        index = _number(options)
        if index < 0:
            parts.insert(0, text)
        elif index >= len(parts):
            parts.append(text)
        else:
            parts[index] = text
        text = delimiter.join(parts)
    if isinstance(old, Scalar) and isinstance(value, Scalar):
        return Scalar(text, value.tag if missing(old) else old.tag, mark)
    return _placed(copy(value), mark)


def _placed(node: Node, mark: Mark) -> Node:
    if isinstance(node, Scalar):
        return Scalar(node.text, node.tag, mark)
    if isinstance(node, Map):
        return Map(mark, {key: _placed(each, mark) for key, each in node.fields.items()})
    return List(mark, [_placed(each, mark) for each in node.items])
