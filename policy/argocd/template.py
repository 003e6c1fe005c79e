"""The templates of ApplicationSets: Go's, as far as they are used for names and paths, and the older ``{{name}}``.

Argo CD fills in every text of a template with Go's text/template and the functions of Sprig
(https://argo-cd.readthedocs.io/en/stable/operator-manual/applicationset/GoTemplate/). Fields, ``index`` and the
functions below are done over here; conditions, loops and variables are not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from policy.patterns import Pattern

Parameters = Mapping[str, Any]

_ACTION = Pattern(r"\{\{(-\s)?((?:(?!\}\}).)*)\}\}", re.DOTALL)
_TOKEN = Pattern(
    r"\s*(?:(?P<text>\"(?:[^\"\\]|\\.)*\"|`[^`]*`)|(?P<number>-?\d+)"
    r"|(?P<field>\$?(?:\.\w+)+|\.|\$)|(?P<word>\w+)|(?P<mark>[|()]))"
)
_PLAIN = Pattern(r"\{\{\s*([\w.\-\[\]/]+)\s*\}\}")
_UNSAFE = Pattern(r"[^-a-z0-9.]")
NO_VALUE = "<no value>"
MAX_LENGTH = 100_000
"""More than any name or path has; functions in a row could double a text without end."""


class TemplateError(Exception):
    """The template fails for these parameters, as it would in Argo CD."""


class NotUnderstood(Exception):
    """The template uses what is not done over here."""


def render(value: Any, parameters: Parameters, *, is_go: bool, is_strict: bool) -> Any:
    """A template's value with every text filled in.

    ``is_strict`` is ``missingkey=error``: a field that is not there is an error; else it is ``<no value>``. The older
    templates leave what they do not know as it stands.

    Raises TemplateError and NotUnderstood.
    """
    if isinstance(value, str):
        if "{{" not in value:
            return value
        return _go(value, parameters, is_strict) if is_go else _plain(value, parameters)
    if isinstance(value, Mapping):
        return {
            render(key, parameters, is_go=is_go, is_strict=is_strict): render(
                each, parameters, is_go=is_go, is_strict=is_strict
            )
            for key, each in value.items()
        }
    if isinstance(value, list):
        return [render(each, parameters, is_go=is_go, is_strict=is_strict) for each in value]
    return value


def is_unfilled(text: str) -> bool:
    """Whether a template left the text open."""
    return NO_VALUE in text or _PLAIN.search(text) is not None


def unfilled(value: Any) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """The texts that a template left open, and where: ``{{…}}`` or ``<no value>``."""
    if isinstance(value, str):
        left = _PLAIN.search(value)
        if left or NO_VALUE in value:
            yield (), left[0] if left else NO_VALUE
    elif isinstance(value, Mapping | list):
        for key, each in value.items() if isinstance(value, Mapping) else enumerate(value):
            yield from (((key, *path), text) for path, text in unfilled(each))


def flat(parameters: Parameters, prefix: str = "") -> dict[str, str]:
    """Parameters as the older templates name them: ``metadata.labels.team``."""
    found: dict[str, str] = {}
    for key, value in parameters.items():
        if isinstance(value, Mapping):
            found.update(flat(value, f"{prefix}{key}."))
        else:
            found[f"{prefix}{key}"] = _text(value)
    return found


def normalized(text: str) -> str:
    """A text as part of a DNS name, as ``basenameNormalized`` and ``normalize`` make it."""
    return _UNSAFE.sub("-", text.lower())[:253].strip("-.")


def _plain(text: str, parameters: Parameters) -> str:
    known = flat(parameters)
    return _PLAIN.sub(lambda match: known.get(match[1], match[0]), text)


def _go(text: str, parameters: Parameters, is_strict: bool) -> str:
    filled, end, trims = [], 0, False
    for match in _ACTION.finditer(text):
        before = text[end : match.start()]
        before = before.lstrip() if trims else before
        filled.append(before.rstrip() if match[1] else before)
        said, end = match[2], match.end()
        trims = re.search(r"\s-\Z", said) is not None
        said = (said[:-1] if trims else said).strip()
        if not said.startswith("/*"):
            filled.append(_text(_Expression(said, parameters, is_strict).value()))
    rest = text[end:]
    return "".join([*filled, rest.lstrip() if trims else rest])


def _text(value: Any) -> str:
    if value is None:
        return NO_VALUE
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return f"map[{' '.join(f'{key}:{_text(value[key])}' for key in sorted(value))}]"
    return f"[{' '.join(map(_text, value))}]" if isinstance(value, list) else str(value)


class _Expression:
    """One action: commands joined by bars, each the last argument of the next."""

    def __init__(self, text: str, parameters: Parameters, is_strict: bool) -> None:
        self._source, self._parameters, self._is_strict = text, parameters, is_strict
        self._tokens = list(self._read(text))
        self._at = 0

    @staticmethod
    def _read(text: str) -> Iterator[tuple[str, str]]:
        position = 0
        while position < len(text.rstrip()):
            match = _TOKEN.match(text, position)
            if match is None or match.lastgroup is None:
                raise NotUnderstood(f"{{{{ {text} }}}}")
            position = match.end()
            yield match.lastgroup, match[match.lastgroup]

    def value(self) -> Any:
        found = self._pipeline()
        if self._at < len(self._tokens):
            raise self._not_understood()
        return found

    def _not_understood(self) -> NotUnderstood:
        return NotUnderstood(f"{{{{ {self._source} }}}}")

    def _next(self) -> tuple[str, str] | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _pipeline(self) -> Any:
        found = self._command(())
        while self._next() == ("mark", "|"):
            self._at += 1
            found = self._command((found,))
        return found

    def _command(self, piped: tuple[Any, ...]) -> Any:
        token = self._next()
        if token is None:
            raise self._not_understood()
        if token[0] != "word" or token[1] in ("true", "false", "nil"):
            if piped:
                raise self._not_understood()
            return self._operand()
        self._at += 1
        function = _FUNCTIONS.get(token[1])
        if function is None:
            raise self._not_understood()
        arguments = []
        while self._next() not in (None, ("mark", "|"), ("mark", ")")):
            arguments.append(self._operand())
        try:
            found = function(*arguments, *piped)
            if len(str(found)) > MAX_LENGTH:
                raise self._not_understood()
            return found
        except (TypeError, ValueError, AttributeError) as error:
            raise self._not_understood() from error

    def _operand(self) -> Any:
        kind, text = self._tokens[self._at]
        self._at += 1
        if kind == "text":
            return text[1:-1] if text[0] == "`" else _unquoted(text)
        if kind == "number":
            return int(text)
        if kind == "field":
            return self._field([step for step in text.lstrip("$").split(".") if step])
        if (kind, text) == ("mark", "("):
            found = self._pipeline()
            if self._next() != ("mark", ")"):
                raise self._not_understood()
            self._at += 1
            return found
        if kind == "word" and text in ("true", "false", "nil"):
            return {"true": True, "false": False, "nil": None}[text]
        raise self._not_understood()

    def _field(self, steps: list[str]) -> Any:
        value: Any = self._parameters
        for number, step in enumerate(steps):
            if not isinstance(value, Mapping):
                raise TemplateError(f".{'.'.join(steps[:number])} has no field {step}")
            if step not in value:
                if self._is_strict:
                    raise TemplateError(f"there is no .{'.'.join(steps[: number + 1])}")
                return None
            value = value[step]
        return value


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", lambda match: {"n": "\n", "t": "\t"}.get(match[1], match[1]), text[1:-1])


def _index(value: Any, *keys: Any) -> Any:
    for key in keys:
        if isinstance(value, Mapping):
            value = value.get(str(key))
        elif isinstance(value, list) and isinstance(key, int) and 0 <= key < len(value):
            value = value[key]
        else:
            raise TemplateError(f"index {key} leads nowhere")
    return value


def _truncated(length: int, text: str) -> str:
    return text[length:] if length < 0 else text[:length]


_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "index": _index,
    "lower": lambda text: _text(text).lower(),
    "upper": lambda text: _text(text).upper(),
    "trim": lambda text: _text(text).strip(),
    "quote": lambda text: f'"{_text(text)}"',
    "squote": lambda text: f"'{_text(text)}'",
    "toString": _text,
    "replace": lambda old, new, text: _text(text).replace(old, new),
    "trimPrefix": lambda prefix, text: _text(text).removeprefix(prefix),
    "trimSuffix": lambda suffix, text: _text(text).removesuffix(suffix),
    "default": lambda other, value=None: value or other,
    "trunc": _truncated,
    "normalize": lambda text: normalized(_text(text)),
    "base": lambda text: _text(text).rstrip("/").rsplit("/", 1)[-1],
    "dir": lambda text: _text(text).rpartition("/")[0] or ".",
    "splitList": lambda separator, text: _text(text).split(separator),
    "join": lambda separator, items: separator.join(map(_text, items)),
    "last": lambda items: items[-1],
    "first": lambda items: items[0],
    "print": lambda *items: "".join(map(_text, items)),
}
"""Of Go, of Sprig, and Argo CD's own ``normalize``; arguments in their order, what is piped comes last."""
