"""The fast reading and the exact one agree, and neither follows a bomb."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from policy.errors import SourceError
from policy.manifests import blocks
from policy.manifests.load import load_documents, load_exactly

LINE = st.one_of(
    st.sampled_from(
        [
            "a: 1",
            "- a",
            "- b: 2",
            "k:",
            "x: y",
            "-",
            "- ",
            "- - a",
            "a: - b",
            "'q': 1",
            "a: 'b'",
            'a: "b c"',
            "a: {}",
            "a: [x, y]",
            "a: b # c",
            "# c",
            "",
            "  ",
            "a: |",
            "a: |-",
            "\ttext",
            "text",
            "a: &x 1",
            "b: *x",
            "a: !!str 1",
            "yes: no",
            "1: 2",
            "a:b",
            "a: b: c",
            "a: b:",
            "a: ?",
            "? a",
            "a: 0644",
            "a: 1_0",
            "a: 1e3",
            "a: ~",
            "a: -",
            "a: -1",
            "a: --",
            "a: ' '",
            "a: [1, ]",
            "a: \tb",
            "é: 1",
            "---",
            "<<: {a: 1}",
            "a: =",
            "a: a,b",
            "a: (x)*",
            "a: b  c",
            "-a: 1",
            "--- # c",
            "...",
            "%YAML 1.1",
            "a: @b",
            "a: `b`",
            "a: b\\",
        ]
    ),
    st.text(st.sampled_from("ab:- #'\"[]{},|>&*!%@`\\\n\t0.1_x"), max_size=12),
)
TEXT = st.lists(st.tuples(st.integers(0, 6), LINE), max_size=9).map(
    lambda lines: "".join(" " * indent + line + "\n" for indent, line in lines)
)


def read(loader: Any, text: str) -> Any:
    try:
        return [value for _, value in loader(text, "stream") if value is not None]
    except SourceError:
        return "refused"


@given(TEXT)
def test_the_fast_reading_agrees_with_the_exact_one(text: str) -> None:
    assert repr(read(load_documents, text)) == repr(read(load_exactly, text))


_CHARACTERS = "".join(map(chr, range(32, 127))) + "\n\té\u2028\u00a0"
SCALAR = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(_CHARACTERS, max_size=20)
)
VALUE = st.recursive(
    SCALAR,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(_CHARACTERS, max_size=8), inner, max_size=4),
    max_leaves=20,
)


@given(st.lists(st.dictionaries(st.text("abc/.-_:0", min_size=1, max_size=8), VALUE, max_size=5), max_size=3))
def test_the_fast_reading_agrees_on_what_a_yaml_library_writes(documents: list[dict[str, Any]]) -> None:
    text = yaml.safe_dump_all(documents)

    assert repr(read(load_documents, text)) == repr(read(load_exactly, text))


def test_the_fast_reading_reads_what_kustomize_writes() -> None:
    text = (
        "apiVersion: v1\nkind: Service\nmetadata:\n  labels:\n    app.kubernetes.io/name: web\n  name: web\nspec:\n"
        '  ports:\n  - name: http\n    port: 80\n    targetPort: "8080"\n  selector: {}\n'
    )

    assert blocks.read(text) == {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"labels": {"app.kubernetes.io/name": "web"}, "name": "web"},
        "spec": {"ports": [{"name": "http", "port": 80, "targetPort": "8080"}], "selector": {}},
    }


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: 1\n---\na: [\n", 4),
        ("a: 1\n---\na: *gone\n", 3),
        (
            "a: &a [x, x]\nb: &b [*a, *a]\n"
            + "".join(f"{chr(99 + i)}: &{chr(99 + i)} [{', '.join([f'*{chr(98 + i)}'] * 20)}]\n" for i in range(8)),
            6,
        ),
        ("---\n" + "[" * 200 + "]" * 200, 2),
        ("a: 1\n---\n{? [x] : 1}\n", 3),
    ],
)
def test_what_cannot_be_read_is_told_with_its_line(text: str, line: int) -> None:
    with pytest.raises(SourceError) as error:
        list(load_documents(text, "stream"))

    assert error.value.line == line


def test_every_document_is_told_with_the_line_it_starts_in() -> None:
    text = "a: 1\n--- # second\nb: |\n  text\n---\nc: 1\n"

    assert list(load_documents(text, "stream")) == [(1, {"a": 1}), (2, {"b": "text\n"}), (5, {"c": 1})]


@pytest.mark.parametrize("text", ["", "\n", "\r", "# c\r"])
def test_a_text_without_a_document_is_none(text: str) -> None:
    assert read(load_documents, text) == read(load_exactly, text) == []


def test_a_block_scalar_that_begins_with_a_tab_is_read_exactly() -> None:
    for text in ("a: |-\n  \tb\n", "a: |\n  \tb\n  c\n", "a: |\n  b\n  \tc\n"):
        assert read(load_documents, text) == read(load_exactly, text)


@pytest.mark.parametrize("rest", [" b: c", " c", " ? c", "   - c"])
def test_what_is_indented_like_nothing_is_no_part_of_the_text_before_it(rest: str) -> None:
    """A block scalar that is an item ends there, and the document is broken."""
    text = f"a:\n  b:\n    - |\n      text\n{rest}\n    - other\n"
    with pytest.raises(SourceError):
        list(load_documents(text, "broken.yaml"))
