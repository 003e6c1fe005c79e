"""Who reaches whom as a picture: nodes and arrows, and the fewest arrows that say the same."""

from __future__ import annotations

import enum
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

EVERY = "*"
"""The node that stands for every workload, as in topology.yaml."""


class NodeKind(enum.Enum):
    """What a node of the picture is."""

    WORKLOAD = "workload"
    OUTSIDE = "outside"
    EVERY = "every workload"


@dataclass(frozen=True, slots=True, order=True)
class Arrow:
    """The source reaches the destination on these ports; ``ports`` is e.g. ``TCP 80, UDP 53``."""

    source: str
    destination: str
    ports: str

    def __str__(self) -> str:
        return f"{self.source} -> {self.destination} : {self.ports}"


@dataclass(frozen=True, slots=True)
class Picture:
    """Every node by name, and the arrows, sorted."""

    nodes: Mapping[str, NodeKind]
    arrows: tuple[Arrow, ...]


def picture(nodes: Mapping[str, NodeKind], arrows: Iterable[Arrow]) -> Picture:
    """The picture with ``EVERY`` in the place of arrows that all workloads have in common.

    An arrow from or to ``EVERY`` says nothing of a pod's connection to itself, which no policy can forbid.
    """
    workloads = frozenset(name for name, kind in nodes.items() if kind is NodeKind.WORKLOAD)
    merged = _to_every(arrows, workloads)
    turned = (Arrow(arrow.destination, arrow.source, arrow.ports) for arrow in merged)
    both = [Arrow(arrow.destination, arrow.source, arrow.ports) for arrow in _to_every(turned, workloads)]
    shown = dict(nodes)
    if any(EVERY in (arrow.source, arrow.destination) for arrow in both):
        shown[EVERY] = NodeKind.EVERY
    return Picture(shown, tuple(sorted(both)))


def _to_every(arrows: Iterable[Arrow], workloads: frozenset[str]) -> Iterable[Arrow]:
    destinations: dict[tuple[str, str], set[str]] = defaultdict(set)
    for arrow in arrows:
        destinations[arrow.source, arrow.ports].add(arrow.destination)
    for (source, ports), found in destinations.items():
        others = workloads - {source}
        is_every = len(others) > 1 and others <= found
        yield from (Arrow(source, name, ports) for name in (found - workloads if is_every else found))
        if is_every:
            yield Arrow(source, EVERY, ports)
