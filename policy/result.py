"""The result of a run, as reports take it: findings at their lines, what was accepted, skipped, or could not run."""

from __future__ import annotations

import datetime
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import NamedTuple, overload

import msgspec

from policy.errors import PolicyError
from policy.findings import FieldPath, ObjectRef, Place, Severity


class LocatedFinding(msgspec.Struct, frozen=True):
    """A finding at the source line that is to be edited.

    The same cause seen in several overlays, or in several objects that share a source, is one finding. ``path`` is the
    field in the first of the rendered objects, ``named_path`` the same with list items by name instead of by index.
    ``exact`` is False where only the nearest known place could be told.
    """

    rule: str
    severity: Severity
    overlays: tuple[str, ...]
    objects: tuple[ObjectRef, ...]
    path: FieldPath
    message: str
    fix: str | None
    place: Place
    exact: bool = True
    related: tuple[Place, ...] = ()
    note: str | None = None
    named_path: tuple[str, ...] = ()

    @property
    def kind(self) -> Kind:
        """What it is counted as."""
        return Kind(self.rule, self.severity, self.overlays)


class Kind(NamedTuple):
    """What reports count findings by."""

    rule: str
    severity: Severity
    overlays: tuple[str, ...]


Tally = Counter[Kind]
"""How many findings there are of each kind."""


class Findings(Sequence[LocatedFinding]):
    """The findings of a run, the gravest first, then by place.

    To count them (``len``, ``tally``) or to have the ``first`` of each rule may cost much less than to have all: a
    stream has tens of thousands.
    """

    def __init__(self, findings: Iterable[LocatedFinding] = ()) -> None:
        self._given = tuple(findings)

    @cached_property
    def _all(self) -> tuple[LocatedFinding, ...]:
        return self._given

    def __len__(self) -> int:
        return len(self._all)

    @overload
    def __getitem__(self, index: int) -> LocatedFinding: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[LocatedFinding, ...]: ...
    def __getitem__(self, index: int | slice) -> LocatedFinding | tuple[LocatedFinding, ...]:
        return self._all[index]

    def __iter__(self) -> Iterator[LocatedFinding]:
        return iter(self._all)

    @cached_property
    def tally(self) -> Tally:
        """How many there are of each kind."""
        return Tally(finding.kind for finding in self._all)

    def first(self, count: int) -> tuple[LocatedFinding, ...]:
        """The first ``count`` of each rule, and what the rule says besides at the place of the last of them."""
        taken: Counter[str] = Counter()
        last: dict[str, tuple[Severity, Place]] = {}
        chosen = []
        for finding in self._all:
            at = (finding.severity, finding.place)
            if taken[finding.rule] < count or last[finding.rule] == at:
                taken[finding.rule] += 1
                last[finding.rule] = at
                chosen.append(finding)
        return tuple(chosen)


class LocatedSkip(msgspec.Struct, frozen=True):
    """What a rule could not judge, where and why."""

    rule: str
    overlays: tuple[str, ...]
    object: ObjectRef | None
    reason: str


class Accepted(msgspec.Struct, frozen=True):
    """A finding that an exception of policy.toml accepts."""

    finding: LocatedFinding
    reason: str
    owner: str
    expires: datetime.date


class OverlayResult(msgspec.Struct, frozen=True):
    """One overlay: how many objects it has, which Kubernetes versions' schemas it fits, what could not be read.

    ``schema_versions`` is empty where schemas were not compared.
    """

    name: str
    path: str
    objects: int
    schema_versions: tuple[str, ...]
    errors: tuple[PolicyError, ...] = ()


class Result(msgspec.Struct, frozen=True):
    """Everything that one run found. ``errors`` are those that belong to no single overlay.

    ``baselined`` are findings that the baseline lists, ``mended`` is how many of those it lists are found no longer.
    """

    overlays: tuple[OverlayResult, ...]
    findings: Findings
    skipped: tuple[LocatedSkip, ...]
    accepted: tuple[Accepted, ...]
    rules: int
    errors: tuple[PolicyError, ...] = ()
    baselined: tuple[LocatedFinding, ...] = ()
    mended: int = 0

    @property
    def all_errors(self) -> tuple[PolicyError, ...]:
        """What could not run, of the whole run and of each overlay."""
        return (*self.errors, *(error for overlay in self.overlays for error in overlay.errors))

    def exit_code(self, *, strict: bool) -> int:
        """0 clean, 1 findings (with ``strict`` also warnings and skips), 2 could not run."""
        if self.all_errors:
            return 2
        if any(kind.severity is Severity.ERROR for kind in self.findings.tally):
            return 1
        return 1 if strict and (self.findings or self.skipped) else 0


_HASH = re.compile(r"-[2456789bcdfghkmt]{10}$")
"""What Kustomize appends to the name of an object that it generates; it changes with every value inside."""
_LINE_NUMBER = re.compile(r"(\bline |\.(?:ya?ml|json|toml):)\d+")


def fingerprints(findings: Iterable[LocatedFinding]) -> list[str]:
    """What makes each finding the same one on another day: 16 hexadecimal digits, a colon, and a count.

    Made of rule, file, object, field and message, so that it survives when lines move, when lists are reordered and
    when the same cause shows in one overlay more. The count tells apart what would otherwise be the same.
    """
    import hashlib  # only some reports need it

    seen: Counter[str] = Counter()
    result = []
    for finding in findings:
        about = (finding.objects[0].kind, _own_name(finding.objects[0])) if finding.objects else ()
        message = _LINE_NUMBER.sub(r"\1", finding.message)
        parts = (finding.rule, finding.place.file, *about, *finding.named_path, message)
        digest = hashlib.sha256("\0".join(parts).encode(errors="backslashreplace")).hexdigest()[:16]
        seen[digest] += 1
        result.append(f"{digest}:{seen[digest]}")
    return result


def _own_name(ref: ObjectRef) -> str:
    return _HASH.sub("", ref.name) if ref.kind in ("ConfigMap", "Secret") else ref.name
