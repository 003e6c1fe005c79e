"""Input that nobody would write: text of YAML's own tokens, and the manifests of the rules' cases, damaged."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

import yaml
from hypothesis import strategies as st

from policy.rules import RULES
from tests.rules.harness import cases_of

EXAMPLES = int(os.environ.get("HYPOTHESIS_EXAMPLES", "40"))
"""How many inputs each property is tried on. Set it for a longer search, which is another one each time."""
DERANDOMIZE = "HYPOTHESIS_EXAMPLES" not in os.environ

_TOKENS = (
    *("a", "b", "kind", "apiVersion", "metadata", "name", "spec", "v1", "Pod", "List", "items", "0", "1.5", "~", "<<"),
    *(": ", ":", "- ", "-", "? ", ", ", "{", "}", "[", "]", "|", "|-\n", ">+\n", "\n", "\n", "\n  ", "\n    ", "\n- "),
    *("&a ", "*a", "!!str ", "!!binary ", "!x ", "'", '"', "\\", "#", " # ", "---\n", "...\n", "%YAML 1.2\n", "@", "`"),
    *("\t", "\r", "\r\n", "\0", "\u0085", "\u2028", "\ufeff", "é", "😀", "=", "0x", "0o7", ".inf", "1e999", "yes"),
)
_ODD_TEXT = (
    *("", " ", "a", "0", "-1", "100%", "1Gi", "1e3", "1E", "100m", "-5Mi", "999999999999999999Ei", "9" * 400, "http"),
    *("*", "*/*", "..", "../..", "/", "a/b", "a:b", "a@sha256:b", ":", "@", "[", "{{", "{{.a}}", "$(A)", "\0", "\n"),
    *(
        "8080-9090",
        "TCP",
        "Always",
        "default",
        "x" * 300,
        "é",
        "😀",
        "http://a:b@c:99999/%zz",
        "[::1]:80",
        "1.2.3.4/33",
    ),
    *("2026-01-01", "0x1F", "null", "apps/v1", "v1", "a" * 64 + ".svc.cluster.local", "~", "=", "<<"),
)
_scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.sampled_from([0, 1, -1, 65536, 2**31, 2**63, 10**400, 1.5, 1e308, float("inf"), float("-inf"), float("nan")]),
    st.sampled_from(_ODD_TEXT),
    st.text(max_size=5),
)
_values = st.recursive(
    _scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["name", "key", "value", "matchLabels", "0", ""]), inner, max_size=3),
    ),
    max_leaves=4,
)


def yaml_texts() -> st.SearchStrategy[str]:
    """Text that is now and then YAML."""
    return st.lists(st.sampled_from(_TOKENS), max_size=40).map("".join)


@cache
def _manifests() -> tuple[str, ...]:
    """The manifests of every case of every rule."""
    return tuple(case.manifests for rule in RULES for case in cases_of(rule) if case.manifests)


@cache
def _folders() -> tuple[tuple[tuple[str, str], ...], ...]:
    """The files of every case that has a folder."""
    return tuple(tuple(case.files.items()) for rule in RULES for case in cases_of(rule) if case.files)


@st.composite
def manifests(draw: st.DrawFn) -> str:
    """The manifests of a case with a few fields exchanged, removed, renamed or made another's."""
    text = draw(st.sampled_from(_manifests()))
    if draw(st.booleans()):
        text += "\n---\n" + draw(st.sampled_from(_manifests()))
    return _damaged(draw, text)


@st.composite
def folders(draw: st.DrawFn) -> dict[str, str]:
    """The files of a case, one or two of them damaged."""
    files = dict(draw(st.sampled_from(_folders())))
    for name in draw(st.lists(st.sampled_from(sorted(files)), min_size=1, max_size=2, unique=True)):
        files[name] = _cut(draw, files[name]) if draw(st.integers(0, 3)) == 0 else _damaged(draw, files[name])
    return files


def _damaged(draw: st.DrawFn, text: str) -> str:
    try:
        documents = list(yaml.safe_load_all(text))
    except (yaml.YAMLError, ValueError):
        return _cut(draw, text)
    for _ in range(draw(st.integers(1, 3))):
        if any(isinstance(document, (dict, list)) and document for document in documents):
            _damage(draw, documents)
    return yaml.safe_dump_all(documents, sort_keys=False, allow_unicode=draw(st.booleans()))


def _damage(draw: st.DrawFn, documents: list[Any]) -> None:
    """Changes one place, found by going down at random."""
    holder: Any = documents
    while True:
        step = draw(st.sampled_from(list(holder) if isinstance(holder, dict) else range(len(holder))))
        inner = holder[step]
        if not isinstance(inner, (dict, list)) or not inner or draw(st.integers(0, 5)) == 0:
            break
        holder = inner
    how = draw(st.sampled_from(("exchange", "exchange", "exchange", "remove", "wrap", "double", "rename")))
    if how == "exchange":
        holder[step] = draw(_values)
    elif how == "remove":
        del holder[step]
    elif how == "wrap":
        holder[step] = draw(st.sampled_from(([inner], {"a": inner}, {"kind": "List", "items": [inner]})))
    elif isinstance(holder, list):
        holder.append(inner)
    elif how == "double":
        holder[draw(st.sampled_from(("name", "spec", "metadata", "kind", "data")))] = inner
    else:
        holder[draw(st.sampled_from(_ODD_TEXT))] = holder.pop(step)


def _cut(draw: st.DrawFn, text: str) -> str:
    """The text with some tokens put in or a piece taken out."""
    at = draw(st.integers(0, len(text)))
    return text[:at] + draw(yaml_texts()) + text[at + draw(st.integers(0, 20)) :]
