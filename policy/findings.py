"""What a check says: a finding at a place, or that it could not judge."""

from __future__ import annotations

import enum

import msgspec

FieldPath = tuple[str | int, ...]
"""Keys and list indexes from an object's root, e.g. ``("spec", "containers", 0, "image")``."""


class Severity(enum.Enum):
    """How much a finding matters: an error fails the run, a warning is shown."""

    ERROR = "error"
    WARNING = "warning"


class ObjectRef(msgspec.Struct, frozen=True, order=True, cache_hash=True):
    """Which object, as rendered; ``copy`` counts the further objects of one name that plain manifests may hold."""

    kind: str
    name: str
    namespace: str = ""
    api_version: str = ""
    copy: int = 0

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"


class Place(msgspec.Struct, frozen=True, order=True):
    """A span of a source file; lines and columns are 1-based, ``end_column`` is exclusive and on the same line."""

    file: str
    line: int
    column: int = 1
    end_column: int | None = None

    @property
    def start(self) -> tuple[str, int, int]:
        """Where it begins, to sort by: of spans over several lines it is not known where they end."""
        return self.file, self.line, self.column

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class Field(msgspec.Struct, frozen=True):
    """A field of a rendered object; the field may be absent, then it is where it belongs."""

    object: ObjectRef
    path: FieldPath = ()

    def __getitem__(self, step: str | int) -> Field:
        """A field inside this one."""
        return Field(self.object, (*self.path, step))


class Finding(msgspec.Struct, frozen=True):
    """What a rule yields: where (a rendered field, or a place in a source file) and what is wrong there.

    ``severity`` is given only where this finding matters less than its rule does; ``overlay``, the one that the field
    is in, only by rules that look at several overlays at once.
    """

    at: Field | Place
    message: str
    fix: str | None = None
    related: tuple[Field | Place, ...] = ()
    severity: Severity | None = None
    overlay: str | None = None


class Skipped(msgspec.Struct, frozen=True):
    """What a rule yields when it cannot judge: never a pass, shown and counted."""

    at: Field | Place | None
    reason: str
