"""Plain YAML scalars as Kubernetes reads them.

The API machinery reads manifests with ``sigs.k8s.io/yaml``, that is go-yaml v2: YAML 1.1 with its own reading of
octal and binary integers, underscores, booleans and infinities. ``0644`` is 420, ``0o17`` a string, ``yes`` is true.
"""

from __future__ import annotations

import re
from functools import lru_cache

Scalar = str | int | float | bool | None

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE = frozenset({"y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"})
_FALSE = frozenset({"n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"})
_INFINITIES = {
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NUMBER_START = frozenset("+-.0123456789")
_INT64_MIN, _UINT64_MAX = -(2**63), 2**64 - 1
_BASES = {"0x": 16, "0X": 16, "0b": 2, "0B": 2, "0o": 8, "0O": 8}


@lru_cache(maxsize=65536)
def resolve(text: str) -> Scalar:
    """The value of an untagged plain scalar."""
    if text in _NULLS:
        return None
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    if text[0] in _NUMBER_START:
        return _number(text)
    return text


def _number(text: str) -> Scalar:
    if text in _INFINITIES:
        return _INFINITIES[text]
    digits = text.replace("_", "")
    integer = _go_integer(digits)
    if integer is not None:
        return integer
    if _FLOAT.fullmatch(digits):
        return float(digits)
    return text


def _go_integer(digits: str) -> int | None:
    """Go's ``strconv.ParseInt(s, 0, 64)``, or ``ParseUint`` above its range; None when it is no integer."""
    sign = -1 if digits[:1] == "-" else 1
    body = digits[1:] if digits[:1] in ("+", "-") else digits
    if not body or not body.isascii():
        return None
    base = _BASES.get(body[:2], 10)
    if base != 10:
        body = body[2:]
    elif len(body) > 1 and body[0] == "0":
        base, body = 8, body[1:]
    try:
        value = sign * int(body, base) if body[:1] not in ("+", "-") else None
    except ValueError:
        return None
    if value is None or not _INT64_MIN <= value <= _UINT64_MAX:
        return None
    return value
