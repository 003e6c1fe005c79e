"""YAML text to plain objects, quickly and as Kubernetes reads it: the rendered stream, or a file of manifests.

Most documents are read by ``blocks``, the others by ``events``. Both resolve scalars by ``scalars.resolve``. Aliases
share the object they name; their expanded size is bounded, so that an alias bomb is an error and not a full memory.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from policy.manifests import blocks, forms
from policy.manifests.scalars import MAX_SCALAR
from policy.patterns import Pattern

_DIRECTIVE_OR_END = Pattern(r"^(?:%|\.\.\.(?:[ \t\r\n]|\Z))|\r(?!\n)", re.MULTILINE)


class Loaded(msgspec.Struct, frozen=True):
    """A document: what it holds, its text, and the 1-based line where that starts: its ``---``, where it has one.

    Nobody may change ``value``: equal parts of documents are the same object. ``is_plain`` says that ``blocks`` reads
    the text, and that every line of it is a key or an item.
    """

    value: Any
    text: str
    line: int
    is_plain: bool


def load_documents(text: str, name: str) -> Iterator[tuple[int, Any]]:
    """The line and the value of each document of a YAML (or JSON) stream, see ``load_texts``. Raises SourceError."""
    return ((document.line, document.value) for document in load_texts(text, name))


def load_texts(text: str, name: str) -> Iterator[Loaded]:
    """Each document of a YAML (or JSON) stream.

    Raises:
        SourceError: the text is no YAML, nests too deep, expands aliases without bound, or holds a value longer than
            ``MAX_SCALAR``.
    """
    if _may_have_directives(text):
        yield from _load_by_lines(text, name)
        return
    succession = forms.Succession(text)
    start, line = 0, 1
    while True:
        followed = succession.follow(start)
        if followed is not None:
            value, end, lines = followed
            chunk = text[start:end]
            yield Loaded(value, chunk, line, not blocks.has_literals(chunk))
        else:
            end = _end(text, start)
            chunk = text[start:end]
            lines = chunk.count("\n")
            try:
                yield Loaded(_read_quickly(chunk, succession), chunk, line, not blocks.has_literals(chunk))
            except blocks.Unfamiliar:
                for _, value in load_exactly(chunk, name, line):
                    yield Loaded(value, chunk, line, False)
        start, line = end, line + lines
        if start == len(text):
            return


def _read_quickly(chunk: str, succession: forms.Succession) -> Any:
    """The document by the short cut, which knows lines and their values only, and so bounds the values by the lines.

    Raises:
        Unfamiliar: it has to be read exactly.
    """
    if chunk == forms.SEPARATOR:  # what a template leaves that rendered nothing
        return None
    if len(chunk) > MAX_SCALAR and max(map(len, chunk.split("\n"))) > MAX_SCALAR:
        raise blocks.Unfamiliar
    return succession.read(chunk.removeprefix(forms.SEPARATOR))


def _may_have_directives(text: str) -> bool:
    """Whether there is a directive, an end of a document, or a lone CR; most hold none of their signs."""
    if "\r" in text or ("%" in text and "\n%" in text) or "\n..." in text or text.startswith(("%", "...")):
        return _DIRECTIVE_OR_END.search(text) is not None
    return False


def _end(text: str, start: int) -> int:
    """Where a document ends: before a ``---`` at the beginning of a line that nothing but white space follows."""
    at = text.find("\n---", start)
    while at >= 0:
        if text[at + 4 : at + 5] in forms.AFTER_SEPARATOR:
            return at + 1
        at = text.find("\n---", at + 4)
    return len(text)


def _load_by_lines(text: str, name: str) -> Iterator[Loaded]:
    """The same where only the parser can tell the documents apart."""
    read = list(load_exactly(text, name))
    lines = text.split("\n")
    ends = [*(start for start, _ in read), len(lines) + 1][1:]
    for (line, value), end in zip(read, ends, strict=True):
        yield Loaded(value, "\n".join(lines[line - 1 : end - 1]) + "\n", line, False)


def load_exactly(text: str, name: str, first_line: int = 1) -> Iterator[tuple[int, Any]]:
    """``load_documents`` without the short cut; ``first_line`` is the line of the file that the text starts in."""
    from policy.manifests import events  # PyYAML takes longer to import than most files to read

    yield from events.read(text, name, first_line)


@contextmanager
def paused_garbage_collector() -> Iterator[None]:
    """A check makes many live objects and little garbage; collections in between cost twice the parsing."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
