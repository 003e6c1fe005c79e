"""Why a text is no YAML, said for the person who has to mend it: what a parser names is often not what is wrong."""

from __future__ import annotations

import re
from typing import Any

from policy.patterns import Pattern

_CONFLICT = Pattern(r"^(?:<{7}|>{7})(?:[ \t].*)?$", re.MULTILINE)
_TABBED = Pattern(r"[ ]*\t")
_TEMPLATE = Pattern(r"^[ ]*(?:- )?\{\{-?[ ]*[A-Za-z.$/(].*\}\}", re.MULTILINE)
_NO_END = "found unexpected end of stream"
_NO_TOKEN = "found character that cannot start any token"
_FLOW = ("{", "[")


def merge_conflict(text: str) -> tuple[str, int] | None:
    """The first mark of a merge conflict that Git left in a text, and its line, counted from 0."""
    found = _CONFLICT.search(text)
    return (f"an unresolved merge conflict: {found[0].strip()}", text.count("\n", 0, found.start())) if found else None


def fault(text: str, error: Any) -> tuple[str, int | None]:
    """What is wrong, as a sentence without a subject, and the line of the text, counted from 0; None if unknown.

    ``error`` is the ``yaml.YAMLError`` that a parser raised over the text.
    """
    conflict = merge_conflict(text)
    if conflict:
        return conflict
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    said = (getattr(error, name, None) for name in ("problem", "reason", "context"))
    problem = next((each for each in said if each), str(error).partition("\n")[0])
    if mark is None:
        return f"not valid YAML: {problem}", _line_of(text, getattr(error, "position", None))
    template = _TEMPLATE.search(text)
    if template:
        rendered = "a template, which becomes YAML when it is rendered: check what it renders"
        return rendered, text.count("\n", 0, template.start())
    if problem == _NO_END and "quoted scalar" in str(getattr(error, "context", "")):
        return "not valid YAML: a quote that is opened here is not closed", error.context_mark.line
    lines = text.splitlines()
    line = lines[mark.line] if mark.line < len(lines) else ""
    # JSON may be indented with tabs, and so may what stands in brackets.
    if _TABBED.match(line) and not text.lstrip().startswith(_FLOW):
        return "a tab is used as indentation, where YAML takes spaces only", mark.line
    if problem == _NO_TOKEN and line[mark.column :]:
        return f"not valid YAML: a value that begins with {line[mark.column]} has to stand in quotes", mark.line
    return f"not valid YAML: {problem}", mark.line


def _line_of(text: str, position: object) -> int | None:
    """The line of a character that no YAML may hold, which parsers name by its byte."""
    return text.encode().count(b"\n", 0, position) if isinstance(position, int) else None
