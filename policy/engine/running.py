"""Rules x overlays -> what each rule says: it is called with everything it looks at, and told what it may know."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from policy.connectivity.isolation import Isolation
from policy.connectivity.neighbours import neighbours_of
from policy.engine.reading import kustomize_of
from policy.errors import PolicyError
from policy.findings import Finding, Severity, Skipped
from policy.manifests.index import Index
from policy.overlay import Overlay
from policy.rules.rule import Context, Rule
from policy.rules.subjects import Facts, Repository, answers
from policy.settings import ARGOCD, Settings

if TYPE_CHECKING:
    from policy.connectivity.topology import Topology
    from policy.history import Past
    from policy.kustomize.origin import Origins
    from policy.kustomize.sources import SourceTree


class Said(msgspec.Struct, frozen=True):
    """What a rule says about an overlay; ``overlay`` is None where it is about no single one."""

    rule: Rule
    severity: Severity
    overlay: Overlay | None
    what: Sequence[Finding | Skipped]


def run_rules(
    overlay: Overlay, settings: Settings, rules: Sequence[Rule], topology: Topology | None, overlays: Sequence[Overlay]
) -> Iterator[Said]:
    """The rules that look at one overlay; ``overlays`` are all of the run, of which some are deployed beside it."""
    isolation = Isolation(
        overlay.index,
        topology if _is_bound(overlay, settings) else None,
        lambda: neighbours_of(overlay.index, (other.index for other in overlays)),
    )
    for rule in rules:
        known = context_of(rule, overlay, settings, isolation)
        if known is None:
            continue
        context, severity = known
        yield Said(rule, severity, overlay, list(answers(rule, context, overlay.tree)))


def context_of(
    rule: Rule, overlay: Overlay, settings: Settings, isolation: Isolation | None = None
) -> tuple[Context, Severity] | None:
    """What the rule may know, and how much it matters here; None where it is switched off."""
    chosen = settings.rule(rule, overlay.name)
    if not chosen.enabled:
        return None
    context = Context(
        overlay.index, overlay.name, settings.kubernetes, chosen.options, lambda: overlay.origins, isolation
    )
    return context, chosen.severity


def _is_bound(overlay: Overlay, settings: Settings) -> bool:
    """Whether the contract is about it: an environment or, where policy.toml names none, everything."""
    return overlay.name in settings.environments if settings.environments else overlay.name != ARGOCD


def run_repository_rules(overlays: Sequence[Overlay], settings: Settings, rules: Sequence[Rule]) -> Iterator[Said]:
    """The rules that look at all overlays together; a finding names the overlay that its field is in."""
    by_name = {overlay.name: overlay for overlay in overlays}
    environments = tuple(name for name in settings.environments if name in by_name)
    repository = Repository(
        indexes={name: overlay.index for name, overlay in by_name.items()},
        trees={name: overlay.tree for name, overlay in by_name.items() if overlay.tree is not None},
        folders={name: _folder(overlay, settings) for name, overlay in by_name.items()},
        environments=environments,
        argocd=ARGOCD if ARGOCD in by_name and settings.argocd else None,
        is_whole=len(environments) == len(settings.environments) and (ARGOCD in by_name or not settings.argocd),
        origins={name: _origins_of(overlay) for name, overlay in by_name.items()},
        facts=_facts(settings),
    )
    for rule in rules:
        chosen = settings.rule(rule, "")
        if rule.applies_to is Repository and chosen.enabled:
            context = Context(Index(()), "", settings.kubernetes, chosen.options)
            for what in rule.check(repository, context):
                overlay = by_name[what.overlay] if isinstance(what, Finding) and what.overlay else None
                yield Said(rule, chosen.severity, overlay, [what])


def _origins_of(overlay: Overlay) -> Callable[[], Origins | None]:
    return lambda: overlay.origins


def _folder(overlay: Overlay, settings: Settings) -> str:
    path = overlay.target.path.resolve()
    return str(path.relative_to(settings.repository) if path.is_relative_to(settings.repository) else path)


def _facts(settings: Settings) -> Facts:
    """What rules may ask of the repository; nothing is looked up before one does."""

    def entries_of(folder: str) -> tuple[str, ...] | None:
        path = os.path.realpath(settings.repository / folder)
        if path != str(settings.repository) and not path.startswith(f"{settings.repository}{os.sep}"):
            return None
        try:
            with os.scandir(path) as entries:
                return tuple(sorted(entry.name + ("/" if entry.is_dir() else "") for entry in entries))
        except OSError:
            return None

    def past(folders: Sequence[str]) -> Past:
        from policy.history import past_of

        return past_of(settings.repository, folders)

    def variants(tree: SourceTree, folder: Path, replaced: Sequence[Mapping[Path, str]]) -> Sequence[str | PolicyError]:
        from policy.kustomize.variants import render_variants

        return render_variants(kustomize_of(settings), tree, folder, replaced)

    def remotes() -> tuple[str, ...]:
        from policy import history

        return history.remotes(settings.repository)

    return Facts(
        entries_of=entries_of,
        past_of=past,
        render_variants=variants,
        remotes=remotes,
        tools=settings.tools,
        place_of=settings.place_of,
    )
