"""A fast reading of the YAML that manifests are mostly written in: block mappings and lists of one-line scalars.

Manifests repeat themselves: the same probe, the same ports, the same security context in a hundred places. So text is
cut into blocks by indentation and a block that was read before is not read again; equal blocks are one shared object,
which is why nothing may ever change what is read here.

Only shapes that can be told apart with certainty are read. For everything else (block scalars, anchors, tags, escapes,
trailing comments, text that is not ASCII …) ``read`` raises ``Unfamiliar`` and the caller takes the exact way.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from policy.manifests.scalars import resolve

_DEEPEST = 64
_ENTRY = re.compile(r" *([A-Za-z0-9_./-]+):(?: (.*))?")
_PLAIN = re.compile(r"(?:[A-Za-z0-9_./+=]|-(?! |$))(?:[A-Za-z0-9_./@+=,()*-]|:(?! |$)| (?![ #]|$))*")
_DOUBLE_QUOTED = re.compile(r'"([ !#-\[\]-~]*)"')
_SINGLE_QUOTED = re.compile(r"'([ -&(-~]*)'")
_FLOW_LIST = re.compile(r"\[([A-Za-z0-9_.-]+(?:, [A-Za-z0-9_.-]+)*)\]")
_COMMENTS_AND_BLANKS = re.compile(r"^ *(?:#[ -~]*)?\n", re.MULTILINE)

_LONGEST_REMEMBERED = 400
_MOST_REMEMBERED = 4_000
_entries: dict[str, tuple[str, Any]] = {}
_items: dict[str, Any] = {}


@cache
def _between_entries(indent: int) -> re.Pattern[str]:
    return re.compile(rf"\n(?= {{{indent}}}[^ \n-])")


@cache
def _between_items(indent: int) -> re.Pattern[str]:
    return re.compile(rf"\n(?= {{{indent}}}- )")


class Unfamiliar(Exception):
    """The text has a shape that this reading does not know."""


def read(text: str) -> dict[str, Any]:
    """The mapping that one document (without its ``---`` line) holds; not to be changed by anyone.

    Raises:
        Unfamiliar: it may hold something else than what is read here.
    """
    return read_normalized(normalized(text))


def normalized(text: str) -> str:
    """The lines that say something, without the last line break. Raises Unfamiliar if they begin like no mapping."""
    if not text.endswith("\n"):
        text += "\n"
    if "#" in text or "\n\n" in text or text[0] in " \n":
        text = _COMMENTS_AND_BLANKS.sub("", text)
    body = text[:-1]
    if not body or body[0] in " -":
        raise Unfamiliar
    return body


def read_normalized(body: str) -> dict[str, Any]:
    """``read`` for what ``normalized`` gives."""
    if len(_entries) > _MOST_REMEMBERED or len(_items) > _MOST_REMEMBERED:
        _entries.clear()
        _items.clear()
    return _mapping(body, 0)


def _mapping(text: str, indent: int) -> dict[str, Any]:
    built: dict[str, Any] = {}
    for part in _between_entries(indent).split(text):
        known = _entries.get(part)
        if known is None:
            known = _entry(part, indent)
            if len(part) < _LONGEST_REMEMBERED:
                _entries[part] = known
        built[known[0]] = known[1]
    return built


def _entry(text: str, indent: int) -> tuple[str, Any]:
    head, newline, rest = text.partition("\n")
    match = _ENTRY.fullmatch(head)
    if match is None or match.start(1) != indent:
        raise Unfamiliar
    key, value = match.groups()
    if type(resolve(key)) is not str:
        raise Unfamiliar
    if value is not None:
        if newline:
            raise Unfamiliar
        return key, scalar(value)
    return key, _block(rest, indent) if newline else None


def _block(text: str, parent: int) -> Any:
    indent = len(text) - len(text.lstrip(" "))
    if indent >= _DEEPEST - 2 or indent < parent:
        raise Unfamiliar
    if text.startswith("- ", indent):
        return [_item(part, indent) for part in _between_items(indent).split(text)]
    if indent == parent:
        raise Unfamiliar
    return _mapping(text, indent)


def _item(part: str, indent: int) -> Any:
    known = _items.get(part)
    if known is not None:
        return known
    body = part[indent + 2 :]
    if entry(body.partition("\n")[0]) is not None:
        value: Any = _mapping(" " * (indent + 2) + body, indent + 2)
    else:
        value = scalar(body)
    if len(part) < _LONGEST_REMEMBERED:
        _items[part] = value
    return value


def entry(line: str) -> tuple[str, str | None] | None:
    """The key of a line that starts with one, and the text of its value, None where it has none."""
    match = _ENTRY.fullmatch(line)
    return (match[1], match[2]) if match is not None and match.start(1) == 0 else None


def scalar(text: str) -> Any:
    """The value of a scalar, or of a list of scalars, on one line; what is an ``entry`` is none. Raises Unfamiliar."""
    if _PLAIN.fullmatch(text):
        return resolve(text)
    quoted = _DOUBLE_QUOTED.fullmatch(text) or _SINGLE_QUOTED.fullmatch(text)
    if quoted:
        return quoted[1]
    if text == "{}":
        return {}
    if text == "[]":
        return []
    flow = _FLOW_LIST.fullmatch(text)
    if flow:
        return [scalar(part) for part in flow[1].split(", ")]
    raise Unfamiliar
