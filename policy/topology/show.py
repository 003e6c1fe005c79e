"""``policy topology``: what the policies of overlays really let through."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

from policy.connectivity.endpoints import Endpoint, EndpointKind
from policy.connectivity.isolation import Isolation
from policy.connectivity.matrix import Connectivity, Row
from policy.connectivity.ports import described
from policy.errors import PolicyError
from policy.findings import ObjectRef, Place
from policy.manifests.resources import NetworkPolicy
from policy.reports.plain import json_text, one_line
from policy.topology.formats import DRAWINGS, document, text
from policy.topology.names import names, of_addresses
from policy.topology.picture import EVERY, Arrow, NodeKind, Picture, picture
from policy.topology.reading import Side

Shown = TypeVar("Shown")


def show(sides: Sequence[Side], form: str) -> str:
    """The connections of each overlay in a format; overlays that are alike are shown once.

    Raises:
        PolicyError: a drawing is asked for, and overlays differ.
    """
    if form == "np-guard":
        from policy.topology.np_guard import listing

        return "".join(_headed([side.overlay.name], listing(side.overlay.index), many=len(sides) > 1) for side in sides)
    if form == "json":
        told = [({**document(picture_of(connectivity_of(side))), "leftOut": _documents(side)}, side) for side in sides]
        return json_text({"overlays": [{"names": found, **shown} for found, shown in _grouped(told)]})
    groups = _grouped((picture_of(connectivity_of(side)), side) for side in sides)
    if form == "text":
        return "\n".join(_headed(found, text(shown), many=len(sides) > 1) for found, shown in groups)
    if len(groups) > 1:
        listed = " and ".join(", ".join(found) for found, _ in groups)
        raise PolicyError(f"a drawing is of one overlay, and these differ: {listed}; name one")
    return DRAWINGS[form](groups[0][1])


def _grouped(shown: Iterable[tuple[Shown, Side]]) -> list[tuple[list[str], Shown]]:
    """What is shown of overlays, those of which the same is shown together."""
    groups: list[tuple[list[str], Shown]] = []
    for what, side in shown:
        same = next((names for names, other in groups if other == what), None)
        if same is None:
            groups.append(([side.overlay.name], what))
        else:
            same.append(side.overlay.name)
    return groups


def _documents(side: Side) -> list[dict[str, Any]]:
    """For JSON: what is not in the answer, with its place."""
    return [
        {
            "policy": str(each.policy),
            "namespaces": list(each.namespaces),
            "file": each.place.file,
            "line": each.place.line,
            "why": each.why,
        }
        for each in left_out(side)
    ]


def _headed(found: Sequence[str], text: str, *, many: bool) -> str:
    return f"# {', '.join(found)}\n{text}" if many else text


def connectivity_of(side: Side) -> Connectivity:
    """What the policies of an overlay allow, also to and from what its contract declares outside."""
    return Connectivity(side.overlay.index, side.topology.outside.values(), side.topology.cluster)


class LeftOut(NamedTuple):
    """What is not in an answer: a policy of which ``why`` says what is not known; it acts on ``namespaces``."""

    place: Place
    policy: ObjectRef
    namespaces: tuple[str, ...]
    why: str

    def __str__(self) -> str:
        return one_line(f"{self.place}: {self.why}")


def left_out(side: Side) -> Iterator[LeftOut]:
    """Policies of kinds that are not understood, and parts of policies that no API server takes."""
    for foreign in Isolation(side.overlay.index).foreign:
        ref = foreign.resource.ref
        place, _ = side.overlay.place(foreign.resource.field())
        yield LeftOut(place, ref, foreign.namespaces, f"{ref} is not understood, and not taken into account")
    for problem in connectivity_of(side).problems:
        place, _ = side.overlay.place(problem.at)
        ref = problem.at.object
        yield LeftOut(place, ref, (ref.namespace,), f"{problem.message}; it is taken to admit nobody")


def notes(sides: Iterable[Side]) -> Iterable[str]:
    """What is not in the answer, and what is in it twice, each once."""
    return dict.fromkeys(note for side in sides for note in (*map(str, left_out(side)), *_repeated(side)))


def _repeated(side: Side) -> Iterator[str]:
    """Workloads and policies that are there again, of which a cluster would have only one."""
    index = side.overlay.index
    acting = {item.ref for item in index.workloads} | {policy.ref for policy in index.all(NetworkPolicy)}
    for again, first in index.repeated:
        if again.ref in acting:
            there, before = (side.overlay.place(each.field())[0] for each in (again, first))
            yield one_line(f"{there}: {again.ref} is there twice, first in {before}: both are taken into account")


def picture_of(connectivity: Connectivity, called: Callable[[Endpoint], str] | None = None) -> Picture:
    """Every workload, and what else it is connected with; ``called`` names pods, else their shortest names."""
    pods = connectivity.endpoints
    called = called or names(pods)
    nodes = {called(item): NodeKind.WORKLOAD for item in pods if item.is_in_git}
    arrows = list(_arrows(connectivity, called))
    for arrow in arrows:
        for name in (arrow.source, arrow.destination):
            nodes.setdefault(name, NodeKind.EVERY if name == EVERY else NodeKind.OUTSIDE)
    return picture(nodes, arrows)


def _arrows(connectivity: Connectivity, called: Callable[[Endpoint], str]) -> Iterator[Arrow]:
    workloads = frozenset(item for item in connectivity.endpoints if item.is_in_git)
    certain: set[Arrow] = set()
    for possibly in (False, True):
        for row in connectivity.rows(possibly=possibly):
            for arrow in _of_row(row, connectivity, called, workloads):
                if not possibly:
                    certain.add(arrow)
                    yield arrow
                elif arrow not in certain:
                    yield Arrow(arrow.source, arrow.destination, arrow.ports, is_certain=False)


def _of_row(
    row: Row, connectivity: Connectivity, called: Callable[[Endpoint], str], workloads: frozenset[Endpoint]
) -> Iterator[Arrow]:
    ports = described(row.ports)
    sources = list(_names(row.sources, connectivity, called, workloads))
    destinations = list(_names(row.destinations, connectivity, called, workloads))
    for source in sources:
        yield from (Arrow(source, name, ports) for name in destinations if source != name or name == EVERY)


def _names(
    ends: Iterable[Endpoint],
    connectivity: Connectivity,
    called: Callable[[Endpoint], str],
    workloads: frozenset[Endpoint],
) -> Iterator[str]:
    """The names of one side of a row, with one for all workloads where all are there."""
    found = list(ends)
    is_every = len(workloads) > 2 and workloads <= set(found)
    if is_every:
        yield EVERY
    for item in found:
        if item.type is EndpointKind.ADDRESSES:
            yield from of_addresses(item.addresses, connectivity.population.outside)
        elif not (is_every and item.is_in_git):
            yield called(item)
