"""Documents that are alike but for some values, read once: all Services of a stream differ in a few lines, say.

A document that has as many lines as one before it (its *form*), and differs from it only in lines that are a key and a
value, or an item and a value, both with the same key at the same indentation, holds the same but for those values. What
holds none of them is shared with the form; what holds some is a copy with other values.

How a form takes values from lines is worked out when a document differs from it in a line for the first time, and
believed only if what it makes of that document is what ``blocks`` reads.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import compress
from operator import ne
from typing import Any, NamedTuple

from policy.manifests import blocks

_MOST_ALIKE = 4
"""So many forms may begin alike and have equally many lines."""
_MOST_FORMS = 500
_MOST_LINES = 2_000
_MOST_REMEMBERED = 4_000
_MISSING: Any = object()
_UNFAMILIAR: Any = object()

Path = tuple[str | int, ...]
_forms: dict[tuple[int, str], list[_Form]] = {}
_values: dict[str, Any] = {}


class _Leaf(NamedTuple):
    """A line that holds a value: what stands before it, and where it belongs."""

    before: str
    path: Path


class _Gap(NamedTuple):
    """A value in which documents of a form differ: all that stands before it since the last one, and its length."""

    before: str
    width: int


class _Step(NamedTuple):
    """A mapping or list to copy: which of its values are to be set, and which are copies of earlier steps."""

    original: Any
    values: tuple[tuple[Any, int], ...]
    copies: tuple[tuple[Any, int], ...]


def read(text: str) -> dict[str, Any]:
    """What ``blocks.read`` reads, not to be changed by anyone. Raises ``blocks.Unfamiliar``."""
    body = blocks.normalized(text)
    breaks = body.count("\n")
    if not 2 <= breaks < _MOST_LINES:
        return blocks.read_normalized(body)
    key = breaks, body[: body.find("\n", body.find("\n") + 1)]
    alike = _forms.get(key)
    if alike is None:
        value = blocks.read_normalized(body)
        if len(_forms) >= _MOST_FORMS:
            _forms.clear()
            _values.clear()
        _forms[key] = [_Form(body, value)]
        return value
    for form in alike:
        found = form.filled(body)
        if found is not None:
            return found
    value = blocks.read_normalized(body)
    if not any(form.learn(body, value) for form in alike) and len(alike) < _MOST_ALIKE:
        alike.append(_Form(body, value))
    return value


class _Form:
    """A document, and how those that are like it are made out of it."""

    def __init__(self, body: str, value: dict[str, Any]) -> None:
        self._body, self._value = body, value
        self._leaves: Mapping[int, _Leaf] | None = None
        self._lines: list[int] = []
        self._gaps: list[_Gap] = []
        self._rest = body
        self._steps: list[_Step] = []

    def filled(self, body: str) -> dict[str, Any] | None:
        """What a document holds, None where it differs from the form in other lines than is known so far."""
        values = []
        at = 0
        for before, width in self._gaps:
            if not body.startswith(before, at):
                return None
            at += width
            end = body.find("\n", at)
            text = body[at:end] if end >= 0 else body[at:]
            at += len(text)
            value = _values.get(text, _MISSING)
            if value is _MISSING:
                if len(_values) >= _MOST_REMEMBERED:
                    _values.clear()
                value = _values[text] = _value(text)
            if value is _UNFAMILIAR:
                return None
            values.append(value)
        if body[at:] != self._rest:
            return None
        made: list[Any] = []
        copied: Any = self._value
        for original, own, copies in self._steps:
            copied = original.copy()
            for key, number in own:
                copied[key] = values[number]
            for key, number in copies:
                copied[key] = made[number]
            made.append(copied)
        found: dict[str, Any] = copied
        return found

    def learn(self, body: str, value: dict[str, Any]) -> bool:
        """Takes values from further lines, those in which a document with that value differs; whether it can."""
        own, lines = self._body.split("\n"), body.split("\n")
        if self._leaves is None:
            self._leaves = _leaves(own, self._value)
        known = self._lines, self._gaps, self._rest, self._steps
        self._lines = sorted({*self._lines, *compress(range(len(own)), map(ne, lines, own))})
        if not all(number in self._leaves for number in self._lines):
            self._lines = known[0]
            return False
        leaves = [self._leaves[number] for number in self._lines]
        self._gaps, self._rest = _gaps(own, dict(zip(self._lines, leaves, strict=True)))
        self._steps = list(_steps(self._value, [leaf.path for leaf in leaves]))
        if _is_same(self.filled(body), value):
            return True
        self._lines, self._gaps, self._rest, self._steps = known
        return False


def _gaps(lines: Sequence[str], leaves: Mapping[int, _Leaf]) -> tuple[list[_Gap], str]:
    """What stands before the value of each of those lines, and behind the last one."""
    found: list[_Gap] = []
    since: list[str] = []
    for number, line in enumerate(lines):
        leaf = leaves.get(number)
        since.append(line if leaf is None else leaf.before)
        if leaf is not None:
            before = "\n".join(since)
            found.append(_Gap(before, len(before)))
            since = [""]
    return found, "\n".join(since)


def _value(text: str) -> Any:
    try:
        return blocks.scalar(text)
    except blocks.Unfamiliar:
        return _UNFAMILIAR


def _leaves(lines: Sequence[str], value: Any) -> Mapping[int, _Leaf]:
    """The lines of a document that hold a value; none where two of them are for the same field."""
    found: dict[int, _Leaf] = {}
    for line, leaf in _stated(lines):
        read = _value(lines[line][len(leaf.before) :])
        if read is _UNFAMILIAR or not _is_same(read, _at(value, leaf.path)):
            return {}
        found[line] = leaf
    return found if len({leaf.path for leaf in found.values()}) == len(found) else {}


def _stated(lines: Sequence[str]) -> Iterator[tuple[int, _Leaf]]:
    """Each line with a value, and its path by the indentation."""
    inside: list[tuple[int, str | int]] = []  # the key, or the index, that each indentation has come to
    for number, line in enumerate(lines):
        body = line.lstrip(" ")
        indent = len(line) - len(body)
        is_item = body.startswith("- ")
        while inside and (inside[-1][0] > indent or (inside[-1][0] == indent and not is_item)):
            inside.pop()
        if is_item:
            if inside and inside[-1][0] == indent and isinstance(inside[-1][1], int):
                inside[-1] = indent, inside[-1][1] + 1
            else:
                inside.append((indent, 0))
            body, indent = body[2:], indent + 2
        entry = blocks.entry(body)
        if entry is None:
            yield number, _Leaf(line[:indent], tuple(step for _, step in inside))
            continue
        key, value = entry
        inside.append((indent, key))
        if value is not None:
            before = line[: len(line) - len(value)]
            yield number, _Leaf(before, tuple(step for _, step in inside))


def _at(value: Any, path: Path) -> Any:
    for step in path:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return _MISSING
    return value


def _steps(value: Any, paths: Sequence[Path]) -> Iterator[_Step]:
    """How to copy what holds the paths, from the inside to the outside; the values are numbered like the paths."""
    numbers = {path: number for number, path in enumerate(paths)}
    holders = {path[:length] for path in paths for length in range(len(path))}
    made: dict[Path, int] = {}
    for holder in sorted(holders, key=len, reverse=True):
        own = [(path[-1], number) for path, number in numbers.items() if path[:-1] == holder]
        copies = [(path[-1], number) for path, number in made.items() if path[:-1] == holder]
        made[holder] = len(made)
        yield _Step(_at(value, holder), tuple(own), tuple(copies))


def _is_same(one: Any, other: Any) -> bool:
    """Equal in types too, and in the order of keys."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return list(one) == list(other) and all(_is_same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_is_same, one, other))
    return bool(one == other or (one != one and other != other))
