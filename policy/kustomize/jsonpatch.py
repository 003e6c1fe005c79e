"""JSON patches (RFC 6902) on marked trees, as Kustomize's library applies them."""

from __future__ import annotations

from collections.abc import Iterable

from policy.kustomize.marks import List, Map, Mark, Node, Scalar, copy
from policy.kustomize.scalars import NULL


class JsonPatchError(Exception):
    """An operation does not apply; Kustomize refuses the patch too."""


def apply_operations(root: Map, operations: Iterable[Map]) -> None:
    """Apply the operations in place. What they remove is noted with the line of the operation's path."""
    for operation in operations:
        _apply(root, operation)


def _apply(root: Map, operation: Map) -> None:
    kind, path = operation.text("op"), operation.fields["path"]
    steps = _steps(path)
    if kind == "test":
        return
    if kind == "remove":
        _take(root, steps, path.mark)
    elif kind in ("add", "replace"):
        value = operation.fields.get("value") or Scalar("null", NULL, path.mark)
        _put(root, steps, copy(value), path.mark, insert=kind == "add")
    elif kind == "move":
        source = operation.fields.get("from")
        taken = _take(root, _steps(source), path.mark)
        _put(root, steps, taken, path.mark, insert=True)
    elif kind == "copy":
        found = _get_or_null(root, _steps(operation.fields.get("from")), path.mark)
        _put(root, steps, _restated(found, path.mark), path.mark, insert=True)
    else:
        raise JsonPatchError(f"unknown operation {kind!r}")


def _restated(node: Node, mark: Mark) -> Node:
    """A copy that the operation at ``mark`` states: that line, not the one it was copied from, puts it there.

    What an earlier patch took away from the original is not in the copy for the same reason.
    """
    if isinstance(node, Scalar):
        return Scalar(node.text, node.tag, mark)
    if isinstance(node, Map):
        made = Map(mark, {key: _restated(each, mark) for key, each in node.fields.items()})
        made.removed = dict(node.removed) if node.removed else None
        made.lost = {key: list(each) for key, each in node.lost.items()} if node.lost else None
        return made
    return List(mark, [_restated(each, mark) for each in node.items])


def _steps(path: Node | None) -> list[str]:
    if not isinstance(path, Scalar) or not path.text.startswith("/"):
        raise JsonPatchError("a path must start with /")
    return [step.replace("~1", "/").replace("~0", "~") for step in path.text.split("/")[1:]]


def _index(step: str, *, end: int) -> int:
    try:
        index = int(step)
    except ValueError as error:
        raise JsonPatchError(f"{step!r} is no index") from error
    if index < 0:
        index += end
    if not 0 <= index < end:
        raise JsonPatchError(f"index {step} is out of bounds")
    return index


def _get(root: Node, steps: list[str]) -> Node:
    node = root
    for step in steps:
        if isinstance(node, Map) and step in node.fields:
            node = node.fields[step]
        elif isinstance(node, List):
            node = node.items[_index(step, end=len(node.items))]
        else:
            raise JsonPatchError(f"there is no {step!r}")
    return node


def _get_or_null(root: Node, steps: list[str], mark: Mark) -> Node:
    """``_get``, but null for a field that its mapping does not have: copying nothing is no error in Kustomize."""
    parent = _get(root, steps[:-1])
    if isinstance(parent, Map) and steps[-1] not in parent.fields:
        return Scalar("null", NULL, mark)
    return _get(parent, steps[-1:])


def _take(root: Node, steps: list[str], mark: Mark) -> Node:
    node = _get(root, steps)
    parent, last = _get(root, steps[:-1]), steps[-1]
    if isinstance(parent, Map):
        parent.remove(last, mark)
    elif isinstance(parent, List):
        del parent.items[_index(last, end=len(parent.items))]
    return node


def _put(root: Node, steps: list[str], value: Node, mark: Mark, *, insert: bool) -> None:
    parent, last = _get(root, steps[:-1]), steps[-1]
    if isinstance(parent, Map):
        if isinstance(parent.fields.get(last), Map):
            parent.lose(last, mark)
        parent.fields[last] = value
        if parent.removed is not None:
            parent.removed.pop(last, None)
    elif isinstance(parent, List):
        if insert:
            index = len(parent.items) if last == "-" else _index(last, end=len(parent.items) + 1)
            parent.items.insert(index, value)
        else:
            parent.items[_index(last, end=len(parent.items))] = value
    else:
        raise JsonPatchError(f"cannot add {last!r} to a scalar")
