"""Objects x schemas of Kubernetes -> what schema-valid says, or why they could not be compared."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

import msgspec

from policy import schema
from policy.engine.running import Said, context_of
from policy.errors import PolicyError
from policy.findings import Field, ObjectRef
from policy.manifests.resources import Resource
from policy.overlay import Overlay
from policy.result import LocatedSkip
from policy.rules.configuration import schema_valid
from policy.rules.rule import Rule
from policy.schema import SchemaProblem
from policy.settings import Settings
from policy.tools import find_tool


class Comparison(msgspec.Struct, frozen=True):
    """What comparing with schemas said; ``versions`` are those compared with, none where it did not run."""

    said: list[Said]
    versions: tuple[str, ...] = ()
    error: PolicyError | None = None


def compare_schemas(overlays: Sequence[Overlay], settings: Settings, rules: Sequence[Rule]) -> Comparison:
    """Compares the objects of all overlays at once, where the rule is on."""
    rule = schema_valid.RULE
    active = [
        (overlay, *known)
        for overlay in overlays
        if rule in rules and (known := context_of(rule, overlay, settings)) is not None
    ]
    if not active:
        return Comparison([])
    resources = [(overlay, resource) for overlay, _, _ in active for resource in overlay.index.resources]
    try:
        problems = schema.validate(
            [overlay.text_of(resource) for overlay, resource in resources],
            versions=settings.kubernetes,
            crds=[settings.root / path for path in settings.crds],
            kubeconform=find_tool("kubeconform", wanted=settings.tools.get("kubeconform"), root=settings.root),
        )
    except PolicyError as error:
        return Comparison([], error=error)
    mismatches: dict[int, list[schema_valid.Mismatch]] = defaultdict(list)
    refused = set()
    for problem in problems:
        overlay, resource = resources[problem.index]
        refused.add((id(overlay), resource.ref))
        mismatches[id(overlay)].extend(_mismatches(problem, overlay, resource))
    for overlay, _, _ in active:
        mismatches[id(overlay)].extend(_undecodable(overlay, refused))
    said = [
        Said(rule, severity, overlay, [what for one in mismatches[id(overlay)] for what in rule.check(one, context)])
        for overlay, context, severity in active
    ]
    return Comparison(said, settings.kubernetes)


def _mismatches(problem: SchemaProblem, overlay: Overlay, resource: Resource) -> Iterator[schema_valid.Mismatch]:
    repeated = list(overlay.repeated_keys(resource)) if problem.message == schema.REPEATED_KEY else []
    if not repeated:  # any other problem, or keys that differ in writing only: yes and true
        yield schema_valid.Mismatch(Field(resource.ref, problem.path), problem.message, problem.versions, problem.fix)
    for path, again in repeated:
        first, second = again.first.line, again.place.line
        where = f"line {first}" if first == second else f"lines {first} and {second}"
        message = f"{again.key} stands twice in this mapping, in {where}"
        fix = "keep the one that is meant and delete the other"
        yield schema_valid.Mismatch(Field(resource.ref, path), message, problem.versions, fix)


def _undecodable(overlay: Overlay, refused: set[tuple[int, ObjectRef]]) -> Iterator[schema_valid.Mismatch]:
    """Fields of another type than their kind prescribes, of objects that no schema refused."""
    for resource, error in overlay.index.undecodable:
        if (id(overlay), resource.ref) not in refused:
            yield schema_valid.Mismatch(Field(resource.ref, error.path), error.message)


def lost_fields(overlays: Sequence[Overlay], settings: Settings, rules: Sequence[Rule]) -> Iterator[LocatedSkip]:
    """Fields of a wrong type that no rule saw, where schema-valid does not run and so does not tell them."""
    for overlay in overlays:
        if schema_valid.RULE in rules and settings.rule(schema_valid.RULE, overlay.name).enabled:
            continue
        for resource, error in overlay.index.undecodable:
            field = ".".join(map(str, error.path))
            said = f"it {error.message}" if error.message.startswith("must ") else error.message
            reason = f"{field} was not looked at: {said}"
            yield LocatedSkip(schema_valid.RULE.id, (overlay.name,), resource.ref, reason)


def no_objects(overlays: Sequence[Overlay], settings: Settings) -> Iterator[LocatedSkip]:
    """What no rule looks at, which is said: documents without a kind and an API version, and Helm charts."""
    contract = settings.topology_file
    for overlay in overlays:
        reasons = [f"{path} is a Helm chart: check what it renders" for path in overlay.target.charts]
        unjudged = [place for place in overlay.unjudged if settings.repository / place.file != contract]
        if unjudged:
            first, *more = unjudged
            are = (
                f"and {len(more)} more are no Kubernetes objects: they have"
                if more
                else "is no Kubernetes object: it has"
            )
            reasons.append(f"{first} {are} no apiVersion and kind")
        for reason in reasons:
            yield LocatedSkip(schema_valid.RULE.id, (overlay.name,), None, reason)
