"""Rules x overlays -> findings."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from policy.engine.comparing import Comparison, compare_schemas, lost_fields, no_objects
from policy.engine.judging import judge, stale, without_old
from policy.engine.merging import merged_accepted, merged_skips, order
from policy.engine.placing import findings_of, located
from policy.engine.reading import read_overlays, read_topology
from policy.engine.running import context_of, run_repository_rules, run_rules
from policy.errors import PolicyError
from policy.exceptions import Exceptions
from policy.manifests.load import paused_garbage_collector
from policy.overlay import Overlay
from policy.pool import Pool
from policy.result import LocatedFinding, OverlayResult, Result
from policy.rules.configuration import schema_valid
from policy.rules.rule import Rule
from policy.settings import Settings
from policy.targets import Target

if TYPE_CHECKING:
    from policy.baseline.matching import Baseline


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
    with paused_garbage_collector(), Pool() as pool:
        overlays, errors = read_overlays(targets, settings, pool)
        is_due = any(context_of(schema_valid.RULE, overlay, settings) for overlay in overlays)
        comparison = pool.submit(compare_schemas, overlays, settings, rules) if is_due else None
        topology, unread = read_topology(settings)
        said = [one for overlay in overlays for one in run_rules(overlay, settings, rules, topology, overlays)]
        said.extend(run_repository_rules(overlays, settings, rules))
        outcome = comparison.result() if comparison else Comparison([])
    said.extend(outcome.said)
    exceptions = Exceptions(settings.exceptions, today)
    judged = judge(said, exceptions)
    findings = judged.findings
    if baseline is not None:
        from policy.baseline.coverage import coverage_of

        findings = without_old(findings, baseline)
        ran = [rule for rule in rules if not (outcome.error and rule is schema_valid.RULE)]
        baseline.coverage = coverage_of(overlays, ran, judged.skipped, settings)
    has_read_all = not errors and not outcome.error and not unread and not any(overlay.errors for overlay in overlays)
    unneeded = list(stale(exceptions, rules)) if is_whole_run and has_read_all else []
    skipped = [*judged.skipped, *no_objects(overlays, settings), *lost_fields(overlays, settings, rules)]
    by_target = {id(overlay.target): overlay for overlay in overlays}
    return Result(
        overlays=tuple(_overlay_result(target, by_target, errors, outcome) for target in targets),
        findings=findings_of(findings, unneeded, overlays),
        skipped=tuple(merged_skips(skipped)),
        accepted=tuple(merged_accepted(judged.accepted)),
        rules=len(rules),
        errors=(*unread, *((outcome.error,) if outcome.error else ())),
        baselined=tuple(sorted(baseline.found, key=order)) if baseline else (),
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
    with paused_garbage_collector(), Pool() as pool:
        overlays, errors = read_overlays(targets, settings, pool)
    topology, _ = read_topology(settings)
    said = [one for overlay in overlays for one in run_rules(overlay, settings, rules, topology, overlays)]
    judged = judge(said, Exceptions(settings.exceptions, today))
    return Examined(tuple(overlays), tuple(located(judged.findings)), errors)


def read(targets: Sequence[Target], settings: Settings) -> list[Overlay]:
    """The overlays, each read whole: what is said of them must not be wrong because a part is missing.

    Raises:
        PolicyError: one of them, or a file of it, cannot be read or rendered.
    """
    with paused_garbage_collector(), Pool() as pool:
        overlays, errors = read_overlays(targets, settings, pool)
    for error in (*errors.values(), *(error for overlay in overlays for error in overlay.errors)):
        raise error
    return overlays


def _overlay_result(
    target: Target, overlays: dict[int, Overlay], errors: dict[Target, PolicyError], comparison: Comparison
) -> OverlayResult:
    overlay = overlays.get(id(target))
    if overlay is None:
        return OverlayResult(target.name, str(target.path), 0, (), (errors[target],))
    return OverlayResult(
        target.name, str(target.path), len(overlay.index.resources), comparison.versions, tuple(overlay.errors)
    )
