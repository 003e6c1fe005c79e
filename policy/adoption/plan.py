"""What a new policy.toml will say: what was found, less what cannot be checked today."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path

import msgspec
from msgspec.structs import replace

from policy import engine
from policy.adoption.names import Named
from policy.adoption.survey import Survey
from policy.errors import PolicyError, SettingsError, ToolError
from policy.manifests.image_uses import image_uses
from policy.result import Result
from policy.rules import RULES
from policy.schema.definitions import convert_definitions
from policy.settings import ARGOCD, Settings, repository_of
from policy.targets import MANIFEST_SUFFIXES, targets
from policy.tools import find_tool, tool_version

_TOOLS = ("kustomize", "kubeconform")


class Plan(msgspec.Struct, frozen=True):
    """What policy.toml will say on ``day``.

    ``broken`` are overlays that cannot be checked, and why: they are left out, so that the first check runs.
    ``definitions`` are files and folders of CustomResourceDefinitions that schemas can be made of, ``tools`` the
    versions that run here, ``registries`` the places that images come from. ``result`` is what the check finds; None
    where nothing is left to check.
    """

    found: Survey
    day: datetime.date
    definitions: tuple[Path, ...]
    broken: Mapping[str, PolicyError]
    tools: Mapping[str, str | None]
    registries: tuple[str, ...]
    result: Result | None = None

    @property
    def environments(self) -> tuple[Named, ...]:
        return tuple(each for each in self.found.environments if each.name not in self.broken)

    @property
    def argocd(self) -> Path | None:
        return None if ARGOCD in self.broken else self.found.argocd

    @property
    def most_found(self) -> list[tuple[str, int]]:
        """The rules and how often each is broken, the most often first."""
        counts = Counter[str]()
        for kind, count in self.result.findings.tally.items() if self.result else ():
            counts[kind.rule] += count
        return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def plan_for(found: Survey, *, today: datetime.date) -> Plan:
    """Runs the check on what was found."""
    settings = Settings(
        root=found.root,
        repository=repository_of(found.root) or found.root,
        environments=dict(found.environments),
        argocd=found.argocd,
        crds=_folded(found.root, [file for file in found.definitions if _is_readable(found.root / file)]),
    )
    examined = engine.examine(targets([], settings), settings, (), today=today)
    broken = {target.name: error for target, error in examined.errors.items()}
    broken |= {overlay.name: overlay.errors[0] for overlay in examined.overlays if overlay.errors}
    workloads = (workload for overlay in examined.overlays for workload in overlay.index.workloads)
    images = (use.image for workload in workloads for use in image_uses(workload))
    plan = Plan(
        found=found,
        day=today,
        definitions=settings.crds,
        # What a missing tool keeps from being checked is checked as soon as the tool is there.
        broken={name: error for name, error in broken.items() if not isinstance(error, ToolError)},
        tools={name: _version(name, found.root) for name in _TOOLS},
        registries=tuple(sorted({_place(image.location) for image in images if image is not None})),
    )
    left = replace(settings, environments=dict(plan.environments), argocd=plan.argocd)
    if not left.environments and left.argocd is None:
        return plan
    return replace(plan, result=engine.check(targets([], left), left, RULES, today=today, is_whole_run=False))


def _is_readable(file: Path) -> bool:
    """Whether the check could make schemas of a file's definitions; one of apiextensions.k8s.io/v1beta1 has none."""
    try:
        return bool(list(convert_definitions([(file, file.read_bytes())], {"properties": {}})))
    except (SettingsError, OSError, RecursionError):
        return False


def _folded(root: Path, files: Sequence[Path]) -> tuple[Path, ...]:
    """The files, or their folder where it holds no other file that would be taken for definitions."""
    found: list[Path] = []
    for folder, inside in groupby(files, key=lambda file: file.parent):
        mine = list(inside)
        below = {path.relative_to(root) for path in (root / folder).rglob("*") if path.suffix in MANIFEST_SUFFIXES}
        found.extend([folder] if folder.parts and below == set(mine) else mine)
    return tuple(found)


def _version(tool: str, root: Path) -> str | None:
    try:
        return tool_version(tool, find_tool(tool, wanted=None, root=root))
    except ToolError:
        return None


def _place(location: str) -> str:
    """The registry and the first part of the path below it: who may push there is decided for each."""
    return "/".join(location.split("/")[:2])
