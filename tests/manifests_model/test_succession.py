"""Streams that repeat a sequence of documents are read as each of their documents would be, wherever one deviates."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policy.errors import SourceError
from policy.manifests import forms
from policy.manifests.load import load_exactly, load_texts
from policy.manifests.scalars import MAX_SCALAR

SEQUENCE = (
    "kind: Deployment\nmetadata:\n  name: {a}\n  labels:\n    app: {a}\nspec:\n  replicas: {b}\n  containers:\n"
    "  - image: {c}\n    args:\n    - {a}\n    - {b}\n",
    "kind: Service\nmetadata:\n  name: {a}\nspec:\n  selector:\n    app: {c}\n",
    "kind: ConfigMap\nmetadata:\n  name: {a}\ndata:\n  text: |\n    {b}\n    more\n  end: {c}\n",
    "kind: Note\nmetadata:\n  name: last\nend: fixed\n",
)
VALUES = (
    "a",
    "web-1",
    "1",
    "0644",
    "yes",
    '"1"',
    "''",
    "null",
    "a b",
    "a: b",
    "x # c",
    "|",
    "[a, b]",
    "{}",
    "*",
    "é",
    "\1",
    "~",
)
BREAKS = (
    *("---", "--- ", "--- # c", "---\t", "---x", "--", "...", "%A", "# c", "", "    deeper: 1", "more: 1", "\1"),
    *("-", "- a", "\r", "end: fixedx"),
)


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing is known of other tests' documents, and what makes documents is compiled soon."""
    monkeypatch.setattr(forms, "_WORTH_COMPILING", 3)
    forms._forms.clear()
    yield
    forms._forms.clear()


def streams(seed: int) -> str:
    """A sequence that is repeated with other values, sometimes broken at a line."""
    chance = random.Random(seed)
    found = []
    for _ in range(chance.randint(3, 9)):
        for document in SEQUENCE:
            values = {key: chance.choice(VALUES[: 3 if chance.random() < 0.9 else None]) for key in "abc"}
            lines = ["---", *document.format_map(values).splitlines()]
            if chance.random() < 0.1:
                lines.insert(chance.randrange(len(lines) + 1), chance.choice(BREAKS))
            if chance.random() < 0.02:
                del lines[chance.randrange(len(lines))]
            found += lines
    return "\n".join(found) + chance.choice(("\n", "\n", "", " ", "x", "\n---", "\n---\n", "\n\n"))


def read(text: str) -> object:
    """The documents, or that there is an error."""
    try:
        documents = list(load_texts(text, "stream"))
    except SourceError:
        return "refused"
    return [repr(document.value) for document in documents if document.value is not None]


def read_exactly(text: str) -> object:
    try:
        return [repr(value) for _, value in load_exactly(text, "stream") if value is not None]
    except SourceError:
        return "refused"


@settings(max_examples=300)
@given(st.integers(0, 1 << 32))
def test_a_repeated_sequence_is_read_as_exactly(seed: int) -> None:
    text = streams(seed)
    forms._forms.clear()

    assert read(text) == read_exactly(text)


def test_a_repeated_sequence_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else all of this says nothing of what reads most documents of a stream."""
    followed = []
    follow = forms.Succession.follow

    def noted(self: forms.Succession, start: int) -> tuple[dict[str, Any], int, int] | None:
        found = follow(self, start)
        followed.append(found is not None)
        return found

    monkeypatch.setattr(forms.Succession, "follow", noted)
    documents = [SEQUENCE[0], SEQUENCE[1], SEQUENCE[3]]
    text = "".join(f"---\n{each.format(a=f'web-{number}', b='x', c='y')}" for number in range(9) for each in documents)

    assert len(list(load_texts(text, "stream"))) == len(followed) == 27
    assert followed.count(True) > 18
    known = [form for alike in forms._forms.values() for form in alike]
    assert [form._quick is not None for form in known] == [True, True, False]


def test_each_document_keeps_its_text_and_its_line() -> None:
    text = "".join(f"---\n{document.format(a=number, b='x', c='y')}" for number in range(8) for document in SEQUENCE)

    documents = list(load_texts(text, "stream"))

    assert "".join(document.text for document in documents) == text
    assert [text.split("\n")[document.line - 1] for document in documents] == ["---"] * len(documents)
    assert [document.line for document in documents] == [line for line, _ in load_exactly(text, "stream")]


@pytest.mark.parametrize("tail", ["x", " ", ": 1", "\n  deeper: 1", "\n---x: 1"])
def test_what_begins_like_the_form_and_goes_on_is_no_document_of_it(tail: str) -> None:
    repeated = "---\nkind: Note\nmetadata:\n  name: {}\nend: fixed"
    text = "\n".join(repeated.format(number) for number in range(6)) + tail

    assert read(text) == read_exactly(text)
    assert read(f"{text}\n") == read_exactly(f"{text}\n")


def test_the_sign_for_a_block_of_text_is_no_block_of_text() -> None:
    """The form of a document with a block scalar holds signs that a document must not hold itself."""
    block = "---\nkind: Note\nmetadata:\n  name: a\ntext: |\n  abc\nend: b\n"
    text = block * 5 + block.replace("|\n  abc", "\1abc\2")

    assert read(text) == read_exactly(text) == "refused"


def test_a_long_value_is_refused_in_a_form_too() -> None:
    document = "---\nkind: Note\nmetadata:\n  name: {}\n  other: b\nend: c\n"
    text = "".join(document.format(name) for name in ("a", "b", "c", "x" * (MAX_SCALAR + 1)))

    assert read(text) == "refused"
