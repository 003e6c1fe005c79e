"""What a YAML scalar means to Kustomize.

Kustomize reads manifests with a YAML 1.2 parser that keeps a few habits of 1.1 (``0644`` is 420, ``yes`` is a
string), and kustomization files and JSON patches with a YAML 1.1 one (``yes`` is true). Both differ from PyYAML.
"""

from __future__ import annotations

import math
import re

NULL = "!!null"
BOOL = "!!bool"
STR = "!!str"
INT = "!!int"
FLOAT = "!!float"
TIMESTAMP = "!!timestamp"
MERGE = "!!merge"

_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), NULL),
    **dict.fromkeys(("true", "True", "TRUE", "false", "False", "FALSE"), BOOL),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), FLOAT),
    **dict.fromkeys(
        (sign + word for sign in ("", "+", "-") for word in (".inf", ".Inf", ".INF")),
        FLOAT,
    ),
    "<<": MERGE,
}
_TRUE_1_1 = frozenset(("y", "Y", "yes", "Yes", "YES", "on", "On", "ON"))
_FALSE_1_1 = frozenset(("n", "N", "no", "No", "NO", "off", "Off", "OFF"))
_TRUE = frozenset(("true", "True", "TRUE")) | _TRUE_1_1

_INTEGER = re.compile(r"[-+]?(0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|0|[1-9][0-9]*)")
_NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_TIMESTAMP = re.compile(
    r"(\d{4})-(\d{1,2})-(\d{1,2})"
    r"(?:(?:([Tt])| )(\d{1,2}):(\d{1,2}):(\d{1,2})(?:[.,](\d+))?(Z|[-+]\d\d:\d\d)?)?"
)
_STARTS = frozenset("+-.0123456789~<nNtTfF")
_STARTS_1_1 = _STARTS | frozenset("yYoO")


def tag_of(text: str, *, yaml_1_1: bool = False) -> str:
    """The short tag of a plain (unquoted) scalar."""
    if text and text[0] not in (_STARTS_1_1 if yaml_1_1 else _STARTS):
        return STR
    word = _WORDS.get(text)
    if word is not None:
        return word
    if yaml_1_1 and (text in _TRUE_1_1 or text in _FALSE_1_1):
        return BOOL
    first = text[0]
    if first == ".":
        return FLOAT if _NUMBER.fullmatch(text) else STR
    if first not in "+-0123456789":
        return STR
    if _timestamp(text) is not None:
        return TIMESTAMP
    plain = text.replace("_", "")
    number = _integer(plain)
    if number is not None and -(2**63) <= number < 2**64:
        return INT
    return FLOAT if _NUMBER.fullmatch(plain) else STR


def value_of(text: str, tag: str) -> str | int | float | bool | None:
    """The JSON value of a scalar, as it appears in what Kustomize renders."""
    if tag == STR:
        return text
    if tag == INT:
        number = _integer(text.replace("_", ""))
        return text if number is None else number
    if tag == BOOL:
        return text in _TRUE
    if tag == NULL:
        return None
    if tag == FLOAT:
        return _float(text)
    if tag == TIMESTAMP:
        return _timestamp(text) or text
    return text


def _integer(text: str) -> int | None:
    match = _INTEGER.fullmatch(text)
    if match is None:
        return None
    digits = match[1]
    try:
        number = int(digits, 8) if digits[0] == "0" and digits.isdigit() else int(digits, 0)
    except ValueError:  # of more decimal digits than Python reads (CVE-2020-10735): no integer of any machine
        return None
    return -number if text[0] == "-" else number


def _float(text: str) -> float | str:
    lowered = text.lower()
    if lowered.endswith(".inf"):
        return -math.inf if lowered[0] == "-" else math.inf
    if lowered == ".nan":
        return math.nan
    try:
        return float(text.replace("_", ""))
    except ValueError:
        return text


def _timestamp(text: str) -> str | None:
    """RFC 3339 text of a timestamp in the forms that Kustomize's parser knows; None for any other text."""
    match = _TIMESTAMP.fullmatch(text)
    if match is None:
        return None
    year, month, day, letter, hour, minute, second, fraction, zone = match.groups()
    if hour is None:
        hour = minute = second = "0"
    elif bool(letter) != bool(zone):
        return None
    from datetime import (
        datetime,
    )  # only the rare manifest that holds a date pays for it

    try:
        datetime(int(year), int(month), int(day), int(hour), int(minute), int(second))
    except ValueError:
        return None
    digits = (fraction or "")[:9].rstrip("0")
    zone = "Z" if zone is None or zone == "+00:00" else zone
    parts = f"{year}-{int(month):02}-{int(day):02}T{int(hour):02}:{int(minute):02}:{int(second):02}"
    return f"{parts}{'.' + digits if digits else ''}{zone}"
