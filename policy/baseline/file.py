"""The baseline on disk, and how files of the repository are written: all of a file or nothing."""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from policy.baseline.matching import Baseline, Entry, merged
from policy.errors import PolicyError, SettingsError
from policy.mistyped import in_words
from policy.patterns import Pattern
from policy.settings import ARGOCD, Settings

FILE_NAME = "policy-baseline.toml"
"""It lies beside policy.toml; TOML, so that a line is a finding and the last line is like the others."""
VERSION = 1
MAX_BYTES = 64 * 1024 * 1024

_HEADER = f"""\
# Findings that were there before the checks: they fail no run, new ones do. One line each, by file.
# `policy baseline` removes what is mended; nothing is added without `policy baseline --add`.
version = {VERSION}
findings = ["""

_ENTRY_LINE = Pattern(r"\s*(?:findings\s*=\s*\[\s*)?\{")


def text_of(entries: Iterable[Entry]) -> str:
    """The file's text: one entry a line, sorted."""
    return "\n".join([_HEADER, *(f"  {_line(entry)}," for entry in merged(entries)), "]", ""])


def _line(entry: Entry) -> str:
    fields = msgspec.to_builtins(entry)
    return "{ " + ", ".join(f"{name} = {_value(value)}" for name, value in fields.items()) + " }"


def _value(value: Any) -> str:
    # JSON's strings, lists and integers are TOML's too, but for the one control character that JSON lets stand.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def find(settings: Settings, named: Path | None) -> Path | None:
    """The baseline file of a repository: the one that is named, else the one beside policy.toml; None without both."""
    if named is not None or settings.file is None:
        return named
    return settings.root / FILE_NAME


def baseline_of(settings: Settings, file: Path | None) -> Baseline:
    """The baseline that a file holds; an empty one without a file.

    Raises:
        SettingsError: as ``read`` does.
    """
    names = {*settings.environments, *((ARGOCD,) if settings.argocd else ())}
    entries = read(file) if file is not None else ()
    return Baseline(entries, names, lambda name: os.path.lexists(settings.repository / name))


def read(file: Path) -> tuple[Entry, ...]:
    """The entries of a baseline file; entries that a merge of branches doubled are one.

    Raises:
        SettingsError: it cannot be read, is no TOML, or is not what ``text_of`` writes; with the line.
    """
    try:
        with file.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise SettingsError(f"cannot be read: {error.strerror}", file=file) from error
    if len(raw) > MAX_BYTES:
        raise SettingsError(f"is larger than {MAX_BYTES >> 20} MiB", file=file)
    try:
        text = raw.decode()
        document = tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise SettingsError("is not UTF-8", file=file, line=raw[: error.start].count(b"\n") + 1) from error
    except tomllib.TOMLDecodeError as error:
        raise _not_toml(error, text, file) from error
    except RecursionError:
        raise SettingsError("is nested too deep", file=file) from None
    for name in document:
        if name not in ("version", "findings"):
            message = f"unknown key {name}: a baseline has version and findings"
            raise SettingsError(message, file=file, line=_line_of_key(name, text))
    if type(document.get("version")) is not int or document["version"] != VERSION:
        message = f"version must be {VERSION}, which this policy reads"
        raise SettingsError(message, file=file, line=_line_of_key("version", text))
    return merged(_entries(document.get("findings"), text, file))


def _not_toml(error: tomllib.TOMLDecodeError, text: str, file: Path) -> SettingsError:
    line = re.search(r"at line (\d+)", str(error))
    number = int(line[1]) if line else text.count("\n") + 1
    message = re.sub(r" \(at .*\)$", "", str(error))
    if re.search(r"^(<{7}|={7}$|>{7})", text, re.MULTILINE):
        message = "it has the marks of a merge conflict; keep the lines of both sides, then run `policy baseline`"
    return SettingsError(f"not valid TOML: {message}", file=file, line=number)


def _entries(found: Any, text: str, file: Path) -> list[Entry]:
    if not isinstance(found, list):
        raise SettingsError("findings must be a list", file=file, line=_line_of_key("findings", text))
    entries = []
    for number, item in enumerate(found):
        try:
            entry = msgspec.convert(item, Entry)
        except msgspec.ValidationError as error:
            raise SettingsError(
                f"findings: {in_words(str(error))}", file=file, line=_line_of(number, len(found), text)
            ) from error
        if entry.count < 1:
            line = _line_of(number, len(found), text)
            raise SettingsError("findings: count must be at least 1", file=file, line=line)
        entries.append(entry)
    return entries


def _line_of(number: int, total: int, text: str) -> int:
    """The line of an entry, where each has a line of its own; else that of the list."""
    starts = [line for line, content in enumerate(text.splitlines(), 1) if _ENTRY_LINE.match(content)]
    return starts[number] if len(starts) == total else _line_of_key("findings", text)


def _line_of_key(name: str, text: str) -> int:
    """The line of a key, else the first one, where it is missing."""
    key = re.compile(rf"""\s*(?:\[\s*)*["']?{re.escape(name)}\b""")
    return next((line for line, content in enumerate(text.splitlines(), 1) if key.match(content)), 1)


def write(file: Path, text: str) -> None:
    """Writes a file so that others see all of it or nothing, with the mode that a new file gets.

    Raises:
        PolicyError: it cannot be written.
    """
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        try:
            with temporary.open("x", encoding="utf-8") as stream:
                stream.write(text)
            os.replace(temporary, file)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise PolicyError(f"cannot be written: {error.strerror}", file=file) from error
