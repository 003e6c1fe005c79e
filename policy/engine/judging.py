"""What rules say -> findings: exceptions and the baseline are applied here and nowhere else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from policy.engine.placing import located
from policy.engine.running import Said
from policy.exceptions import Exceptions
from policy.findings import Field, Place, Skipped
from policy.result import Accepted, LocatedFinding, LocatedSkip
from policy.rules.configuration import exception_stale
from policy.rules.rule import Rule

if TYPE_CHECKING:
    from policy.baseline.matching import Baseline
    from policy.settings import PolicyException


class Judged(msgspec.Struct, frozen=True):
    """What rules said, parted: ``findings`` are those that no exception accepts."""

    findings: list[Said]
    skipped: list[LocatedSkip]
    accepted: list[Accepted]


def judge(said: Iterable[Said], exceptions: Exceptions) -> Judged:
    """Applies the exceptions; a finding whose exception has expired says so in its note."""
    judged = Judged([], [], [])
    accepted: list[tuple[Said, PolicyException]] = []
    for one in said:
        what = one.what
        if isinstance(what, Skipped):
            judged.skipped.append(_skip(one, what))
            continue
        entry = exceptions.match(one.rule.id, one.overlay, what)
        if entry is None:
            judged.findings.append(one)
        elif exceptions.has_expired(entry):
            note = f"its exception expired on {entry.accepted.expires} ({entry.accepted.owner})"
            judged.findings.append(replace(one, note=note))
        else:
            accepted.append((one, entry))
    for finding, (_, entry) in zip(located([one for one, _ in accepted]), accepted, strict=True):
        terms = entry.accepted
        judged.accepted.append(Accepted(finding, terms.reason, terms.owner, terms.expires))
    return judged


def _skip(said: Said, skipped: Skipped) -> LocatedSkip:
    ref = skipped.at.object if isinstance(skipped.at, Field) else None
    return LocatedSkip(said.rule.id, (said.overlay.name,) if said.overlay else (), ref, skipped.reason)


def without_old(said: Sequence[Said], baseline: Baseline) -> list[Said]:
    """The findings that the baseline does not take; it never takes one whose exception has expired."""
    return [
        one
        for one, finding in zip(said, located(said), strict=True)
        if one.note is not None or not one.rule.exceptable or not baseline.takes(finding)
    ]


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
