"""A picture as text, as data for JSON, and as the source of drawings: Mermaid, DOT, SVG."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from policy.reports.plain import one_line
from policy.topology.picture import EVERY, Arrow, NodeKind, Picture


def text(picture: Picture) -> str:
    """One sentence a line, as flows are written in topology.yaml."""
    return "".join(one_line(str(arrow)) + "\n" for arrow in picture.arrows)


def document(picture: Picture) -> dict[str, Any]:
    """For JSON: ``nodes`` with name and kind, and the ``connections``."""
    nodes = [{"name": name, "kind": kind.value} for name, kind in sorted(picture.nodes.items())]
    return {"nodes": nodes, "connections": connections(picture.arrows)}


def connections(arrows: Sequence[Arrow]) -> list[dict[str, Any]]:
    """For JSON: source, destination, ports, and whether it is certain."""
    return [
        {
            "source": arrow.source,
            "destination": arrow.destination,
            "ports": arrow.ports.split(", "),
            "certain": arrow.is_certain,
        }
        for arrow in arrows
    ]


def mermaid(picture: Picture) -> str:
    """A Mermaid flowchart; round is what is not in Git."""
    lines = ["flowchart LR"]
    ids = _ids(picture)
    lines.extend(
        f"  {ids[arrow.source]} -- {_mermaid_text(arrow.label)} --> {ids[arrow.destination]}"
        for arrow in picture.arrows
    )
    lines.extend(_mermaid_nodes(picture, ids))
    return "\n".join(lines) + "\n"


def _mermaid_nodes(picture: Picture, ids: Mapping[str, str]) -> Iterator[str]:
    """The nodes whose name or form the arrows do not state."""
    for name, kind in sorted(picture.nodes.items()):
        label = _mermaid_text("every workload" if name == EVERY else name)
        if kind is not NodeKind.WORKLOAD:
            yield f"  {ids[name]}([{label}])"
        elif ids[name] != name or not any(name in (arrow.source, arrow.destination) for arrow in picture.arrows):
            yield f"  {ids[name]}[{label}]"


def _mermaid_text(label: str) -> str:
    if re.fullmatch(r"[\w .,-]+", label):
        return label
    return '"' + one_line(label).replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;") + '"'


def _ids(picture: Picture) -> dict[str, str]:
    """The name itself where Mermaid takes it as an identifier; ``end`` is a word of its own there."""
    return {
        name: name if re.fullmatch(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*", name) and name != "end" else f"node-{number}"
        for number, name in enumerate(sorted(picture.nodes), 1)
    }


def dot(picture: Picture) -> str:
    """A Graphviz digraph."""
    lines = ["digraph topology {", "  rankdir=LR;", "  node [shape=box];"]
    for name, kind in sorted(picture.nodes.items()):
        label = "every workload" if name == EVERY else name
        form = (
            ""
            if kind is NodeKind.WORKLOAD
            else " [shape=oval]"
            if label == name
            else f" [shape=oval, label={_dot(label)}]"
        )
        lines.append(f"  {_dot(name)}{form};")
    lines.extend(
        f"  {_dot(arrow.source)} -> {_dot(arrow.destination)} [label={_dot(arrow.label)}];" for arrow in picture.arrows
    )
    return "\n".join([*lines, "}"]) + "\n"


def _dot(label: str) -> str:
    return '"' + one_line(label).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _svg(picture: Picture) -> str:
    from policy.topology.svg import svg

    return svg(picture)


DRAWINGS: Mapping[str, Callable[[Picture], str]] = {"mermaid": mermaid, "dot": dot, "svg": _svg}
