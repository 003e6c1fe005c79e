"""Plain YAML scalars as Kubernetes reads them.

The API machinery reads manifests with ``sigs.k8s.io/yaml``, that is go-yaml v2: YAML 1.1 with its own reading of
octal and binary integers, underscores, booleans and infinities. ``0644`` is 420, ``0o17`` a string, ``yes`` is true.
"""

from __future__ import annotations

import math
import re
import struct
from decimal import Decimal
from functools import lru_cache

MAX_SCALAR = 1536 * 1024
"""How long one value may be: what etcd takes as a whole object, by default (``--max-request-bytes``)."""

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
    digits = text if text[0] == "." else text.replace("_", "")
    integer = _go_integer(digits)
    if integer is not None:
        return integer
    if _FLOAT.fullmatch(digits):
        value = float(digits)
        return text if math.isinf(value) else value
    return text


def _go_integer(digits: str) -> int | None:
    """Go's ``strconv.ParseInt(s, 0, 64)``, or ``ParseUint`` above its range; None when it is no integer."""
    sign = -1 if digits[:1] == "-" else 1
    body = digits[1:] if digits[:1] in ("+", "-") else digits
    base = _BASES.get(body[:2], 10)
    if base != 10:
        body = body[2:]
    elif len(body) > 1 and body[0] == "0":
        base, body = 8, body[1:]
    if not (body.isascii() and body.isalnum()):
        return None
    try:
        value = sign * int(body, base)
    except ValueError:
        return None
    return value if _INT64_MIN <= value <= _UINT64_MAX else None


def json_key(key: float | bool | None) -> str:
    """A key that is no text, as the conversion to JSON writes it: numbers with a fraction as Go's ``%g`` of 32 bits."""
    if key is None:
        return "null"
    if isinstance(key, bool):
        return "true" if key else "false"
    if isinstance(key, int):
        return str(key)
    try:
        single: float = struct.unpack("f", struct.pack("f", key))[0]
    except OverflowError:
        single = math.copysign(math.inf, key)
    if math.isinf(single) or math.isnan(single):
        return ".nan" if math.isnan(single) else ".inf" if single > 0 else "-.inf"
    return _shortest(single)


def _shortest(single: float) -> str:
    """The fewest digits that are this 32-bit number, with an exponent from the seventh place on."""
    shortest = next(
        text
        for text in (f"{single:.{digits}e}" for digits in range(17))
        if struct.pack("f", float(text)) == struct.pack("f", single)
    )
    mantissa, _, exponent = shortest.partition("e")
    if -4 <= int(exponent) < 6:
        return f"{Decimal(shortest):f}"
    return f"{mantissa}e{int(exponent):+03d}"
