"""Field paths that stay the same when a list is reordered: items by what names them, not by their index."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from policy.findings import FieldPath

_NAMING_KEYS = ("name", "key", "mountPath", "devicePath", "containerPort", "port", "topologyKey", "ip", "host", "path")
"""What tells the items of a list apart, the first that an item has; most are the merge keys of the Kubernetes API."""


def by_name(value: Any, path: FieldPath) -> tuple[str, ...]:
    """The path with every index replaced by ``[key=value]``, or by the item itself where that is a scalar.

    An index stays where nothing names the item, or where an earlier item of the list has the same name. Steps that
    ``value`` does not have are kept as they are: the field may be absent.
    """
    steps: list[str] = []
    for step in path:
        if isinstance(step, int):
            items = value if isinstance(value, list) else []
            steps.append(_label(items, step))
            value = items[step] if step < len(items) else None
        else:
            steps.append(step)
            value = value.get(step) if isinstance(value, dict) else None
    return tuple(steps)


def _label(items: Sequence[Any], index: int) -> str:
    if index >= len(items):
        return f"[{index}]"
    name = _name(items[index])
    if name is None or name in map(_name, items[:index]):
        return f"[{index}]"
    return f"[{name}]"


def _name(item: Any) -> str | None:
    if isinstance(item, dict):
        for key in _NAMING_KEYS:
            if isinstance(item.get(key), str | int):
                return f"{key}={item[key]}"
        return None
    return str(item) if isinstance(item, str | int) else None
