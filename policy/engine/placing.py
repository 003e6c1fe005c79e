"""Where findings stand. Of many thousands a person is shown a few, so they are placed when a report asks for them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from functools import cached_property

import msgspec
from msgspec.structs import replace

from policy.engine.merging import GRAVEST_FIRST, merged, order
from policy.findings import Field, Finding, Place, Severity
from policy.manifests.paths import by_name
from policy.overlay import Overlay
from policy.result import Findings, Kind, LocatedFinding, Tally
from policy.rules.rule import Rule


class Found(msgspec.Struct, frozen=True):
    """Findings of a rule in an overlay; ``overlay`` is None where they are about no single one.

    ``note`` is what is to be known of all of them, e.g. that an exception has expired.
    """

    rule: Rule
    severity: Severity
    overlay: Overlay | None
    findings: Sequence[Finding]
    note: str | None = None

    @property
    def overlays(self) -> tuple[str, ...]:
        return (self.overlay.name,) if self.overlay else ()

    def severity_of(self, finding: Finding) -> Severity:
        return finding.severity or self.severity


def findings_of(found: Sequence[Found], others: Iterable[LocatedFinding], overlays: Iterable[Overlay]) -> Findings:
    """The findings of a run, those of the same cause as one; ``others`` have been placed already.

    Findings in different documents of plain manifests have different places. What kustomizations render may come from
    one and the same line, so that only the places tell which findings are one.
    """
    if all(overlay.tree is None for overlay in overlays):
        return _Unplaced(found, others)
    return Findings(sorted(merged([*located(found), *others]), key=order))


def located(found: Iterable[Found]) -> list[LocatedFinding]:
    """The findings with their places, in the order given.

    Asked document by document, since rules go through all objects in turn: so none is searched again, or kept.
    """
    pairs = [(one, finding) for one in found for finding in one.findings]

    def document(number: int) -> int:
        overlay, at = pairs[number][0].overlay, pairs[number][1].at
        return overlay.resource(at.object).document if overlay is not None and isinstance(at, Field) else 0

    placed = {number: _located(*pairs[number]) for number in sorted(range(len(pairs)), key=document)}
    return [placed[number] for number in range(len(pairs))]


def _located(found: Found, finding: Finding) -> LocatedFinding:
    place, is_exact = _place(found.overlay, finding.at)
    at = finding.at if isinstance(finding.at, Field) else None
    return LocatedFinding(
        rule=found.rule.id,
        severity=found.severity_of(finding),
        overlays=found.overlays,
        objects=(at.object,) if at else (),
        path=at.path if at else (),
        message=finding.message,
        fix=finding.fix,
        place=place,
        exact=is_exact,
        related=tuple(_place(found.overlay, other)[0] for other in finding.related),
        note=found.note,
        named_path=by_name(found.overlay.resource(at.object).raw, at.path) if at and found.overlay else (),
    )


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

    def __init__(self, found: Iterable[Found], others: Iterable[LocatedFinding]) -> None:
        by_rule: defaultdict[str, list[Found]] = defaultdict(list)
        for one in found:
            by_rule[one.rule.id].append(one)
        self._by_rule: list[Sequence[Found]] = []
        placed: list[Found] = []
        for each in by_rule.values():
            alone, alike = _told_apart(each)
            self._by_rule.append(alone)
            placed.extend(alike)
        self._placed = list(merged([*located(placed), *others]))

    @cached_property
    def _all(self) -> tuple[LocatedFinding, ...]:
        return tuple(self._in_order(one for each in self._by_rule for one in each))

    def __len__(self) -> int:
        return self.tally.total()

    @cached_property
    def tally(self) -> Tally:
        tally = Tally(finding.kind for finding in self._placed)
        for one in (one for each in self._by_rule for one in each):
            own = [finding.severity for finding in one.findings if finding.severity]
            tally[Kind(one.rule.id, one.severity, one.overlays)] += len(one.findings) - len(own)
            tally.update(Kind(one.rule.id, severity, one.overlays) for severity in own)
        return +tally

    def first(self, count: int) -> tuple[LocatedFinding, ...]:
        chosen = [near for each in self._by_rule for near in _nearest(each, count)]
        return Findings(self._in_order(chosen)).first(count)

    def _in_order(self, found: Iterable[Found]) -> list[LocatedFinding]:
        return sorted([*located(found), *self._placed], key=order)


def _told_apart(found: Sequence[Found]) -> tuple[Sequence[Found], Sequence[Found]]:
    """Findings of a rule that are surely one each, and the others: only their places tell."""
    if len(found) == 1 and _are_different(found[0]):
        return found, ()  # seen at a glance, as most are
    keys = [[_key(one, finding) for finding in one.findings] for one in found]
    count = Counter(key for each in keys for key in each)
    if all(number == 1 for number in count.values()) and None not in count:
        return found, ()  # as it nearly always is
    alone = [count[key] == 1 and key is not None for each in keys for key in each]
    return _chosen(found, alone), _chosen(found, [not is_alone for is_alone in alone])


def _are_different(found: Found) -> bool:
    """Whether each finding is about an object of its own, or says something else of it, in a document of its own."""
    if found.overlay is None or not found.overlay.is_one_stream:
        return False
    said = {(finding.at.object, finding.message) for finding in found.findings if isinstance(finding.at, Field)}
    return len(said) == len(found.findings)


def _key(found: Found, finding: Finding) -> tuple[str, int, str, str | None] | None:
    """What is the same of findings that are one; None in a file that is no manifest, such as topology.yaml."""
    if found.overlay is None or isinstance(finding.at, Place):
        return None
    document = found.overlay.document_of(finding.at.object)
    return document.file, document.line, finding.message, found.note


def _nearest(found: Sequence[Found], count: int) -> Sequence[Found]:
    """The findings of a rule without those that are not among the first ``count``, judged by their documents."""
    if sum(len(one.findings) for one in found) <= count:
        return found
    if len(found) == 1 and found[0].overlay is not None and found[0].overlay.is_one_stream:
        nearest = _nearest_in_stream(found[0], found[0].overlay, count)
        if nearest is not None:
            return [replace(found[0], findings=nearest)]
    positions = [_position(one, finding) for one in found for finding in one.findings]
    last = sorted(positions)[count - 1]
    return _chosen(found, [position <= last for position in positions])


def _nearest_in_stream(found: Found, overlay: Overlay, count: int) -> Sequence[Finding] | None:
    """The same in one stream; None if it takes more than the order of its documents to tell."""
    numbers = [
        overlay.resource(finding.at.object).document
        for finding in found.findings
        if isinstance(finding.at, Field) and finding.severity is None
    ]
    if len(numbers) < len(found.findings):
        return None
    last = sorted(numbers)[count - 1]
    return [finding for finding, number in zip(found.findings, numbers, strict=True) if number <= last]


def _position(found: Found, finding: Finding) -> tuple[int, str, int]:
    """About where a finding stands in a report: how grave it is, and the file and the first line of its document."""
    if found.overlay is None or isinstance(finding.at, Place):
        raise TypeError(f"{finding.at} is in no document")
    document = found.overlay.document_of(finding.at.object)
    return GRAVEST_FIRST[found.severity_of(finding)], document.file, document.line


def _chosen(found: Sequence[Found], is_chosen: Iterable[bool]) -> list[Found]:
    """Some of the findings; ``is_chosen`` says so of each."""
    choices = iter(is_chosen)
    return [replace(one, findings=[finding for finding in one.findings if next(choices)]) for one in found]
