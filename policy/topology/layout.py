"""A layered layout, left to right: each node in a column right of those that reach it, with few crossings.

The steps are those of K. Sugiyama, S. Tagawa and M. Toda, "Methods for Visual Understanding of Hierarchical System
Structures" (1981): turn arrows that close a circle, assign layers by the longest path, split long arrows by bends,
order each layer by the middle of its neighbours.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

_SWEEPS = 12

Edge = tuple[str, str]
Item = str | tuple[str, str, int]
"""A node, or the bend of an edge in a layer."""


@dataclass(frozen=True, slots=True)
class Layers:
    """The columns from left to right, each from top to bottom.

    ``turned`` are the edges that point left. ``bends`` are the items that an edge passes between its ends, from its
    left end to its right one.
    """

    columns: tuple[tuple[Item, ...], ...]
    turned: frozenset[Edge]
    bends: Mapping[Edge, tuple[Item, ...]]


def layers(nodes: Iterable[str], edges: Iterable[Edge]) -> Layers:
    """The same for the same input in any order; a node without edges stands in the first column."""
    names = sorted(set(nodes))
    wanted = sorted({edge for edge in edges if edge[0] != edge[1]})
    turned = _turned(names, wanted)
    directed = sorted({(b, a) if (a, b) in turned else (a, b) for a, b in wanted})
    layer = _layer_of(names, directed)
    bends: dict[Edge, tuple[Item, ...]] = {}
    links: list[tuple[Item, Item]] = []
    columns: list[list[Item]] = [[] for _ in range(max(layer.values(), default=-1) + 1)]
    for name in names:
        columns[layer[name]].append(name)
    for left, right in directed:
        passed: list[Item] = [(left, right, number) for number in range(layer[left] + 1, layer[right])]
        for number, item in enumerate(passed, layer[left] + 1):
            columns[number].append(item)
        path: list[Item] = [left, *passed, right]
        links.extend(pairwise(path))
        bends[left, right] = tuple(passed)
    ordered = _ordered(columns, links)
    by_edge = {edge: bends[(edge[1], edge[0]) if edge in turned else edge] for edge in wanted}
    return Layers(tuple(map(tuple, ordered)), turned, by_edge)


def _turned(names: Sequence[str], edges: Sequence[Edge]) -> frozenset[Edge]:
    """Edges that, turned around, leave no circle: those that lead back to where a walk came from.

    Walks begin where nobody comes from. Without recursion: a chain may be longer than the stack is deep.
    """
    following: dict[str, list[str]] = defaultdict(list)
    reached_by: dict[str, int] = defaultdict(int)
    for source, destination in edges:
        following[source].append(destination)
        reached_by[destination] += 1
    back: set[Edge] = set()
    done: set[str] = set()
    for start in sorted(names, key=lambda name: (reached_by[name] > 0, reached_by[name] - len(following[name]), name)):
        if start in done:
            continue
        on_way = {start}
        stack = [(start, iter(following[start]))]
        while stack:
            name, rest = stack[-1]
            for other in rest:
                if other in on_way:
                    back.add((name, other))
                elif other not in done:
                    on_way.add(other)
                    stack.append((other, iter(following[other])))
                    break
            else:
                stack.pop()
                on_way.discard(name)
                done.add(name)
    return frozenset(back)


def _layer_of(names: Sequence[str], edges: Sequence[Edge]) -> dict[str, int]:
    """The length of the longest path that ends in each node; edges have no circle."""
    following: dict[str, list[str]] = defaultdict(list)
    waiting: dict[str, int] = defaultdict(int)
    for source, destination in edges:
        following[source].append(destination)
        waiting[destination] += 1
    layer = dict.fromkeys(names, 0)
    ready = [name for name in names if not waiting[name]]
    while ready:
        name = ready.pop()
        for other in following[name]:
            layer[other] = max(layer[other], layer[name] + 1)
            waiting[other] -= 1
            if not waiting[other]:
                ready.append(other)
    return layer


def _ordered(columns: list[list[Item]], links: Sequence[tuple[Item, Item]]) -> list[list[Item]]:
    """The order with the fewest crossings of those that sweeping to and fro finds."""
    left: dict[Item, list[Item]] = defaultdict(list)
    right: dict[Item, list[Item]] = defaultdict(list)
    for one, other in links:
        right[one].append(other)
        left[other].append(one)
    best, fewest = [list(column) for column in columns], _crossings(columns, right)
    for sweep in range(_SWEEPS):
        forward = sweep % 2 == 0
        for number in range(len(columns)) if forward else reversed(range(len(columns))):
            beside = columns[number - 1 if forward else number + 1] if 0 < number + (not forward) < len(columns) else []
            columns[number] = _by_middle(columns[number], beside, left if forward else right)
        crossings = _crossings(columns, right)
        if crossings < fewest:
            best, fewest = [list(column) for column in columns], crossings
    return best


def _by_middle(column: list[Item], beside: Sequence[Item], neighbours: Mapping[Item, list[Item]]) -> list[Item]:
    position = {item: number for number, item in enumerate(beside)}

    def middle(numbered: tuple[int, Item]) -> float:
        number, item = numbered
        found = [position[other] for other in neighbours.get(item, ()) if other in position]
        return sum(found) / len(found) if found else float(number)

    return [item for _, item in sorted(enumerate(column), key=middle)]


def _crossings(columns: Sequence[Sequence[Item]], right: Mapping[Item, list[Item]]) -> int:
    """How many pairs of links cross: the inversions of their right ends, in the order of their left ends."""
    count = 0
    for column, beside in pairwise(columns):
        position = {item: number for number, item in enumerate(beside)}
        seen = [0] * (len(beside) + 1)  # a Fenwick tree of the right ends so far
        total = 0
        for item in column:
            ends = sorted(position[other] for other in right.get(item, ()) if other in position)
            for end in ends:
                index, before = end + 1, 0
                while index:
                    before += seen[index]
                    index &= index - 1
                count += total - before
            for end in ends:
                total += 1
                index = end + 1
                while index <= len(beside):
                    seen[index] += 1
                    index += index & -index
    return count
