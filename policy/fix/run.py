"""From targets to the files that would be changed, proven; nothing is written here."""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from policy.engine import examine
from policy.errors import PolicyError
from policy.fix.places import Places
from policy.fix.plan import Plan, Refused, Unit
from policy.fix.proof import Proof, files_of
from policy.fix.remedies import REMEDIES
from policy.kustomize.sources import SourceCache, SourceTree, load_sources
from policy.overlay import Overlay
from policy.result import LocatedFinding
from policy.rules.rule import Rule
from policy.settings import ARGOCD, Settings
from policy.targets import Target, TargetKind, targets
from policy.tools import find_tool


@dataclass(frozen=True, slots=True)
class FileChange:
    """A file as it is and as it shall be; ``name`` is its path as places show it."""

    path: Path
    name: str
    before: bytes
    after: bytes


@dataclass(frozen=True, slots=True)
class Fixes:
    """What mends findings, and which findings have a remedy that does not fit, with the reason.

    ``mended`` and ``refused`` list a finding once for each overlay that has it.
    """

    changes: tuple[FileChange, ...]
    mended: tuple[LocatedFinding, ...]
    refused: tuple[Refused, ...]


def find_fixes(checked: Sequence[Target], settings: Settings, rules: Sequence[Rule], *, today: datetime.date) -> Fixes:
    """What mends the findings of the rules on the targets.

    Looked at are also the other environments of policy.toml, and every kustomization of the repository, that read a
    file that would be changed. Findings that an exception accepts are left alone; those of a baseline are mended.
    """
    mending = [rule for rule in rules if rule.id in REMEDIES]
    seen = examine(checked, settings, mending, today=today)
    plan = Plan(Places(settings.repository))
    overlays = {overlay.name: overlay for overlay in seen.overlays}
    for finding in seen.findings:
        plan.mend(overlays[finding.overlays[0]], finding)
    units: list[Unit] = []
    if plan.files:
        others = _Others(checked, settings, plan.files)
        also = examine(others.targets, settings, mending, today=today)
        overlays |= {overlay.name: overlay for overlay in also.overlays}
        for finding in also.findings:
            plan.note(overlays[finding.overlays[0]], finding)
        unread = [*others.unread, *(target.name for target in (*seen.errors, *also.errors))]
        units = _proven(plan, plan.units(), list(overlays.values()), unread, settings)
    return Fixes(
        changes=tuple(_changes(plan, units)),
        mended=tuple(finding for unit in units for finding in unit.findings),
        refused=tuple(plan.refused),
    )


class _Others:
    """What is not checked but may render otherwise when files change.

    ``targets`` are the kustomizations that read one of the files, ``unread`` the environments whose files are unknown.
    """

    def __init__(self, checked: Sequence[Target], settings: Settings, files: set[Path]) -> None:
        self.targets: list[Target] = []
        self.unread: list[str] = []
        known = {os.path.realpath(target.path) for target in checked if target.kind is TargetKind.KUSTOMIZATION}
        cache = SourceCache()
        for target in _kustomizations(settings):
            folder = os.path.realpath(target.path)
            if folder in known:
                continue
            known.add(folder)
            try:
                tree: SourceTree | None = load_sources(target.path, settings.repository, cache)
            except PolicyError:
                tree = None
            if tree is None and target.name in (*settings.environments, ARGOCD):
                self.unread.append(target.name)
            elif tree is not None and tree.listed_files & files:
                self.targets.append(target)


def _kustomizations(settings: Settings) -> Iterator[Target]:
    """What policy.toml names, then whatever else of the repository a person would build."""
    for of in ([], [str(settings.repository)] if settings.repository != Path("/") else None):
        try:
            found = targets(of, settings) if of is not None else []
        except PolicyError:
            found = []
        yield from (target for target in found if target.kind is TargetKind.KUSTOMIZATION)


def _proven(
    plan: Plan, units: Sequence[Unit], overlays: Sequence[Overlay], unread: Sequence[str], settings: Settings
) -> list[Unit]:
    broken = [overlay for overlay in overlays if overlay.errors]

    def unknown(file: Path) -> str | None:
        if unread:
            return f"{unread[0]} cannot be read, so what it would become is not known"
        names = [overlay.name for overlay in broken if file in files_of(overlay)]
        return (
            f"{names[0]} reads the file too and does not render, so what it would become is not known"
            if names
            else None
        )

    def kustomize() -> Path:
        return find_tool("kustomize", wanted=settings.tools.get("kustomize"), root=settings.root)

    return Proof(plan, [overlay for overlay in overlays if not overlay.errors], kustomize, unknown).proven(units)


def _changes(plan: Plan, units: Sequence[Unit]) -> Iterator[FileChange]:
    for path, text in sorted(plan.texts(units).items()):
        source = plan.places.files[path]
        yield FileChange(path, source.name, source.data, source.encoded(text))
