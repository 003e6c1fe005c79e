"""Findings that policy.toml accepts for a while: who matches, who has expired, who is no longer needed."""

from __future__ import annotations

import datetime
from collections import defaultdict
from fnmatch import fnmatchcase

from policy.findings import Field, Finding
from policy.overlay import Overlay
from policy.settings import PolicyException

_CONTAINER_LISTS = frozenset({"containers", "initContainers", "ephemeralContainers"})


class Exceptions:
    """The exceptions of policy.toml on one day; remembers which were needed."""

    def __init__(self, entries: tuple[PolicyException, ...], today: datetime.date) -> None:
        self._entries = entries
        self._by_rule: defaultdict[str, list[tuple[int, PolicyException]]] = defaultdict(list)
        for number, entry in enumerate(entries):
            self._by_rule[entry.accepted.rule].append((number, entry))
        self._today = today
        self._used: set[int] = set()

    def speak_of(self, rule: str) -> bool:
        """Whether there is any about the rule."""
        return rule in self._by_rule

    def match(self, rule: str, overlay: Overlay | None, finding: Finding) -> PolicyException | None:
        """The exception that speaks of this finding: one that still counts, else one that has expired.

        All that speak of it are needed: which of them is first in the file says nothing.
        """
        found: PolicyException | None = None
        for number, entry in self._by_rule.get(rule, ()):
            if _speaks_of(entry, overlay, finding):
                self._used.add(number)
                if found is None or (self.has_expired(found) and not self.has_expired(entry)):
                    found = entry
        return found

    def has_expired(self, entry: PolicyException) -> bool:
        """The day itself still counts."""
        return entry.accepted.expires < self._today

    def unused(self) -> list[PolicyException]:
        """The exceptions that no finding needed so far."""
        return [entry for number, entry in enumerate(self._entries) if number not in self._used]


def _speaks_of(entry: PolicyException, overlay: Overlay | None, finding: Finding) -> bool:
    accepted = entry.accepted
    return (
        (not accepted.environments or (overlay is not None and overlay.name in accepted.environments))
        and fnmatchcase(_subject(finding), accepted.object)
        and (accepted.container is None or accepted.container == _container(overlay, finding))
    )


def _subject(finding: Finding) -> str:
    return str(finding.at.object) if isinstance(finding.at, Field) else finding.at.file


def _container(overlay: Overlay | None, finding: Finding) -> str | None:
    """The name of the container that the finding's field is in."""
    if overlay is None or not isinstance(finding.at, Field):
        return None
    value: object = overlay.resource(finding.at.object).raw
    for step, following in zip(finding.at.path, (*finding.at.path[1:], None), strict=True):
        value = value.get(step) if isinstance(value, dict) else None
        if (
            step in _CONTAINER_LISTS
            and isinstance(following, int)
            and isinstance(value, list)
            and following < len(value)
        ):
            container = value[following]
            return container.get("name") if isinstance(container, dict) else None
    return None
