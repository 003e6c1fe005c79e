"""What rules say -> findings: exceptions and the baseline are applied here and nowhere else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from policy.engine.placing import Found, located
from policy.engine.running import Said
from policy.exceptions import Exceptions
from policy.findings import Field, Finding, Place, Skipped
from policy.result import Accepted, LocatedFinding, LocatedSkip
from policy.rules.configuration import exception_stale
from policy.rules.rule import Rule

if TYPE_CHECKING:
    from policy.baseline.matching import Baseline


class Judged(msgspec.Struct, frozen=True):
    """What rules said, parted: ``findings`` are those that no exception accepts."""

    findings: list[Found]
    skipped: list[LocatedSkip]
    accepted: list[Accepted]


def judge(said: Iterable[Said], exceptions: Exceptions) -> Judged:
    """Applies the exceptions; a finding whose exception has expired says so in its note."""
    judged = Judged([], [], [])
    for one in said:
        judged.skipped.extend(_skip(one, what) for what in one.what if isinstance(what, Skipped))
        found = Found(one.rule, one.severity, one.overlay, [what for what in one.what if isinstance(what, Finding)])
        judged.findings.extend(
            _unaccepted(found, exceptions, judged.accepted) if exceptions.speak_of(one.rule.id) else [found]
        )
    return judged


def _skip(said: Said, skipped: Skipped) -> LocatedSkip:
    ref = skipped.at.object if isinstance(skipped.at, Field) else None
    return LocatedSkip(said.rule.id, (said.overlay.name,) if said.overlay else (), ref, skipped.reason)


def _unaccepted(found: Found, exceptions: Exceptions, accepted: list[Accepted]) -> Iterator[Found]:
    """The findings without those that an exception accepts, which go to ``accepted``."""
    for finding in found.findings:
        one = replace(found, findings=[finding])
        entry = exceptions.match(found.rule.id, found.overlay, finding)
        if entry is None:
            yield one
        elif exceptions.has_expired(entry):
            yield replace(one, note=f"its exception expired on {entry.accepted.expires} ({entry.accepted.owner})")
        else:
            terms = entry.accepted
            accepted.extend(Accepted(each, terms.reason, terms.owner, terms.expires) for each in located([one]))


def without_old(found: Sequence[Found], baseline: Baseline) -> list[Found]:
    """The findings that the baseline does not take; it never takes one whose exception has expired."""
    places = iter(located(found))
    left = []
    for one in found:
        placed = list(islice(places, len(one.findings)))
        if one.note is None and one.rule.exceptable:
            new = [finding for finding, at in zip(one.findings, placed, strict=True) if not baseline.takes(at)]
            one = replace(one, findings=new)
        left.append(one)
    return left


def stale(exceptions: Exceptions, rules: Sequence[Rule]) -> Iterator[LocatedFinding]:
    """The exceptions that no finding of the run needed."""
    rule = exception_stale.RULE
    if rule not in rules:
        return
    for entry in exceptions.unused():
        place = Place(entry.file, entry.line)
        for finding in exception_stale.check(
            exception_stale.Unneeded(place, entry.accepted.rule, entry.accepted.object), None
        ):
            yield LocatedFinding(rule.id, rule.severity, (), (), (), finding.message, finding.fix, place)
