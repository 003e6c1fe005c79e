"""The readers of YAML under atheris (`tox run -e fuzz`): bytes in, documents or one error out.

Both readers must end with ``SourceError`` or documents; the quick way of reading manifests and the exact way must read
the same.
"""

from __future__ import annotations

import math
import sys
from typing import Any

import atheris

with atheris.instrument_imports(include=["policy"]):
    from policy.errors import SourceError
    from policy.kustomize.marks import Source
    from policy.kustomize.parse import parse
    from policy.manifests import forms
    from policy.manifests.load import load_documents, load_exactly

forms._WORTH_COMPILING = 2  # a short text holds few documents of a form


def try_one(data: bytes) -> None:
    """What atheris calls with each input; whatever it raises is a finding."""
    text = data.decode("utf-8", "replace")
    quick, exact = _read(load_documents, text), _read(load_exactly, text)
    if not _same(quick, exact):
        raise AssertionError(f"quick: {quick!r}, exact: {exact!r}")
    for yaml_1_1 in (False, True):
        try:
            parse(text, Source("x.yaml", "kustomization.yaml", "resources"), yaml_1_1=yaml_1_1)
        except SourceError:
            continue


def _read(reader: Any, text: str) -> list[Any] | None:
    """The documents without the empty ones, which the two ways count differently; None for an error."""
    try:
        return [document for _, document in reader(text, "x.yaml") if document is not None]
    except SourceError:
        return None


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one):
        return math.isnan(other)
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return list(one) == list(other) and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other)


if __name__ == "__main__":
    atheris.Setup(sys.argv, try_one)
    atheris.Fuzz()
