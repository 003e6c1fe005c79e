"""Who reaches whom as a picture: nodes and arrows, and the fewest arrows that say the same."""

from __future__ import annotations

import enum
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

EVERY = "*"
"""The node that stands for every workload, as in topology.yaml."""


class NodeKind(enum.Enum):
    """What a node of the picture is."""

    WORKLOAD = "workload"
    OUTSIDE = "outside"
    EVERY = "every workload"


@dataclass(frozen=True, slots=True, order=True)
class Arrow:
    """The source reaches the destination on these ports; ``ports`` is e.g. ``TCP 80, UDP 53``.

    Not ``is_certain`` is what depends on labels that no manifest states, or on the network plugin.
    """

    source: str
    destination: str
    ports: str
    is_certain: bool = True

    @property
    def label(self) -> str:
        """The ports, and whether that is certain."""
        return self.ports if self.is_certain else f"{self.ports} (perhaps)"

    def __str__(self) -> str:
        return f"{self.source} -> {self.destination} : {self.label}"


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
    both = _turned(_to_every(_turned(_to_every(arrows, workloads)), workloads))
    shown = dict(nodes)
    if any(EVERY in (arrow.source, arrow.destination) for arrow in both):
        shown[EVERY] = NodeKind.EVERY
    return Picture(shown, tuple(sorted(both)))


def _turned(arrows: Iterable[Arrow]) -> list[Arrow]:
    return [replace(arrow, source=arrow.destination, destination=arrow.source) for arrow in arrows]


def _to_every(arrows: Iterable[Arrow], workloads: frozenset[str]) -> Iterator[Arrow]:
    destinations: dict[Arrow, set[str]] = defaultdict(set)
    for arrow in arrows:
        destinations[replace(arrow, destination=EVERY)].add(arrow.destination)
    for arrow, found in destinations.items():
        others = workloads - {arrow.source}
        is_every = EVERY in found or (len(others) > 1 and others <= found)
        yield from (replace(arrow, destination=name) for name in (found - workloads - {EVERY} if is_every else found))
        if is_every:
            yield arrow
