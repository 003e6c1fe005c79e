"""Which findings are old: those that the baseline file lists do not fail a run, and a mended one leaves the list.

A finding is the same one on another day if its rule, file, object and field are the same. Lines, values, the order of
lists and the wording of messages may change; the namespace and the hash that Kustomize appends to the name of a
generated object do not count. A finding without an object is told by its message, without the numbers in it. Where the
file is gone, a finding of another file that is the same otherwise has moved with its object.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from policy.findings import ObjectRef
from policy.patterns import Pattern
from policy.result import LocatedFinding

_NUMBER = Pattern(r"\d+")
_HASH = Pattern(r"-[2456789bcdfghkmt]{10}$")
"""What Kustomize appends (api/hasher: ten hexadecimal digits, those that could spell a word replaced)."""
_HASHED = frozenset({"ConfigMap", "Secret"})


class Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One line of the baseline: a finding, or ``count`` findings that only their values tell apart.

    ``environments`` are those that have it; none for what is found outside of the environments of policy.toml.
    """

    file: str
    object: str = ""
    field: str = ""
    rule: str
    message: str = ""
    environments: tuple[str, ...] = ()
    count: int = 1

    @property
    def key(self) -> Key:
        return Key(self.file, self.object, self.field, self.rule, self.message)


class Key(NamedTuple):
    """What makes a finding the same one on another day; lines are sorted by it."""

    file: str
    object: str
    field: str
    rule: str
    message: str

    @property
    def without_file(self) -> tuple[str, ...]:
        return self[1:]


class Coverage(msgspec.Struct, frozen=True):
    """What a run has judged, so that what it did not find is mended and not only out of its sight.

    ``rules`` ran in full; ``overlays`` and ``files`` (relative to the repository) were read without an error;
    ``skipped`` are (rule, overlay, object as ``Kind/name``) that could not be judged, empty where all are meant.
    """

    rules: Collection[str]
    overlays: Collection[str]
    files: Collection[str]
    skipped: frozenset[tuple[str, str, str]] = frozenset()

    def is_skipped(self, entry: Entry, environment: str) -> bool:
        overlays = {"", environment} if environment else {overlay for _, overlay, _ in self.skipped}
        return any((entry.rule, overlay, about) in self.skipped for overlay in overlays for about in ("", entry.object))


class Baseline:
    """The baseline during one run: takes the findings that it knows, and remembers the others.

    ``environments`` are the names of policy.toml; ``has_file`` tells whether a file is still in the repository.
    ``coverage`` is set when the run has ended.
    """

    def __init__(
        self, entries: Iterable[Entry], environments: Collection[str], has_file: Callable[[str], bool]
    ) -> None:
        self.entries = merged(entries)
        self.coverage: Coverage | None = None
        self._environments = environments
        self._has_file = has_file
        self._listed = {entry.key: entry for entry in self.entries}
        self._moved: defaultdict[tuple[str, ...], list[Entry]] = defaultdict(list)
        gone = {file for file in {entry.file for entry in self.entries} if not has_file(file)}
        for entry in self.entries:
            if entry.file in gone:
                self._moved[entry.key.without_file].append(entry)
        self._used: Counter[tuple[Key, str]] = Counter()
        self._taken: defaultdict[Key, Counter[tuple[Key, str]]] = defaultdict(Counter)
        self._others: Counter[tuple[Key, str]] = Counter()
        self._found: dict[tuple[Key, int], LocatedFinding] = {}

    def takes(self, finding: LocatedFinding) -> bool:
        """Whether the baseline lists this finding of one overlay; each call stands for one finding."""
        key = key_of(finding)
        overlay = finding.overlays[0] if finding.overlays else ""
        for entry in self._candidates(key):
            is_listed = overlay not in self._environments or not entry.environments or overlay in entry.environments
            if is_listed and self._used[entry.key, overlay] < entry.count:
                self._used[entry.key, overlay] += 1
                self._taken[entry.key][key, overlay] += 1
                self._remember(finding, (key, self._used[entry.key, overlay]))
                return True
        self._others[key, overlay] += 1
        return False

    def _remember(self, finding: LocatedFinding, name: tuple[Key, int]) -> None:
        known = self._found.get(name, finding)
        overlays = tuple(dict.fromkeys((*known.overlays, *finding.overlays)))
        self._found[name] = replace(known, overlays=overlays)

    @property
    def found(self) -> tuple[LocatedFinding, ...]:
        """The findings that it took, each with the overlays that have it: as many as its entries list."""
        return tuple(self._found.values())

    def _candidates(self, key: Key) -> Iterator[Entry]:
        if key in self._listed:
            yield self._listed[key]
        yield from self._moved.get(key.without_file, ())

    @property
    def mended(self) -> int:
        """How many of its findings the run looked for and did not find, at least in one environment."""
        return sum(_lost(entry, tuple(self._left_of(entry))) for entry in self.entries)

    def left(self) -> tuple[Entry, ...]:
        """The entries without what is mended, at the files where they are now. Never more than there were."""
        return merged(left for entry in self.entries for left in self._left_of(entry))

    def _left_of(self, entry: Entry) -> Iterator[Entry]:
        unjudged = tuple(name for name in entry.environments or ("",) if not self._is_judged(entry, name))
        if unjudged:
            yield msgspec.structs.replace(entry, environments=tuple(filter(None, unjudged)))
        for (key, overlay), count in self._taken[entry.key].items():
            if overlay in entry.environments and overlay not in unjudged:
                yield _entry(key, (overlay,), count)
            elif not entry.environments and not unjudged:
                yield _entry(key, (), count)

    def _is_judged(self, entry: Entry, environment: str) -> bool:
        run = self.coverage
        if environment and environment not in self._environments:
            return True  # policy.toml names it no longer
        if run is None or entry.rule not in run.rules or run.is_skipped(entry, environment):
            return False
        if environment:
            return environment in run.overlays
        return entry.file in run.files or not self._has_file(entry.file)

    def others(self) -> tuple[Entry, ...]:
        """The findings that the baseline does not list."""
        return merged(self._as_entry(key, overlay, count) for (key, overlay), count in self._others.items())

    def grown(self) -> tuple[Entry, ...]:
        """What is left, and the findings that it does not list."""
        found = self._others.copy()
        for taken in self._taken.values():
            for name, count in taken.items():
                found[name] += count if name in found else 0
        return merged((*self.left(), *(self._as_entry(*name, count) for name, count in found.items())))

    def _as_entry(self, key: Key, overlay: str, count: int) -> Entry:
        return _entry(key, (overlay,) if overlay in self._environments else (), count)


def merged(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """One entry for each key, sorted: all environments, and the highest count of any of them."""
    by_key: dict[Key, Entry] = {}
    for entry in entries:
        known = by_key.get(entry.key, entry)
        names = tuple(sorted({*known.environments, *entry.environments}))
        by_key[entry.key] = msgspec.structs.replace(entry, environments=names, count=max(known.count, entry.count))
    return tuple(entry for _, entry in sorted(by_key.items()))


def _lost(entry: Entry, left: Collection[Entry]) -> int:
    """How many findings of the entry are not among what is left of it."""
    count = max((each.count for each in left), default=0)
    names = {name for each in left for name in each.environments}
    return max(entry.count - count, int(names != set(entry.environments)))


def key_of(finding: LocatedFinding) -> Key:
    """What makes the finding the same one on another day."""
    about = name_of(finding.objects[0]) if finding.objects else ""
    steps = (step if step.startswith("[") else f".{step}" for step in finding.named_path)
    message = "" if about else _NUMBER.sub("#", finding.message)
    parts = (finding.place.file, about, "".join(steps).removeprefix("."), finding.rule, message)
    # A name that is not UTF-8 would not fit into the file.
    return Key(*(part.encode(errors="backslashreplace").decode() for part in parts))


def name_of(ref: ObjectRef) -> str:
    """``Kind/name`` without the hash that Kustomize appends to a generated name."""
    return f"{ref.kind}/{_HASH.sub('', ref.name) if ref.kind in _HASHED else ref.name}"


def _entry(key: Key, environments: tuple[str, ...], count: int) -> Entry:
    return Entry(**key._asdict(), environments=environments, count=count)
