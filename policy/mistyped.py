"""What msgspec says of a value that does not fit, in the words of who wrote the value."""

from __future__ import annotations

from policy.patterns import Pattern

_EXPECTED = Pattern(r"Expected `([^`]*)`, got `([^`]*)`")
_MISSING = Pattern(r"Object missing required field `([^`]*)`")
_UNKNOWN = Pattern(r"Object contains unknown field `([^`]*)`")
_DATE = "Invalid RFC3339 encoded date"
_KINDS = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "null",
    "date": "a date",
    "datetime": "a time",
}


def in_words(said: str) -> str:
    """``rule must be text, not a whole number``; what is not known is left as it is said.

    Of a value that is not inside of another one no name is said: ``must be text, not a list``.
    """
    what, _, where = said.partition(" - at `$")
    name = where.rstrip("`").lstrip(".")
    of_name = f"{name} " if name else ""
    if match := _EXPECTED.fullmatch(what):
        return f"{of_name}must be {_kinds(match[1])}, not {_kinds(match[2])}"
    if match := _MISSING.fullmatch(what):
        return f"{name}.{match[1]} is missing" if name else f"{match[1]} is missing"
    if match := _UNKNOWN.fullmatch(what):
        return f"there is no {match[1]}" + (f" in {name}" if name else "")
    if what == _DATE:
        return f"{of_name}must be a date such as 2027-03-31"
    return f"{of_name}{what}" if name else what


def _kinds(text: str) -> str:
    """``int | str | null`` in words; that it may be absent as well needs no word."""
    names = [name for name in text.split(" | ") if name != "null"] or ["null"]
    return " or ".join(_KINDS.get(name, name) for name in names)
