"""Objects as YAML in the style of this repository: block style, lists indented, quotes only where they are needed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence

from policy.manifests.scalars import resolve

_PLAIN = re.compile(r"[A-Za-z0-9_./][\w./+=@-]*(?::[\w./+=@-]+)*(?: [\w./+=@-]+)*")

_UNSEEN = re.compile("[\x7f-\xa0\xad\u2028\u2029\ufeff\ufffe\uffff]|[^\x00-\U0001fffd]")


def yaml_text(value: Mapping[str, object]) -> str:
    """One document, without ``---``; values are mappings, sequences, strings, integers and booleans."""
    return "\n".join(_lines(value)) + "\n"


def _lines(value: Mapping[str, object] | Sequence[object]) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _entry(f"{scalar(key)}:", item)
    else:
        for item in value:
            yield from _item(item)


def _entry(head: str, item: object) -> Iterator[str]:
    if isinstance(item, Mapping | list | tuple) and item:
        yield head
        yield from (f"  {line}" for line in _lines(item))
    else:
        yield f"{head} {scalar(item)}"


def _item(item: object) -> Iterator[str]:
    if isinstance(item, Mapping | list | tuple) and item:
        lines = list(_lines(item))
        yield f"- {lines[0]}"
        yield from (f"  {line}" for line in lines[1:])
    else:
        yield f"- {scalar(item)}"


def scalar(value: object) -> str:
    """A scalar as it is written, quoted where it would be read as something else; an empty collection inline."""
    if isinstance(value, str):
        return value if _PLAIN.fullmatch(value) and resolve(value) == value else _quoted(value)
    if isinstance(value, Mapping | list | tuple) and not value:
        return "{}" if isinstance(value, Mapping) else "[]"
    return json.dumps(value)


def _quoted(text: str) -> str:
    """In double quotes; what cannot be seen is escaped, as YAML 1.2 chapter 5.7 has it."""
    return _UNSEEN.sub(_escaped, json.dumps(text, ensure_ascii=False))


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
