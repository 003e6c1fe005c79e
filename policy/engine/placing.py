"""Where findings stand. Of many thousands a person is shown a few, so they are placed when a report asks for them."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import cached_property

from policy.engine.merging import GRAVEST_FIRST, merged, order
from policy.engine.running import Said
from policy.findings import Field, Finding, Place, Severity
from policy.manifests.paths import by_name
from policy.overlay import Overlay
from policy.result import Findings, Kind, LocatedFinding, Tally


def findings_of(said: Sequence[Said], others: Iterable[LocatedFinding], overlays: Iterable[Overlay]) -> Findings:
    """The findings of a run, those of the same cause as one; ``others`` have been placed already.

    Findings in different documents of plain manifests have different places. What a kustomization renders may come
    from one and the same line, so that only the places tell which findings are one.
    """
    if all(overlay.tree is None for overlay in overlays):
        return _Unplaced(said, others)
    return Findings(sorted(merged([*located(said), *others]), key=order))


def located(said: Sequence[Said]) -> list[LocatedFinding]:
    """The findings with their places, in the order given.

    Asked document by document, since rules go through all objects in turn: so none is searched again, or kept.
    """

    def document(number: int) -> int:
        overlay, at = said[number].overlay, _finding(said[number]).at
        return overlay.resource(at.object).document if overlay is not None and isinstance(at, Field) else 0

    found: dict[int, LocatedFinding] = {}
    for number in sorted(range(len(said)), key=document):
        found[number] = _located(said[number])
    return [found[number] for number in range(len(said))]


def _finding(said: Said) -> Finding:
    if not isinstance(said.what, Finding):
        raise TypeError(f"{said.rule.id} said {said.what}, which has no place")
    return said.what


def _located(said: Said) -> LocatedFinding:
    finding = _finding(said)
    place, is_exact = _place(said.overlay, finding.at)
    at = finding.at if isinstance(finding.at, Field) else None
    return LocatedFinding(
        rule=said.rule.id,
        severity=_severity(said),
        overlays=_overlays(said),
        objects=(at.object,) if at else (),
        path=at.path if at else (),
        message=finding.message,
        fix=finding.fix,
        place=place,
        exact=is_exact,
        related=tuple(_place(said.overlay, other)[0] for other in finding.related),
        note=said.note,
        named_path=by_name(said.overlay.resource(at.object).raw, at.path) if at and said.overlay else (),
    )


def _overlays(said: Said) -> tuple[str, ...]:
    return (said.overlay.name,) if said.overlay else ()


def _severity(said: Said) -> Severity:
    return _finding(said).severity or said.severity


def _place(overlay: Overlay | None, at: Field | Place) -> tuple[Place, bool]:
    if isinstance(at, Place):
        return at, True
    if overlay is None:
        raise TypeError(f"a rule that looks at several overlays did not say which of them holds {at.object}")
    return overlay.place(at)


class _Unplaced(Findings):
    """Findings of plain manifests: told apart, and put in order, by the documents that they are in.

    A document is a part of its file that no other overlaps. So findings can only be one if they are in the same
    document, and the first ones of a rule are in the first documents.
    """

    def __init__(self, said: Iterable[Said], others: Iterable[LocatedFinding]) -> None:
        placed: list[Said] = []
        alike: dict[tuple[str, str, int, str, str | None], list[Said]] = {}
        for one in said:
            finding = _finding(one)
            if one.overlay is None or isinstance(finding.at, Place):
                placed.append(one)  # in a file that is no manifest, such as topology.yaml
            else:
                document = one.overlay.document_of(finding.at.object)
                key = (one.rule.id, document.file, document.line, finding.message, one.note)
                alike.setdefault(key, []).append(one)
        self._by_rule: defaultdict[str, list[_Unsorted]] = defaultdict(list)
        for (rule, file, line, _, _), group in alike.items():
            if len(group) == 1:
                one = group[0]
                self._by_rule[rule].append(((GRAVEST_FIRST[_severity(one)], file, line), one))
            else:
                placed.extend(group)
        self._placed = list(merged([*located(placed), *others]))

    @cached_property
    def _all(self) -> tuple[LocatedFinding, ...]:
        return tuple(self._in_order(one for each in self._by_rule.values() for _, one in each))

    def __len__(self) -> int:
        return len(self._placed) + sum(map(len, self._by_rule.values()))

    @cached_property
    def tally(self) -> Tally:
        known = Tally(finding.kind for finding in self._placed)
        known.update(
            Kind(rule, _severity(one), _overlays(one)) for rule, each in self._by_rule.items() for _, one in each
        )
        return known

    def first(self, count: int) -> tuple[LocatedFinding, ...]:
        chosen: list[Said] = []
        for each in self._by_rule.values():
            each.sort(key=_document)
            end = bisect_right(each, _document(each[:count][-1]), key=_document)
            chosen.extend(one for _, one in each[:end])
        return Findings(self._in_order(chosen)).first(count)

    def _in_order(self, said: Iterable[Said]) -> list[LocatedFinding]:
        return sorted([*located(list(said)), *self._placed], key=order)


_Unsorted = tuple[tuple[int, str, int], Said]
"""A finding, before its place is known: how grave it is, and the file and the first line of its document."""


def _document(finding: _Unsorted) -> tuple[int, str, int]:
    return finding[0]
