"""The layered layout: arrows point right, circles are opened, and columns are ordered so that few arrows cross."""

from __future__ import annotations

from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.errors import PolicyError
from policy.topology.layout import Edge, Layers, layers
from policy.topology.picture import Arrow, NodeKind, Picture
from policy.topology.svg import MAX_ARROWS, svg

NODES = "abcdefgh"
edges_of_any_graph = st.lists(st.tuples(st.sampled_from(NODES), st.sampled_from(NODES)), max_size=24)


def column_of(placed: Layers) -> dict[object, int]:
    return {item: number for number, column in enumerate(placed.columns) for item in column}


@given(edges_of_any_graph)
def test_every_node_and_every_bend_is_placed_and_every_arrow_goes_one_column_at_a_time(edges: list[Edge]) -> None:
    placed = layers(NODES, edges)

    column = column_of(placed)
    assert {item for item in column if isinstance(item, str)} == set(NODES)
    assert len(column) == sum(map(len, placed.columns))
    assert set(placed.bends) == {edge for edge in edges if edge[0] != edge[1]}
    for edge, bends in placed.bends.items():
        left, right = reversed(edge) if edge in placed.turned else edge
        path = [column[item] for item in (left, *bends, right)]
        assert path == list(range(path[0], path[0] + len(path)))


@given(edges_of_any_graph)
def test_the_order_of_the_input_does_not_matter(edges: list[Edge]) -> None:
    assert layers(NODES, edges) == layers(reversed(NODES), reversed(edges))


def test_only_circles_turn_an_arrow() -> None:
    assert layers("abc", [("a", "b"), ("b", "c"), ("a", "c")]).turned == frozenset()
    assert layers("abcd", [("a", "b"), ("b", "c"), ("c", "b"), ("c", "d")]).turned == {("c", "b")}


def test_crossings_are_taken_out() -> None:
    placed = layers("abcxyz", [("a", "z"), ("b", "y"), ("c", "x")])

    first, second = placed.columns
    pairs = [(first.index(left), second.index(right)) for left, right in (("a", "z"), ("b", "y"), ("c", "x"))]
    assert all((one[0] - other[0]) * (one[1] - other[1]) > 0 for one, other in combinations(pairs, 2))


def test_a_chain_is_not_too_deep() -> None:
    names = [f"n{number:04}" for number in range(1500)]

    placed = layers(names, list(pairwise(names)))

    assert len(placed.columns) == 1500


def test_a_drawing_of_too_many_arrows_is_refused() -> None:
    arrows = tuple(Arrow(f"s{number}", "d", "all") for number in range(MAX_ARROWS + 1))

    with pytest.raises(PolicyError, match=r"2001 arrows are too many for a drawing; --format text lists them"):
        svg(Picture({arrow.source: NodeKind.WORKLOAD for arrow in arrows}, arrows))


def test_names_cannot_break_out_of_the_drawing() -> None:
    hostile = "</text><script>alert(1)</script>"

    drawing = svg(Picture({hostile: NodeKind.OUTSIDE}, ()))

    assert "<script>" not in drawing
    assert "&lt;script&gt;" in drawing
