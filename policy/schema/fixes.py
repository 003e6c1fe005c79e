"""What to write instead of what a schema refuses, where that can be told. No value is repeated: it may be a secret."""

from __future__ import annotations

import difflib
import re
from collections.abc import Container, Sequence
from typing import Any

_MOST_NAMED = 12
"""Known fields that are listed; where there are more, a list helps nobody."""
_WRITTEN = {
    "array": "write a list, each item behind a dash",
    "object": "write a mapping, each key on a line of its own below it",
    "boolean": "write true or false, without quotes",
    "integer": "write a whole number, without quotes",
    "number": "write a number, without quotes",
    "string": "put it in quotes",
}


def of_unknown(near: Sequence[str], known: Sequence[str], present: Container[str]) -> str:
    """For a field that a schema does not know; what it knows, and what of that is there already."""
    if near:
        return f"delete it: {near[0]} is there" if near[0] in present else f"write {near[0]}"
    left = sorted(name for name in known if name not in present)
    if left and len(known) <= _MOST_NAMED:
        return f"delete it, or write one of {', '.join(left)}"
    return "delete it, or move it to where it belongs"


def of_missing(name: str, schema: dict[str, Any]) -> str:
    """For a field that is required, whose schema is given as far as it is known."""
    kind = schema.get("type")
    return f"add {name}" + (f", {with_article(kind)}" if isinstance(kind, str) else "")


def of_value(what: str, schema: dict[str, Any], value: Any) -> str | None:
    """For a value that is there, of which kubeconform says ``what``; None where that says all that is known."""
    if match := re.fullmatch(r"got (\w+), want (.+)", what):
        return _of_type(match[1], match[2].split(" or "), value)
    if what.startswith("value must be ") and "enum" in schema:
        known = {str(each).lower(): str(each) for each in schema["enum"] if each is not None}
        near = difflib.get_close_matches(str(value).lower(), known, n=1)
        return f"write {known[near[0]]}" if near else None
    if schema.get("format") == "byte":
        return "encode it as base64"
    return None


def _of_type(got: str, wanted: Sequence[str], value: Any) -> str:
    if got == "null":
        return "give it a value, or delete it"
    kinds = [name for name in wanted if name != "null"]
    is_scalar = not isinstance(value, list | dict)
    if len(kinds) == 1 and kinds[0] in _WRITTEN and (is_scalar or kinds[0] in ("array", "object")):
        return _WRITTEN[kinds[0]]
    return f"write {' or '.join(map(with_article, kinds))} in its place"


def with_article(name: str) -> str:
    """The name of a JSON type as a noun of a sentence."""
    if name == "null":
        return "empty"
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"
