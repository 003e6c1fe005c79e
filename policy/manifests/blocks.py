"""A fast reading of the YAML that manifests are mostly written in: block mappings and lists of one-line scalars.

Manifests repeat themselves: the same probe, the same ports, the same security context in a hundred places. So text is
cut into blocks by indentation and a block that was read before is not read again; equal blocks are one shared object,
which is why nothing may ever change what is read here.

Only shapes that can be told apart with certainty are read. For everything else (folded text, anchors, tags, escapes,
text that is not ASCII …) ``read`` raises ``Unfamiliar`` and the caller takes the exact way.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from policy.manifests.scalars import MAX_SCALAR, resolve
from policy.patterns import Pattern

_DEEPEST = 64
_ENTRY = re.compile(r" *([A-Za-z0-9_./-]+):(?: (.*))?")
_PLAIN = re.compile(r"(?:[A-Za-z0-9_./+=]|-(?! |$))(?:[A-Za-z0-9_./@+=,()*-]|:(?! |$)| (?![ #]|$))*")
_DOUBLE_QUOTED = re.compile(r'"([ !#-\[\]-~]*)"')
_SINGLE_QUOTED = re.compile(r"'([ -&(-~]*)'")
_FLOW_LIST = re.compile(r"\[([A-Za-z0-9_.-]+(?:, [A-Za-z0-9_.-]+)*)\]")
_IN_FLOW = r"(?:[A-Za-z0-9/][A-Za-z0-9_./-]*|\"[A-Za-z0-9 _./=-]*\"|'[A-Za-z0-9 _./=-]*')"
_FLOW_ENTRY = rf"[A-Za-z0-9][A-Za-z0-9_./-]*: {_IN_FLOW}"
_FLOW_MAP = Pattern(rf"\{{({_FLOW_ENTRY}(?:, {_FLOW_ENTRY})*)\}}")
_ESCAPED = Pattern(r'"((?:[ !#-\[\]-~]|\\["\\nt])*)"')
_ESCAPE = Pattern(r"\\(.)")
_ESCAPES = {'"': '"', "\\": "\\", "n": "\n", "t": "\t"}
_DOUBLED = Pattern(r"'((?:[ -&(-~]|'')*)'")
_QUOTED_WITH_COMMENT = Pattern(r"""("[^"\\]*"|'[^']*') +#.*""")
_LITERAL = Pattern(r"^( *)(- )?([A-Za-z0-9_./-]+: )?\|(-?)\n", re.MULTILINE)
_NOT_TEXT = Pattern(r"[^\t\n -~]")
_TEXT, _BREAK = "\1", "\2"
"""What stands for a literal block scalar, before its text, and for its line breaks; no text that is read has these."""
_COMMENTS_AND_BLANKS = re.compile(r"^ *(?:#[ -~]*)?\n", re.MULTILINE)

_LONG, _DEEP = 1 << 20, "\n" + 20 * " "
"""While an entry is read, each level above it holds a copy of its text: a long text must not be deep."""
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
    """The lines that say something, without the last line break; a literal block scalar (``|``) is one line.

    Raises:
        Unfamiliar: they begin like no mapping, or a block scalar is no plain text.
    """
    if not text.endswith("\n"):
        if has_literals(text):
            raise Unfamiliar  # the last of them may have no line break at its end
        text += "\n"
    if has_marks(text):
        raise Unfamiliar
    if has_literals(text):
        text = "".join(_with_literals_in_lines(text))
    if "#" in text or "\n\n" in text or text[0] in " \n":
        text = _COMMENTS_AND_BLANKS.sub("", text)
    body = text[:-1]
    if not body or body[0] in " -":
        raise Unfamiliar
    return body


def has_literals(text: str) -> bool:
    """Whether there may be a literal block scalar."""
    return "|" in text and ("|\n" in text or "|-\n" in text)


def has_marks(body: str) -> bool:
    """Whether something of what ``normalized`` gave stands for text that the document holds in another way."""
    return _TEXT in body or _BREAK in body


def _with_literals_in_lines(text: str) -> Iterator[str]:
    at = 0
    while match := _LITERAL.search(text, at):
        if not match[2] and not match[3]:
            raise Unfamiliar
        yield text[at : match.end() - len(match[4]) - 2]
        parent = len(match[1]) + (2 if match[2] and match[3] else 0)
        lines, at = _lines_inside(text, match.end(), parent)
        value = _literal(lines) + ("" if match[4] else "\n")
        if len(value) > MAX_SCALAR or _NOT_TEXT.search(value):
            raise Unfamiliar
        yield f"{_TEXT}{value.replace(chr(10), _BREAK)}\n"
    yield text[at:]


def _lines_inside(text: str, start: int, parent: int) -> tuple[list[str], int]:
    """The lines from ``start`` that are blank or deeper than the parent, and where the next one starts."""
    lines: list[str] = []
    while start < len(text):
        end = text.index("\n", start)
        line = text[start:end]
        if line.strip(" ") and len(line) - len(line.lstrip(" ")) <= parent:
            break
        lines.append(line)
        start = end + 1
    return lines, start


def _literal(lines: list[str]) -> str:
    """The text of a literal block scalar without line breaks at its end; its first line says how deep it is."""
    first = next((line for line in lines if line.strip(" ")), None)
    if first is None:
        raise Unfamiliar
    depth = len(first) - len(first.lstrip(" "))
    if first.startswith("\t", depth):
        raise Unfamiliar  # is it text, or indented by a tab?
    for line in lines:
        if line[:depth].strip(" ") or (len(line) > depth and not line.strip(" ")):
            raise Unfamiliar  # not deep enough, or spaces that count
    return "\n".join(line[depth:] for line in lines).rstrip("\n")


def read_normalized(body: str) -> dict[str, Any]:
    """``read`` for what ``normalized`` gives."""
    if len(body) > _LONG and _DEEP in body:
        raise Unfamiliar
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
    if text.startswith(_TEXT) and "\n" not in text:
        return text[1:].replace(_BREAK, "\n")
    flow = _FLOW_LIST.fullmatch(text)
    if flow:
        return [scalar(part) for part in flow[1].split(", ")]
    return _rarely(text)


def _rarely(text: str) -> Any:
    """What is written less often: characters that are escaped, a mapping in braces, a comment behind a value."""
    escaped = _ESCAPED.fullmatch(text)
    if escaped:
        return _ESCAPE.sub(lambda match: _ESCAPES[match[1]], escaped[1])
    doubled = _DOUBLED.fullmatch(text)
    if doubled:
        return doubled[1].replace("''", "'")
    flow = _FLOW_MAP.fullmatch(text)
    if flow:
        entries = [part.split(": ", 1) for part in flow[1].split(", ")]
        built = {key: scalar(value) for key, value in entries if type(resolve(key)) is str}
        if len(built) == len(entries):
            return built
    if " #" in text and text.isascii() and text.isprintable():
        quoted = _QUOTED_WITH_COMMENT.fullmatch(text)
        return scalar(quoted[1] if quoted else text.partition(" #")[0].rstrip(" "))
    raise Unfamiliar
