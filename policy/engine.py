"""Rules x overlays -> findings, with exceptions applied here and nowhere else.

kustomize renders the overlays in parallel while their sources are read; schemas are compared while the rules run.
"""

from __future__ import annotations

import datetime
import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from policy import schema
from policy.connectivity.isolation import Isolation
from policy.errors import PolicyError, SourceError
from policy.exceptions import Exceptions
from policy.findings import Field, Finding, ObjectRef, Place, Severity, Skipped
from policy.manifests.index import Index
from policy.manifests.load import paused_garbage_collector
from policy.manifests.paths import by_name
from policy.overlay import Overlay, from_manifests, from_render, unrendered
from policy.result import Accepted, LocatedFinding, LocatedSkip, OverlayResult, Result
from policy.rules.configuration import exception_stale, schema_valid
from policy.rules.rule import Context, Rule
from policy.rules.subjects import Facts, Repository, subjects
from policy.settings import ARGOCD, Settings
from policy.targets import Target, TargetKind
from policy.tools import find_tool

if TYPE_CHECKING:
    from policy.baseline.matching import Baseline
    from policy.connectivity.topology import Topology
    from policy.history import Past
    from policy.kustomize.origin import Origins
    from policy.kustomize.sources import SourceTree

_SEVERITIES = list(Severity)
"""The gravest first."""


class _Said(msgspec.Struct, frozen=True):
    """What a rule said about an overlay, before exceptions."""

    rule: Rule
    severity: Severity
    overlay: Overlay | None
    what: Finding | Skipped


def check(
    targets: Sequence[Target],
    settings: Settings,
    rules: Sequence[Rule],
    *,
    today: datetime.date,
    is_whole_run: bool = True,
    baseline: Baseline | None = None,
) -> Result:
    """Runs the rules on the targets.

    ``is_whole_run`` says that all rules run on all environments, so that an exception nobody needed is stale.
    ``baseline`` takes the findings that it lists, after the exceptions, and learns what the run has judged.
    What could not run is in the result, beside the findings of everything that could.
    """
    with paused_garbage_collector(), ThreadPoolExecutor(max_workers=max(2, os.cpu_count() or 1)) as pool:
        overlays, errors = _read(targets, settings, pool)
        comparison = pool.submit(_compare_schemas, overlays, settings, rules)
        topology, unread = _topology(settings)
        said = [one for overlay in overlays for one in _run_rules(overlay, settings, rules, topology)]
        said.extend(_run_repository_rules(overlays, settings, rules))
        outcome = comparison.result()
    said.extend(outcome.said)
    judged = _judge(said, Exceptions(settings.exceptions, today), baseline)
    if baseline is not None:
        from policy.baseline.coverage import coverage_of

        ran = [rule for rule in rules if not (outcome.error and rule is schema_valid.RULE)]
        baseline.coverage = coverage_of(overlays, ran, judged.skipped, settings)
    has_read_all = not errors and not outcome.error and not unread and not any(overlay.errors for overlay in overlays)
    if is_whole_run and has_read_all:
        judged.findings.extend(_stale(judged.exceptions, rules))
    judged.skipped.extend(_no_objects(overlays))
    judged.skipped.extend(_lost_fields(overlays, settings, rules))
    by_target = {id(overlay.target): overlay for overlay in overlays}
    return Result(
        overlays=tuple(_overlay_result(target, by_target, errors, outcome) for target in targets),
        findings=tuple(sorted(_merged(judged.findings), key=_order)),
        skipped=tuple(_merged_skips(judged.skipped)),
        accepted=tuple(_merged_accepted(judged.accepted)),
        rules=len(rules),
        errors=(*unread, *((outcome.error,) if outcome.error else ())),
        baselined=tuple(sorted(baseline.found, key=_order)) if baseline else (),
        mended=baseline.mended if baseline else 0,
    )


class Examined(msgspec.Struct, frozen=True):
    """The overlays as they were read, the findings of each on its own, and for the other targets why not."""

    overlays: tuple[Overlay, ...]
    findings: tuple[LocatedFinding, ...]
    errors: Mapping[Target, PolicyError]


def examine(targets: Sequence[Target], settings: Settings, rules: Sequence[Rule], *, today: datetime.date) -> Examined:
    """Runs rules that look at a single overlay, for what has to know each overlay and not only what is wrong.

    Findings that have the same cause are not taken together; those that an exception accepts are left out.
    """
    with paused_garbage_collector(), ThreadPoolExecutor(max_workers=max(2, os.cpu_count() or 1)) as pool:
        overlays, errors = _read(targets, settings, pool)
    topology, _ = _topology(settings)
    said = [one for overlay in overlays for one in _run_rules(overlay, settings, rules, topology)]
    return Examined(tuple(overlays), tuple(_judge(said, Exceptions(settings.exceptions, today)).findings), errors)


def read(targets: Sequence[Target], settings: Settings) -> list[Overlay]:
    """The overlays, each read whole: what is said of them must not be wrong because a part is missing.

    Raises:
        PolicyError: one of them, or a file of it, cannot be read or rendered.
    """
    with paused_garbage_collector(), ThreadPoolExecutor(max_workers=max(2, os.cpu_count() or 1)) as pool:
        overlays, errors = _read(targets, settings, pool)
    for error in (*errors.values(), *(error for overlay in overlays for error in overlay.errors)):
        raise error
    return overlays


def _read(
    targets: Sequence[Target], settings: Settings, pool: ThreadPoolExecutor
) -> tuple[list[Overlay], dict[Target, PolicyError]]:
    """The overlays that could be read, and for the others why not."""
    errors: dict[Target, PolicyError] = {}
    trees: dict[Target, tuple[SourceTree, Future[str]]] = {}
    kustomizations = [target for target in targets if target.kind is TargetKind.KUSTOMIZATION]
    if kustomizations:
        from policy.kustomize.sources import SourceCache, load_sources  # plain manifests need nothing of Kustomize

        cache = SourceCache()
        for target in kustomizations:
            try:
                tree = load_sources(target.path, settings.repository, cache)
            except PolicyError as error:
                errors[target] = error  # kustomize is not asked: hostile input would keep it busy for minutes
            else:
                trees[target] = (tree, pool.submit(_render, target, tree, settings))
    overlays: list[Overlay] = []
    for target in targets:
        try:
            if target in trees:
                overlays.append(_rendered(target, *trees[target]))
            elif target not in errors:
                overlays.append(from_manifests(target, settings.repository))
        except PolicyError as error:
            errors[target] = error
    return overlays, errors


def _rendered(target: Target, tree: SourceTree, render: Future[str]) -> Overlay:
    try:
        return from_render(target, render.result(), tree)
    except PolicyError as error:
        return unrendered(target, tree, error)


def _render(target: Target, tree: SourceTree, settings: Settings) -> str:
    for remote in tree.remotes:
        place = remote.stated.mark.place
        message = f"{remote.entry} {remote.stated.text!r} would be fetched, and nothing is: this is not rendered"
        raise SourceError(message, file=place.file, line=place.line)
    from policy.kustomize.render import render

    return render(_kustomize(settings), target.path)


def _kustomize(settings: Settings) -> Path:
    return find_tool("kustomize", wanted=settings.tools.get("kustomize"), root=settings.root)


def _topology(settings: Settings) -> tuple[Topology | None, tuple[PolicyError, ...]]:
    """The contract, where there is one, or why it cannot be read."""
    file = settings.topology_file
    if file is None:
        return None, ()
    from policy.connectivity.topology import load_topology  # only a repository with a contract pays for its reader

    path = file.resolve()
    inside = path.is_relative_to(settings.repository)
    try:
        return load_topology(file, str(path.relative_to(settings.repository)) if inside else None), ()
    except PolicyError as error:
        return None, (error,)


def _is_bound(overlay: Overlay, settings: Settings) -> bool:
    """Whether the contract is about it: an environment or, where policy.toml names none, everything."""
    return overlay.name in settings.environments if settings.environments else overlay.name != ARGOCD


def _context(
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


def _run_rules(
    overlay: Overlay, settings: Settings, rules: Sequence[Rule], topology: Topology | None
) -> Iterator[_Said]:
    isolation = Isolation(overlay.index, topology if _is_bound(overlay, settings) else None)
    for rule in rules:
        known = _context(rule, overlay, settings, isolation)
        if known is None:
            continue
        context, severity = known
        for subject in subjects(rule.applies_to, overlay.index, overlay.tree):
            for what in rule.check(subject, context):
                yield _Said(rule, severity, overlay, what)


def _run_repository_rules(overlays: Sequence[Overlay], settings: Settings, rules: Sequence[Rule]) -> Iterator[_Said]:
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
                yield _Said(rule, chosen.severity, overlay, what)


def _origins_of(overlay: Overlay) -> Callable[[], Origins | None]:
    return lambda: overlay.origins


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

        return render_variants(_kustomize(settings), tree, folder, replaced)

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


def _folder(overlay: Overlay, settings: Settings) -> str:
    path = overlay.target.path.resolve()
    return str(path.relative_to(settings.repository) if path.is_relative_to(settings.repository) else path)


class _Comparison(msgspec.Struct, frozen=True):
    """What comparing with schemas said; ``versions`` are those compared with, none where it did not run."""

    said: list[_Said]
    versions: tuple[str, ...] = ()
    error: PolicyError | None = None


def _compare_schemas(overlays: Sequence[Overlay], settings: Settings, rules: Sequence[Rule]) -> _Comparison:
    rule = schema_valid.RULE
    active = [
        (overlay, *known)
        for overlay in overlays
        if rule in rules and (known := _context(rule, overlay, settings)) is not None
    ]
    if not active:
        return _Comparison([])
    resources = [(overlay, resource) for overlay, _, _ in active for resource in overlay.index.resources]
    try:
        problems = schema.validate(
            [overlay.text_of(resource) for overlay, resource in resources],
            versions=settings.kubernetes,
            crds=[settings.root / path for path in settings.crds],
            kubeconform=find_tool("kubeconform", wanted=settings.tools.get("kubeconform"), root=settings.root),
        )
    except PolicyError as error:
        return _Comparison([], error=error)
    mismatches: dict[int, list[schema_valid.Mismatch]] = defaultdict(list)
    refused = set()
    for problem in problems:
        overlay, resource = resources[problem.index]
        refused.add((id(overlay), resource.ref))
        at = Field(resource.ref, problem.path)
        mismatches[id(overlay)].append(schema_valid.Mismatch(at, problem.message, problem.versions))
    for overlay, _, _ in active:
        mismatches[id(overlay)].extend(_undecodable(overlay, refused))
    return _Comparison(
        [
            _Said(rule, severity, overlay, what)
            for overlay, context, severity in active
            for mismatch in mismatches[id(overlay)]
            for what in rule.check(mismatch, context)
        ],
        settings.kubernetes,
    )


def _lost_fields(overlays: Sequence[Overlay], settings: Settings, rules: Sequence[Rule]) -> Iterator[LocatedSkip]:
    """Fields of a wrong type that no rule saw, where schema-valid does not run and so does not tell them."""
    for overlay in overlays:
        if schema_valid.RULE in rules and settings.rule(schema_valid.RULE, overlay.name).enabled:
            continue
        for resource, error in overlay.index.undecodable:
            field = ".".join(map(str, error.path))
            reason = f"{field} was not looked at: {error.message}"
            yield LocatedSkip(schema_valid.RULE.id, (overlay.name,), resource.ref, reason)


def _undecodable(overlay: Overlay, refused: set[tuple[int, Any]]) -> Iterator[schema_valid.Mismatch]:
    """Fields of another type than their kind prescribes, of objects that no schema refused."""
    for resource, error in overlay.index.undecodable:
        if (id(overlay), resource.ref) not in refused:
            yield schema_valid.Mismatch(Field(resource.ref, error.path), error.message)


class _Judged(msgspec.Struct, frozen=True):
    findings: list[LocatedFinding]
    skipped: list[LocatedSkip]
    accepted: list[Accepted]
    exceptions: Exceptions


def _judge(said: Sequence[_Said], exceptions: Exceptions, baseline: Baseline | None = None) -> _Judged:
    """Applies the exceptions, then the baseline, and finds the source line of each finding."""
    judged = _Judged([], [], [], exceptions)
    for one in said:
        if isinstance(one.what, Skipped):
            at = one.what.at
            ref = at.object if isinstance(at, Field) else None
            overlays = (one.overlay.name,) if one.overlay else ()
            judged.skipped.append(LocatedSkip(one.rule.id, overlays, ref, one.what.reason))
            continue
        entry = exceptions.match(one.rule.id, one.overlay, one.what)
        located = _located(one, one.what)
        if entry is None:
            if baseline is None or not one.rule.exceptable or not baseline.takes(located):
                judged.findings.append(located)
        elif exceptions.has_expired(entry):
            note = f"its exception expired on {entry.accepted.expires} ({entry.accepted.owner})"
            judged.findings.append(replace(located, note=note))
        else:
            accepted = entry.accepted
            judged.accepted.append(Accepted(located, accepted.reason, accepted.owner, accepted.expires))
    return judged


def _located(said: _Said, finding: Finding) -> LocatedFinding:
    place, is_exact = _place(said.overlay, finding.at)
    at = finding.at if isinstance(finding.at, Field) else None
    return LocatedFinding(
        rule=said.rule.id,
        severity=finding.severity or said.severity,
        overlays=(said.overlay.name,) if said.overlay else (),
        objects=(at.object,) if at else (),
        path=at.path if at else (),
        message=finding.message,
        fix=finding.fix,
        place=place,
        exact=is_exact,
        related=tuple(_place(said.overlay, other)[0] for other in finding.related),
        named_path=by_name(said.overlay.resource(at.object).raw, at.path) if at and said.overlay else (),
    )


def _place(overlay: Overlay | None, at: Field | Place) -> tuple[Place, bool]:
    if isinstance(at, Place):
        return at, True
    if overlay is None:
        raise TypeError(f"a rule that looks at several overlays did not say which of them holds {at.object}")
    return overlay.place(at)


def _stale(exceptions: Exceptions, rules: Sequence[Rule]) -> Iterator[LocatedFinding]:
    rule = exception_stale.RULE
    if rule not in rules:
        return
    for entry in exceptions.unused():
        place = Place(entry.file, entry.line)
        for finding in exception_stale.check(
            exception_stale.Unneeded(place, entry.accepted.rule, entry.accepted.object), None
        ):
            yield LocatedFinding(rule.id, rule.severity, (), (), (), finding.message, finding.fix, place)


def _merged(findings: Sequence[LocatedFinding]) -> Iterator[LocatedFinding]:
    """One finding for the same cause: the same place and words, whatever the overlay and the object."""
    groups: dict[tuple[Any, ...], list[LocatedFinding]] = defaultdict(list)
    for finding in findings:
        groups[(finding.rule, finding.place, finding.message, finding.note)].append(finding)
    for group in groups.values():
        if len(group) == 1:
            yield group[0]
            continue
        overlays = dict.fromkeys(name for finding in group for name in finding.overlays)
        objects: dict[tuple[str, str], ObjectRef] = {}
        for ref in (ref for finding in group for ref in finding.objects):  # the first is the one that the path is of
            objects.setdefault((ref.kind, ref.name), ref)
        severity = min((finding.severity for finding in group), key=_SEVERITIES.index)
        yield replace(group[0], overlays=tuple(overlays), objects=tuple(objects.values()), severity=severity)


def _merged_accepted(accepted: Sequence[Accepted]) -> Iterator[Accepted]:
    """One for the same cause that the same exception accepts in several overlays."""
    groups: dict[tuple[str, str, datetime.date], list[LocatedFinding]] = defaultdict(list)
    for item in accepted:
        groups[(item.reason, item.owner, item.expires)].append(item.finding)
    for terms, findings in groups.items():
        for finding in _merged(findings):
            yield Accepted(finding, *terms)


def _no_objects(overlays: Sequence[Overlay]) -> Iterator[LocatedSkip]:
    """What no rule looks at, which is said: documents without a kind and an API version, and Helm charts."""
    for overlay in overlays:
        reasons = [f"{path} is a Helm chart: check what it renders" for path in overlay.target.charts]
        if overlay.unjudged:
            first, *more = overlay.unjudged
            are = (
                f"and {len(more)} more are no Kubernetes objects: they have"
                if more
                else "is no Kubernetes object: it has"
            )
            reasons.append(f"{first} {are} no apiVersion and kind")
        for reason in reasons:
            yield LocatedSkip(schema_valid.RULE.id, (overlay.name,), None, reason)


def _merged_skips(skips: Sequence[LocatedSkip]) -> Iterator[LocatedSkip]:
    groups: dict[tuple[Any, ...], list[LocatedSkip]] = defaultdict(list)
    for skip in skips:
        about = (skip.object.kind, skip.object.name) if skip.object else None
        groups[(skip.rule, about, skip.reason)].append(skip)
    for group in groups.values():
        yield replace(group[0], overlays=tuple(dict.fromkeys(name for skip in group for name in skip.overlays)))


def _order(finding: LocatedFinding) -> tuple[Any, ...]:
    return (_SEVERITIES.index(finding.severity), finding.place, finding.rule, finding.message)


def _overlay_result(
    target: Target, overlays: dict[int, Overlay], errors: dict[Target, PolicyError], comparison: _Comparison
) -> OverlayResult:
    overlay = overlays.get(id(target))
    if overlay is None:
        return OverlayResult(target.name, str(target.path), 0, (), (errors[target],))
    return OverlayResult(
        target.name, str(target.path), len(overlay.index.resources), comparison.versions, tuple(overlay.errors)
    )
