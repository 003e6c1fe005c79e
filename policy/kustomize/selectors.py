"""Which objects a patch or replacement means: Kustomize's ``target``, ``select`` and ``reject``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from policy.kustomize.marks import Map
from policy.kustomize.objects import Identity, Object

_REQUIREMENT = re.compile(
    r"\s*(?P<not>!)?\s*(?P<key>[^\s!=,()<>]+)\s*"
    r"(?:(?P<op>==|=|!=|<|>)\s*(?P<value>[^\s,]*)|(?P<set>in|notin)\s*\((?P<values>[^)]*)\))?\s*(?:,|$)"
)


class SelectorError(Exception):
    """The selector cannot be read; Kustomize refuses it too."""


@dataclass(frozen=True, slots=True)
class Selector:
    """A target: regular expressions for group, version, kind, name and namespace, and label expressions."""

    group: str = ""
    version: str = ""
    kind: str = ""
    name: str = ""
    namespace: str = ""
    labels: str = ""
    annotations: str = ""

    @classmethod
    def read(cls, fields: Map) -> Selector:
        return cls(
            fields.text("group"),
            fields.text("version"),
            fields.text("kind"),
            fields.text("name"),
            fields.text("namespace"),
            fields.text("labelSelector"),
            fields.text("annotationSelector"),
        )

    @property
    def is_identity(self) -> bool:
        """Whether it says anything beyond label expressions."""
        return any((self.group, self.version, self.kind, self.name, self.namespace))

    def matches_kind(self, identity: Identity) -> bool:
        return (
            _fits(self.group, identity.group)
            and _fits(self.version, identity.version)
            and _fits(self.kind, identity.kind)
        )

    def matches(self, identity: Identity) -> bool:
        """Whether one identity fits, its namespace taken as it is written."""
        return (
            self.matches_kind(identity)
            and _fits(self.name, identity.name)
            and _fits(self.namespace, identity.namespace)
        )

    def matches_labels(self, object: Object) -> bool:
        return matches_expression(self.labels, object.texts("labels")) and matches_expression(
            self.annotations, object.texts("annotations")
        )

    def selects(self, object: Object) -> bool:
        """Whether a patch with this target applies: by the original or by the present name and namespace."""
        now, original = object.identity, object.original
        return (
            (_fits(self.namespace, original.effective_namespace) or _fits(self.namespace, now.effective_namespace))
            and (_fits(self.name, original.name) or _fits(self.name, now.name))
            and self.matches_kind(now)
            and self.matches_labels(object)
        )


def _fits(pattern: str, text: str) -> bool:
    if not pattern:
        return True
    try:
        return re.fullmatch(f"(?:{pattern})", text) is not None
    except re.error as error:
        raise SelectorError(f"{pattern!r} is no regular expression") from error


def matches_expression(expression: str, labels: dict[str, str]) -> bool:
    """Whether labels satisfy a label expression, e.g. ``app=web,tier in (a, b),!legacy``."""
    position = 0
    while position < len(expression.rstrip()):
        match = _REQUIREMENT.match(expression, position)
        if match is None:
            raise SelectorError(f"{expression!r} is no label expression")
        position = match.end()
        if not _satisfies(match, labels):
            return False
    return True


def _satisfies(match: re.Match[str], labels: dict[str, str]) -> bool:
    has = match["key"] in labels
    text = labels.get(match["key"], "")
    if match["set"]:
        among = text in {each.strip() for each in match["values"].split(",")}
        return (has and among) if match["set"] == "in" else not (has and among)
    if match["op"] in ("=", "=="):
        return has and text == match["value"]
    if match["op"] == "!=":
        return not has or text != match["value"]
    if match["op"]:
        try:
            number, bound = int(text), int(match["value"])
        except ValueError:
            return False
        return number > bound if match["op"] == ">" else number < bound
    return not has if match["not"] else has
