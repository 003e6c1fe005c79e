"""A picture as SVG: boxes in columns, a row in each box for every set of ports that it is reached on.

An arrow ends at the row of its ports, so that no label stands in the way of another. Left to right is who calls whom;
an arrow that has to point back enters its box from the right.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from itertools import pairwise
from typing import NamedTuple

from policy.errors import PolicyError
from policy.reports.plain import one_line
from policy.topology.layout import Edge, Item, Layers, layers
from policy.topology.picture import EVERY, Arrow, NodeKind, Picture

MAX_ARROWS = 2000
"""More are no picture any more."""

_TITLE, _ROW = 26, 18
_PADDING, _BETWEEN_ROWS, _BEND = 12, 26, 12
_MARGIN, _HEAD = 20, 8
_SMALLEST_GAP, _GAP_PER_ARROW, _LARGEST_GAP = 64, 5, 150
_CHARACTER, _SMALL_CHARACTER = 7.6, 6.8
_STYLE = (
    "text{font:13px ui-sans-serif,Helvetica,Arial,sans-serif;fill:#1f2328}"
    ".port{font:11px ui-monospace,Menlo,Consolas,monospace;fill:#57606a}"
    "rect{fill:#f6f8fa;stroke:#57606a}.outside rect{fill:#fff8c5;stroke:#9a6700}"
    ".every rect{fill:#ddf4ff;stroke:#0969da}line{stroke:#d0d7de}"
    ".arrow{fill:none;stroke:#57606a;stroke-width:1.4}.head{fill:#57606a}"
    ".back{stroke:#bc4c00;stroke-dasharray:5 3}.backhead{fill:#bc4c00}"
)


class _Box(NamedTuple):
    x: float
    y: float
    width: float
    height: float

    @property
    def exit_y(self) -> float:
        return self.y + _TITLE / 2


def svg(picture: Picture) -> str:
    """The drawing as one SVG document.

    Raises:
        PolicyError: there are more than ``MAX_ARROWS`` arrows.
    """
    if len(picture.arrows) > MAX_ARROWS:
        raise PolicyError(f"{len(picture.arrows)} arrows are too many for a drawing; --format text lists them")
    rows = _rows(picture.arrows)
    placed = layers(picture.nodes, [(arrow.source, arrow.destination) for arrow in picture.arrows])
    boxes = _boxes(placed, rows)
    width = max((box.x + box.width for box in boxes.values()), default=0) + _MARGIN
    height = max((box.y + box.height for box in boxes.values()), default=0) + _MARGIN
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
            f'width="{width:.0f}" height="{height:.0f}" role="img" aria-label="Who reaches whom">',
            f"<style>{_STYLE}</style>",
            f'<rect width="{width:.0f}" height="{height:.0f}" style="fill:#fff;stroke:none"/>',
            *(
                _drawn_arrow(arrow, placed, boxes, rows)
                for arrow in picture.arrows
                if arrow.source != arrow.destination
            ),
            *(_drawn_node(name, kind, boxes[name], rows.get(name, ())) for name, kind in sorted(picture.nodes.items())),
            "</svg>\n",
        ]
    )


def _rows(arrows: Sequence[Arrow]) -> Mapping[str, tuple[str, ...]]:
    """For each node the sets of ports that it is reached on, as they stand in its box."""
    found: dict[str, set[str]] = defaultdict(set)
    for arrow in arrows:
        found[arrow.destination].add(arrow.label)
    return {name: tuple(sorted(ports)) for name, ports in found.items()}


def _boxes(placed: Layers, rows: Mapping[str, Sequence[str]]) -> dict[Item, _Box]:
    """Where everything stands; a bend is a box of no width. Columns are centred on the tallest one."""
    heights = [sum(_height(item, rows) + _BETWEEN_ROWS for item in column) for column in placed.columns]
    tallest = max(heights, default=0.0)
    boxes: dict[Item, _Box] = {}
    x = float(_MARGIN)
    for number, column in enumerate(placed.columns):
        width = max(_width(item, rows) for item in column)
        y = _MARGIN + (tallest - heights[number]) / 2
        for item in column:
            height = _height(item, rows)
            boxes[item] = _Box(x, y, width, height)
            y += height + _BETWEEN_ROWS
        crossing = sum(1 for edge in placed.bends if _passes(edge, number, placed))
        x += width + min(_LARGEST_GAP, max(_SMALLEST_GAP, _GAP_PER_ARROW * crossing))
    return boxes


def _passes(edge: Edge, number: int, placed: Layers) -> bool:
    """Whether an edge crosses the gap to the right of a column."""
    left = edge[1] if edge in placed.turned else edge[0]
    path = [left, *placed.bends[edge]]
    return any(item in placed.columns[number] for item in path)


def _height(item: Item, rows: Mapping[str, Sequence[str]]) -> float:
    return _TITLE + _ROW * len(rows.get(item, ())) if isinstance(item, str) else _BEND


def _width(item: Item, rows: Mapping[str, Sequence[str]]) -> float:
    if not isinstance(item, str):
        return 0.0
    small = max((len(ports) * _SMALL_CHARACTER for ports in rows.get(item, ())), default=0.0)
    return max(len(_label(item)) * _CHARACTER, small) + 2 * _PADDING


def _label(name: str) -> str:
    return "every workload" if name == EVERY else one_line(name)


def _drawn_node(name: str, kind: NodeKind, box: _Box, rows: Sequence[str]) -> str:
    parts = [f'<g class="{kind.value.split()[0]}">']
    radius = 4 if kind is NodeKind.WORKLOAD else _TITLE / 2
    parts.append(
        f'<rect x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" height="{box.height:.1f}" rx="{radius:g}"/>'
    )
    middle = box.x + box.width / 2
    parts.append(f'<text x="{middle:.1f}" y="{box.y + 17:.1f}" text-anchor="middle">{escape(_label(name))}</text>')
    for number, ports in enumerate(rows):
        top = box.y + _TITLE + number * _ROW
        parts.append(f'<line x1="{box.x:.1f}" y1="{top:.1f}" x2="{box.x + box.width:.1f}" y2="{top:.1f}"/>')
        shown = escape(one_line(ports))
        parts.append(f'<text class="port" x="{middle:.1f}" y="{top + 13:.1f}" text-anchor="middle">{shown}</text>')
    return "".join([*parts, "</g>"])


def _drawn_arrow(arrow: Arrow, placed: Layers, boxes: Mapping[Item, _Box], rows: Mapping[str, Sequence[str]]) -> str:
    source, destination = boxes[arrow.source], boxes[arrow.destination]
    edge = (arrow.source, arrow.destination)
    is_back = edge in placed.turned
    end_y = destination.y + _TITLE + _ROW * (rows[arrow.destination].index(arrow.label) + 0.5)
    side = -1 if is_back else 1
    start = (source.x if is_back else source.x + source.width, source.exit_y)
    end_x = destination.x + destination.width if is_back else destination.x
    bends = placed.bends[edge][:: -1 if is_back else 1]
    points = [start]
    for bend in bends:
        box = boxes[bend]
        near, far = (box.x + box.width, box.x) if is_back else (box.x, box.x + box.width)
        points.extend([(near, box.y + _BEND / 2), (far, box.y + _BEND / 2)])
    points.append((end_x - side * _HEAD, end_y))
    head = (
        f"{end_x:.1f},{end_y:.1f} {end_x - side * _HEAD:.1f},{end_y - 4:.1f} {end_x - side * _HEAD:.1f},{end_y + 4:.1f}"
    )
    title = f"<title>{escape(one_line(str(arrow)))}</title>"
    back, back_head = (" back", "backhead") if is_back else ("", "head")
    path = "".join(_curves(points))
    return f'<path class="arrow{back}" d="{path}">{title}</path><polygon class="{back_head}" points="{head}"/>'


def _curves(points: Sequence[tuple[float, float]]) -> Iterator[str]:
    """Flat where it leaves and where it arrives; straight where it passes a column."""
    yield f"M{points[0][0]:.1f},{points[0][1]:.1f}"
    for (x1, y1), (x2, y2) in pairwise(points):
        if y1 == y2:
            yield f" L{x2:.1f},{y2:.1f}"
        else:
            middle = (x1 + x2) / 2
            yield f" C{middle:.1f},{y1:.1f} {middle:.1f},{y2:.1f} {x2:.1f},{y2:.1f}"
