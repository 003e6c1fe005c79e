"""Findings -> edits of source files, and what every overlay shall render because of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import msgspec

from policy.findings import Field
from policy.fix.insertion import Fields, Value, insert
from policy.fix.places import Places, Spot
from policy.fix.remedies import Addition, NotMechanical, Scene, additions, remedy_for
from policy.overlay import Overlay
from policy.result import LocatedFinding


class Refused(msgspec.Struct, frozen=True):
    """A finding that has a remedy, and why it is not mended: a part of a sentence."""

    finding: LocatedFinding
    reason: str


class Edit(msgspec.Struct):
    """A value written at one spot. ``wanted_by`` is what each overlay (by name) asked for, and thus shall render."""

    spot: Spot
    value: Value
    wanted_by: defaultdict[str, list[Addition]] = msgspec.field(default_factory=lambda: defaultdict(list))
    disagreement: str = ""


class Unit(msgspec.Struct, frozen=True):
    """Edits that are made together or not at all, and the findings that they mend."""

    edits: tuple[Edit, ...]
    findings: tuple[LocatedFinding, ...]

    @property
    def files(self) -> frozenset[Path]:
        return frozenset(edit.spot.file for edit in self.edits)


class Plan:
    """The edits that mend some findings; ``bound`` is as in ``Scene``."""

    def __init__(self, places: Places, bound: Callable[[], frozenset[str] | None]) -> None:
        self.places = places
        self._bound = bound
        self.refused: list[Refused] = []
        self._scenes: dict[str, Scene] = {}
        self._edits: dict[Spot, Edit] = {}
        self._mends: list[tuple[LocatedFinding, tuple[Spot, ...]]] = []

    def mend(self, overlay: Overlay, finding: LocatedFinding) -> None:
        """Plan what mends a finding of an overlay, if its rule has a remedy."""
        try:
            wanted = self._wanted(overlay, finding)
        except NotMechanical as error:
            self.refused.append(Refused(finding, str(error)))
            return
        if wanted:
            for spot, addition in wanted:
                self._edit(overlay, spot, addition)
            self._mends.append((finding, tuple(spot for spot, _ in wanted)))

    def note(self, overlay: Overlay, finding: LocatedFinding) -> None:
        """Note that an overlay has this finding too, so that what is planned already may mend it there as well."""
        try:
            wanted = self._wanted(overlay, finding)
        except NotMechanical:
            return
        for spot, addition in wanted:
            if spot in self._edits:
                self._edit(overlay, spot, addition)

    def _wanted(self, overlay: Overlay, finding: LocatedFinding) -> list[tuple[Spot, Addition]]:
        if not finding.objects or remedy_for(finding.rule, finding.path) is None:
            return []
        scene = self._scenes.setdefault(overlay.name, Scene(overlay.index, self._bound))
        found = additions(finding.rule, scene, Field(finding.objects[0], finding.path)) or ()
        return [(self.places.spot(overlay, addition.at), addition) for addition in found]

    def _edit(self, overlay: Overlay, spot: Spot, addition: Addition) -> None:
        edit = self._edits.setdefault(spot, Edit(spot, addition.value))
        if edit.value != addition.value or type(edit.value) is not type(addition.value):
            others = ", ".join(name for name in edit.wanted_by if name != overlay.name) or "another object"
            edit.disagreement = f"{others} needs {_shown(edit.value)} there, {overlay.name} {_shown(addition.value)}"
        if addition not in edit.wanted_by[overlay.name]:
            edit.wanted_by[overlay.name].append(addition)

    @property
    def files(self) -> set[Path]:
        """The files that would be changed."""
        return {spot.file for spot in self._edits}

    def units(self) -> list[Unit]:
        """The edits in the order of the findings, those of one finding together; findings that disagree are refused.

        Two units may share an edit: a limit takes its request along, which another finding asks for alone.
        """
        groups: defaultdict[tuple[Spot, ...], list[LocatedFinding]] = defaultdict(list)
        for finding, spots in self._mends:
            groups[spots].append(finding)
        found = []
        for spots, findings in groups.items():
            unit = Unit(tuple(self._edits[spot] for spot in spots), tuple(findings))
            disagreement = next((edit.disagreement for edit in unit.edits if edit.disagreement), None)
            if disagreement:
                self.refuse(unit, disagreement)
            else:
                found.append(unit)
        return found

    def refuse(self, unit: Unit, reason: str) -> None:
        self.refused.extend(Refused(finding, reason) for finding in unit.findings)

    def texts(self, units: Iterable[Unit]) -> Mapping[Path, str]:
        """What the files read like with these edits."""
        wanted: defaultdict[Path, dict[int, Fields]] = defaultdict(dict)
        holders = {}
        for edit in (edit for unit in units for edit in unit.edits):
            spot = edit.spot
            holders[spot.file, spot.offset] = self.places.holders[spot]
            fields = wanted[spot.file].setdefault(spot.offset, {})
            for key in spot.keys[:-1]:
                inner = fields.setdefault(key, {})
                assert isinstance(inner, dict)
                fields = inner
            fields[spot.keys[-1]] = edit.value
        return {
            file: insert(
                self.places.files[file].text, [(holders[file, offset], fields) for offset, fields in by_offset.items()]
            )
            for file, by_offset in wanted.items()
        }


def _shown(value: Value) -> str:
    return (
        ", ".join(value) if isinstance(value, tuple) else str(value).lower() if value in (True, False) else str(value)
    )
