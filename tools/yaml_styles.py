"""The same value as YAML in the ways in which people write it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

_SAFE = re.compile(r"[A-Za-z/][A-Za-z0-9_./=:-]*(?<!:)")
_SPECIAL = re.compile(r"(?i:y|n|yes|no|on|off|true|false|null)")


@dataclass(frozen=True, slots=True)
class Style:
    """``indent`` of a mapping, ``dashes`` of the items of a list below its key, both in spaces; how strings are quoted:
    ``"``, ``'`` or, where it is empty, only where it is needed; whether mappings of scalars stand in braces, whether
    there are comments and blank lines, and whether an equal mapping is written once, with an anchor."""

    indent: int = 2
    dashes: int = 0
    quotes: str = ""
    flow: bool = False
    comments: bool = False
    anchors: bool = False
    _anchored: dict[str, str] = field(default_factory=dict)


PLAIN = Style()
STYLES = (
    PLAIN,
    Style(dashes=2),
    Style(quotes='"'),
    Style(indent=4, quotes="'"),
    Style(flow=True),
    Style(comments=True),
    Style(anchors=True, dashes=2),
)


def written(value: dict[str, Any], style: Style) -> str:
    """The mapping as a YAML document, without ``---``."""
    head = "# generated, do not edit\n\n" if style.comments else ""
    return head + "\n".join(_mapping(value, replace(style, _anchored={}), 0)) + "\n"


def _mapping(value: dict[str, Any], style: Style, indent: int) -> Iterator[str]:
    for key, inner in value.items():
        head = f"{' ' * indent}{key}:"
        if style.comments and key in ("spec", "containers"):
            yield f"{' ' * indent}# what follows is the {key}"
        yield from _under(head, inner, style, indent)


def _under(head: str, value: Any, style: Style, indent: int) -> Iterator[str]:
    if isinstance(value, str) and "\n" in value:
        yield f"{head} {'|' if value.endswith(chr(10)) else '|-'}"
        yield from (" " * (indent + style.indent) + line if line else "" for line in value.splitlines())
    elif not isinstance(value, dict | list) or not value or (style.flow and _is_flat(value)):
        comment = "  # seconds" if style.comments and head.endswith("Seconds:") else ""
        yield f"{head} {_inline(value, style)}{comment}"
    elif isinstance(value, list):
        yield head
        yield from _list(value, style, indent + style.dashes)
    else:
        text = json.dumps(value)
        known = style._anchored.get(text)
        if style.anchors and known:
            yield f"{head} *{known}"
            return
        name = style._anchored[text] = f"a{len(style._anchored)}"
        yield f"{head} &{name}" if style.anchors else head
        yield from _mapping(value, style, indent + style.indent)


def _list(items: list[Any], style: Style, indent: int) -> Iterator[str]:
    for item in items:
        if isinstance(item, dict) and item and not (style.flow and _is_flat(item)):
            inside = _mapping(item, replace(style, comments=False), indent + 2)
            yield f"{' ' * indent}- {next(inside).lstrip(' ')}"
            yield from inside
        else:
            yield from _under(f"{' ' * indent}-", item, style, indent)


def _is_flat(value: Any) -> bool:
    inner = value.values() if isinstance(value, dict) else value
    return not any(isinstance(one, dict | list) or (isinstance(one, str) and "\n" in one) for one in inner)


def _inline(value: Any, style: Style) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_inline(inner, style)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_inline(inner, style) for inner in value) + "]"
    if not isinstance(value, str):
        return json.dumps(value)
    if style.quotes == "'":
        return "'" + value.replace("'", "''") + "'"
    if style.quotes or not _SAFE.fullmatch(value) or _SPECIAL.fullmatch(value):
        return json.dumps(value)
    return value
