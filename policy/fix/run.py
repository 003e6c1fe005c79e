"""From targets to the files that would be changed, proven; nothing is written here."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path

import msgspec

from policy.engine import examine
from policy.errors import PolicyError
from policy.fix.bindings import bound_accounts
from policy.fix.places import Places
from policy.fix.plan import Plan, Refused, Unit
from policy.fix.proof import Proof, files_of
from policy.fix.reach import has_repository, reach_of
from policy.fix.remedies import REMEDIES
from policy.overlay import Overlay
from policy.result import LocatedFinding
from policy.rules.rule import Rule
from policy.settings import Settings
from policy.targets import Target
from policy.tools import find_tool


class FileChange(msgspec.Struct, frozen=True):
    """A file as it is and as it shall be; ``name`` is its path as places show it."""

    path: Path
    name: str
    before: bytes
    after: bytes


class Fixes(msgspec.Struct, frozen=True):
    """What mends findings, and which findings have a remedy that does not fit, with the reason.

    ``mended`` and ``refused`` list a finding once for each overlay that has it. ``errors`` are what could not be read.
    """

    changes: tuple[FileChange, ...]
    mended: tuple[LocatedFinding, ...]
    refused: tuple[Refused, ...]
    errors: tuple[PolicyError, ...] = ()


def find_fixes(checked: Sequence[Target], settings: Settings, rules: Sequence[Rule], *, today: datetime.date) -> Fixes:
    """What mends the findings of the rules on the targets.

    Looked at are also the other environments of policy.toml, and every kustomization of the repository, that read a
    file that would be changed. Findings that an exception accepts are left alone; those of a baseline are mended.
    """
    mending = [rule for rule in rules if rule.id in REMEDIES]
    seen = examine(checked, settings, mending, today=today)
    plan = Plan(Places(settings.repository), _bound(settings))
    overlays = {overlay.name: overlay for overlay in seen.overlays}
    for finding in seen.findings:
        plan.mend(overlays[finding.overlays[0]], finding)
    units: list[Unit] = []
    if plan.files:
        reach = reach_of(plan.files, checked, settings)
        also = examine(reach.targets, settings, mending, today=today)
        overlays |= {overlay.name: overlay for overlay in also.overlays}
        for finding in also.findings:
            plan.note(overlays[finding.overlays[0]], finding)
        units = _proven(plan, plan.units(), list(overlays.values()), reach.unread, settings)
    return Fixes(
        changes=tuple(_changes(plan, units)),
        mended=tuple(finding for unit in units for finding in unit.findings),
        refused=tuple(plan.refused),
        errors=(*seen.errors.values(), *(error for overlay in seen.overlays for error in overlay.errors)),
    )


def _bound(settings: Settings) -> Callable[[], frozenset[str] | None]:
    @cache
    def bound() -> frozenset[str] | None:
        return bound_accounts(settings.repository) if has_repository(settings) else None

    return bound


def _proven(
    plan: Plan, units: Sequence[Unit], overlays: Sequence[Overlay], unread: Sequence[str], settings: Settings
) -> list[Unit]:
    broken = [overlay for overlay in overlays if overlay.errors]

    def unknown(file: Path) -> str | None:
        if unread:
            return f"{unread[0]} cannot be read, so what it would become is not known"
        reading = next((overlay.name for overlay in broken if file in files_of(overlay)), None)
        if reading is None:
            return None
        return f"{reading} reads the file too and does not render, so what it would become is not known"

    def kustomize() -> Path:
        return find_tool("kustomize", wanted=settings.tools.get("kustomize"), root=settings.root)

    return Proof(plan, [overlay for overlay in overlays if not overlay.errors], kustomize, unknown).proven(units)


def _changes(plan: Plan, units: Sequence[Unit]) -> Iterator[FileChange]:
    for path, text in sorted(plan.texts(units).items()):
        source = plan.places.files[path]
        yield FileChange(path, source.name, source.data, source.encoded(text))
