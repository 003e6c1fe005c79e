"""Documents that are alike but for some values, read once: all Services of a stream differ in a few lines, say.

A document that has as many lines as one before it (its *form*), and differs from it only in lines that are a key and a
value, or an item and a value, both with the same key at the same indentation, holds the same but for those values. What
holds none of them is shared with the form; what holds some is a copy with other values.

How a form takes values from lines is worked out when a document differs from it in a line for the first time, and
believed only if what it makes of that document is what ``blocks`` reads.

Streams repeat a sequence of forms, such as a Deployment, its Service and its NetworkPolicy. So the form that came next
the last time is compared with the stream itself, before anybody looks where the document ends (see ``Succession``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import compress
from operator import ne
from typing import Any, NamedTuple, cast

from policy.manifests import blocks
from policy.manifests.scalars import MAX_SCALAR

SEPARATOR = "---\n"
AFTER_SEPARATOR = frozenset(("", " ", "\t", "\r", "\n"))
"""What may follow the ``---`` that parts two documents."""
_MOST_ALIKE = 4
"""So many forms may begin alike and have equally many lines."""
_MOST_FORMS = 500
_MOST_LINES = 2_000
_MOST_REMEMBERED = 4_000
_WORTH_COMPILING = 64
"""So many documents of a form, and it takes less time to compile what makes them than to go on without."""
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


class Succession:
    """Reads the documents of one stream, in their order."""

    def __init__(self, stream: str) -> None:
        self._stream = stream
        self._last: _Form | None = None
        self._has_marks = blocks.has_marks(stream)

    def follow(self, start: int) -> tuple[dict[str, Any], int, int] | None:
        """What the document at ``start`` holds, its end and how many lines it has; None if it has to be ``read``.

        That is if it has not the form that came next before, or no ``---``. The value is not to be changed.
        """
        stream, form = self._stream, self._last.next if self._last is not None else None
        if form is None or not stream.startswith(SEPARATOR, start):
            return None
        found = form.filled(stream, start + len(SEPARATOR))
        if found is None:
            return None
        value, end = found
        if stream.startswith("\n---", end):
            if stream[end + 4 : end + 5] not in AFTER_SEPARATOR:
                return None
        elif end != len(stream) - 1 or stream[end] != "\n":
            return None
        self._last = form
        return value, end + 1, form.lines

    def read(self, text: str) -> dict[str, Any]:
        """What ``blocks.read`` reads, not to be changed by anyone. Raises ``blocks.Unfamiliar``."""
        before, self._last = self._last, None
        value, form = _read(blocks.normalized(text))
        if form is not None and form.is_literal and not self._has_marks:
            if before is not None:
                before.next = form
            self._last = form
        return value


def _read(body: str) -> tuple[dict[str, Any], _Form | None]:
    """What a normalized document holds, and the form that it has."""
    breaks = body.count("\n")
    if not 2 <= breaks < _MOST_LINES:
        return blocks.read_normalized(body), None
    key = breaks, body[: body.find("\n", body.find("\n") + 1)]
    alike = _forms.get(key, ())
    for form in alike:
        found = form.filled(body, 0)
        if found is not None and found[1] == len(body):
            return found[0], form
    value = blocks.read_normalized(body)
    for form in alike:
        if form.learn(body, value):
            return value, form
    if len(alike) >= _MOST_ALIKE:
        return value, None
    if len(_forms) >= _MOST_FORMS:
        _forms.clear()
        _values.clear()
    form = _Form(body, value)
    _forms.setdefault(key, []).append(form)
    return value, form


class _Form:
    """A document, and how those that are like it are made out of it.

    ``next`` is the form of the document that came after one of this form. ``is_literal`` says that documents hold the
    text of the form as it stands, with nothing in place of their line breaks.
    """

    def __init__(self, body: str, value: dict[str, Any]) -> None:
        self._body, self._value = body, value
        self._leaves: Mapping[int, _Leaf] | None = None
        self._lines: list[int] = []
        self._gaps: list[_Gap] = []
        self._rest = body
        self._steps: list[_Step] = []
        self._filled = 0
        self._quick: _Quick | None = None
        self.lines = body.count("\n") + 2
        self.is_literal = not blocks.has_marks(body)
        self.next: _Form | None = None

    def filled(self, text: str, at: int) -> tuple[dict[str, Any], int] | None:
        """What a document at a place in a text holds, and its end.

        None where it differs from the form in other lines than is known so far.
        """
        found = self._quick.texts(text, at) if self._quick is not None else self._texts(text, at)
        if found is None:
            return None
        texts, end = found
        values = []
        for each in texts:
            try:
                values.append(_values[each])
            except KeyError:
                values.append(_remembered(each))
                if values[-1] is _UNFAMILIAR:
                    return None
        if self._quick is not None:
            return self._quick.make(values), end
        self._filled += 1
        if self._filled == _WORTH_COMPILING and self._steps:
            self._quick = _Quick(self._gaps, self._rest, self._steps)
        return _made(self._value, self._steps, values), end

    def _texts(self, text: str, at: int) -> tuple[list[str], int] | None:
        """The values as they are written, and the end; None where something else is written between them."""
        found = []
        for before, width in self._gaps:
            if not text.startswith(before, at):
                return None
            at += width
            end = text.find("\n", at)
            found.append(text[at:end] if end >= 0 else text[at:])
            at += len(found[-1])
        return (found, at + len(self._rest)) if text.startswith(self._rest, at) else None

    def learn(self, body: str, value: dict[str, Any]) -> bool:
        """Takes values from further lines, those in which a document with that value differs; whether it can."""
        own, lines = self._body.split("\n"), body.split("\n")
        if self._leaves is None:
            self._leaves = _leaves(own, self._value)
        known = self._lines, self._gaps, self._rest, self._steps, self._quick
        self._lines = sorted({*self._lines, *compress(range(len(own)), map(ne, lines, own))})
        if not all(number in self._leaves for number in self._lines):
            self._lines = known[0]
            return False
        leaves = [self._leaves[number] for number in self._lines]
        self._gaps, self._rest = _gaps(own, dict(zip(self._lines, leaves, strict=True)))
        self._steps = list(_steps(self._value, [leaf.path for leaf in leaves]))
        self._filled, self._quick = 0, None
        found = self.filled(body, 0)
        if found is not None and found[1] == len(body) and _is_same(found[0], value):
            return True
        self._lines, self._gaps, self._rest, self._steps, self._quick = known
        return False


def _made(value: dict[str, Any], steps: Sequence[_Step], values: Sequence[Any]) -> dict[str, Any]:
    """A form's value with other values at the places that the steps name."""
    made: list[Any] = []
    copied: Any = value
    for original, own, copies in steps:
        copied = original.copy()
        for key, number in own:
            copied[key] = values[number]
        for key, number in copies:
            copied[key] = made[number]
        made.append(copied)
    found: dict[str, Any] = copied
    return found


class _Quick:
    """What a form does with a document, in few calls: it pays once there are many documents of the form."""

    def __init__(self, gaps: Sequence[_Gap], rest: str, steps: Sequence[_Step]) -> None:
        between = [*(gap.before for gap in gaps), rest]
        # Texts are taken by their lengths and compared afterwards. Nothing is tried twice: `*+` gives nothing back.
        pattern = r"([^\n]*+)".join(f"(.{{{len(each)}}})" for each in between)
        self._match = re.compile(pattern, re.DOTALL).match
        self._between = tuple(between)
        self.make = _maker(steps)

    def texts(self, text: str, at: int) -> tuple[Sequence[str], int] | None:
        """See ``_Form._texts``."""
        match = self._match(text, at)
        if match is None:
            return None
        groups = match.groups()
        return (groups[1::2], match.end()) if groups[::2] == self._between else None


def _maker(steps: Sequence[_Step]) -> Callable[[list[Any]], dict[str, Any]]:
    """``_made`` as a function of one expression, which takes a third of the time.

    Its text is made of numbered names alone: what a manifest says, keys too, is in the constants that these stand for.
    """
    constants: list[Any] = []

    def constant(value: Any) -> str:
        constants.append(value)
        return f"c{len(constants) - 1}"

    made: list[str] = []
    for original, own, copies in steps:
        changed = {key: f"values[{number}]" for key, number in own}
        changed.update((key, made[number]) for key, number in copies)
        if isinstance(original, dict):
            parts = (f"{constant(key)}: {changed.get(key) or constant(value)}" for key, value in original.items())
            made.append(f"{{{', '.join(parts)}}}")
        else:
            parts = (changed.get(key) or constant(value) for key, value in enumerate(original))
            made.append(f"[{', '.join(parts)}]")
    names = [f"c{number}" for number in range(len(constants))]
    bound = ", ".join(f"{name}={name}" for name in names)
    make = eval(f"lambda values, {bound}: {made[-1]}", dict(zip(names, constants, strict=True)))
    return cast("Callable[[list[Any]], dict[str, Any]]", make)


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


def _remembered(line: str) -> Any:
    """``_value``, kept for those that say the same."""
    value = _value(line)
    if value is not _UNFAMILIAR:
        if len(_values) >= _MOST_REMEMBERED:
            _values.clear()
        _values[line] = value
    return value


def _value(text: str) -> Any:
    if len(text) > MAX_SCALAR:
        return _UNFAMILIAR
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
