"""A place found by indentation is the one that the marks give, or there is none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from policy.findings import FieldPath
from policy.kustomize.origin import Origins
from policy.kustomize.quick import QuickPlaces
from policy.manifests import blocks

REPOSITORY = Path(__file__).parent.parent.parent
KEYS = st.sampled_from(["name", "spec", "a", "b.c/d", "port", "labels", "metadata", "items"])
LEAVES: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, 1, "text", "8080", "a b", "", "it's", "x: y", "# no", {}, []]
)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=12
)


class Indented(yaml.SafeDumper):
    """Writes lists indented below their key, as many people do."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, indentless and flow)


def paths(value: Any, path: FieldPath = ()) -> Iterator[FieldPath]:
    """Every path that is there, and some that are not."""
    yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from paths(inner, (*path, key))
        yield (*path, "absent")
        yield (*path, "absent", "deep", 0)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from paths(inner, (*path, index))
        yield (*path, len(value))


def compare(text: str) -> int:
    """How many paths were found by indentation; each must be where the marks say."""
    try:
        value = blocks.read(text)
    except blocks.Unfamiliar:
        return 0
    origins = Origins.from_text(text, file="f.yaml", first_line=3)
    quick = QuickPlaces(text, "f.yaml", 3)
    found = 0
    for path in paths(value):
        place = quick.place(path)
        if place is not None:
            found += 1
            assert place == origins.place(value, path).place, path
    return found


@given(st.dictionaries(KEYS, VALUES, max_size=4), st.booleans(), st.lists(st.integers(0, 20), max_size=3))
def test_it_agrees_with_the_marks(fields: dict[str, Any], is_indented: bool, comments: list[int]) -> None:
    document = {"apiVersion": "v1", "kind": "Thing", **fields, "metadata": {"name": "it", "labels": fields}}
    text = yaml.dump(document, Dumper=Indented if is_indented else yaml.SafeDumper, sort_keys=False)
    lines = text.splitlines(keepends=True)
    for at in comments:
        lines.insert(at, "  # said about the line below\n")

    compare("".join(lines))


@pytest.mark.parametrize(
    "file", sorted((REPOSITORY / "base").glob("*/*.yaml")), ids=lambda file: "/".join(file.parts[-2:])
)
def test_it_finds_most_fields_of_real_manifests(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    if "kind: Kustomization" not in text and "kind: Component" not in text:
        found = compare(text)
        try:
            total = len(list(paths(blocks.read(text))))
        except blocks.Unfamiliar:
            return
        assert found > total * 0.8
