"""The same cause seen in several overlays, or in several objects that share a source, is told once."""

from __future__ import annotations

import datetime
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from msgspec.structs import replace

from policy.findings import ObjectRef, Severity
from policy.result import Accepted, LocatedFinding, LocatedSkip

GRAVEST_FIRST = {severity: number for number, severity in enumerate(Severity)}


def order(finding: LocatedFinding) -> tuple[Any, ...]:
    """The order of reports: the gravest first, then by place."""
    return (GRAVEST_FIRST[finding.severity], finding.place, finding.rule, finding.message)


def merged(findings: Iterable[LocatedFinding]) -> Iterator[LocatedFinding]:
    """One finding for the same cause: the same place and words, whatever the overlay and the object."""
    groups: dict[tuple[Any, ...], list[LocatedFinding]] = defaultdict(list)
    for finding in findings:
        groups[(finding.rule, finding.place, finding.message, finding.note)].append(finding)
    for group in groups.values():
        yield group[0] if len(group) == 1 else _as_one(group)


def _as_one(group: Sequence[LocatedFinding]) -> LocatedFinding:
    overlays = dict.fromkeys(name for finding in group for name in finding.overlays)
    objects: dict[tuple[str, str], ObjectRef] = {}
    for ref in (ref for finding in group for ref in finding.objects):  # the first is the one that the path is of
        objects.setdefault((ref.kind, ref.name), ref)
    severity = min((finding.severity for finding in group), key=GRAVEST_FIRST.__getitem__)
    return replace(group[0], overlays=tuple(overlays), objects=tuple(objects.values()), severity=severity)


def merged_accepted(accepted: Iterable[Accepted]) -> Iterator[Accepted]:
    """One for the same cause that the same exception accepts in several overlays."""
    groups: dict[tuple[str, str, datetime.date], list[LocatedFinding]] = defaultdict(list)
    for item in accepted:
        groups[(item.reason, item.owner, item.expires)].append(item.finding)
    for terms, findings in groups.items():
        for finding in merged(findings):
            yield Accepted(finding, *terms)


def merged_skips(skips: Iterable[LocatedSkip]) -> Iterator[LocatedSkip]:
    """One for what could not be judged for the same reason in several overlays."""
    groups: dict[tuple[Any, ...], list[LocatedSkip]] = defaultdict(list)
    for skip in skips:
        about = (skip.object.kind, skip.object.name) if skip.object else None
        groups[(skip.rule, about, skip.reason)].append(skip)
    for group in groups.values():
        yield replace(group[0], overlays=tuple(dict.fromkeys(name for skip in group for name in skip.overlays)))
