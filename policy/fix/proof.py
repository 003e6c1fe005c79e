"""Edits change what they are meant to change, in every overlay that reads the files, and nothing else.

kustomize itself renders each of these overlays from a copy of its files with the edits in it; the repository is not
touched before that. Every object of the result has to be what it was, but for the fields that findings of that very
overlay asked for, with the values that they asked for.

An overlay where a rule finds nothing (because it says otherwise, grants an exception, or needs the field to be absent)
asks for nothing there: an edit of a shared base that would reach it is not made.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec

from policy.errors import PolicyError
from policy.findings import FieldPath
from policy.fix.plan import Edit, Plan, Unit
from policy.fix.remedies import Addition
from policy.kustomize.origin import equal
from policy.kustomize.variants import render_variants
from policy.manifests.load import load_documents
from policy.manifests.paths import by_name
from policy.overlay import Overlay


class Proof(msgspec.Struct, frozen=True, dict=True):
    """What is needed to try edits: the overlays that could be affected, and the kustomize that renders them.

    ``unknown`` says of a file why it cannot be proven what edits of it do, if that is so.
    """

    plan: Plan
    overlays: Sequence[Overlay]
    kustomize: Callable[[], Path]
    unknown: Callable[[Path], str | None]

    def proven(self, units: Sequence[Unit]) -> list[Unit]:
        """The units that may be made together; the others are refused with the reason.

        Where all together do not pass, each half is tried on its own: few edits are wrong, if any.
        """
        certain = []
        for unit in units:
            reason = next(filter(None, map(self.unknown, sorted(unit.files))), None)
            if reason:
                self.plan.refuse(unit, reason)
            else:
                certain.append(unit)
        return self._halves(certain)

    def _halves(self, units: Sequence[Unit]) -> list[Unit]:
        problem = self._problem(units) if units else None
        if problem is None:
            return list(units)
        if len(units) == 1:
            self.plan.refuse(units[0], problem)
            return []
        middle = len(units) // 2
        first, second = self._halves(units[:middle]), self._halves(units[middle:])
        problem = self._problem([*first, *second])
        if problem is not None:
            for unit in second:
                self.plan.refuse(unit, problem)
            return first
        return [*first, *second]

    def _problem(self, units: Sequence[Unit]) -> str | None:
        """What the units would change besides what is wanted; None if that is nothing."""
        texts = self.plan.texts(units)
        edits = [edit for unit in units for edit in unit.edits]
        with ThreadPoolExecutor(max_workers=2) as pool:
            found = pool.map(lambda overlay: self._problem_in(overlay, texts, edits), self.overlays)
            return next(filter(None, found), None)

    def _problem_in(self, overlay: Overlay, texts: Mapping[Path, str], edits: Iterable[Edit]) -> str | None:
        if not set(texts) & files_of(overlay):
            return None
        try:
            after = self._after(overlay, texts)
        except PolicyError as error:
            return f"{overlay.name} would not render any more: {error.message}"
        before = [_values(document.text, overlay.name)[0] for document in overlay.documents]
        wanted = copy.deepcopy(before)
        for edit in edits:
            for addition in edit.wanted_by.get(overlay.name, ()):
                _set(wanted[overlay.resource(addition.at.object).document], addition)
        if len(after) != len(wanted):
            return f"{overlay.name} would render {len(after)} objects instead of {len(wanted)}"
        for was, expected, is_now in zip(before, wanted, after, strict=True):
            if not equal(expected, is_now):
                return _told(overlay, was, expected, is_now)
        return None

    def _after(self, overlay: Overlay, texts: Mapping[Path, str]) -> list[Any]:
        """The documents that the overlay would consist of."""
        if overlay.tree is not None:
            rendered = render_variants(self.kustomize(), overlay.tree, overlay.tree.root.folder, [texts])[0]
            if isinstance(rendered, PolicyError):
                raise rendered
            return _values(rendered, overlay.name)
        result: list[Any] = []
        for name in dict.fromkeys(document.file for document in overlay.documents):
            path = self.plan.places.path(name)
            text = texts.get(path)
            if text is None:
                result.extend(_values(each.text, name)[0] for each in overlay.documents if each.file == name)
            else:
                result.extend(_values(text, name))
        return result


def files_of(overlay: Overlay) -> set[Path]:
    """The files (real paths) that an overlay is made of."""
    if overlay.tree is not None:
        return set(overlay.tree.listed_files)
    return {file.resolve() for file in overlay.target.files}


def _values(text: str, name: str) -> list[Any]:
    return [value for _, value in load_documents(text, name) if value is not None]


def _set(document: Any, addition: Addition) -> None:
    """Put a value into a document, with the mappings that lead there."""
    value = list(addition.value) if isinstance(addition.value, tuple) else addition.value
    holder = document
    for step in addition.at.path[:-1]:
        if isinstance(step, str) and holder.get(step) is None:
            holder[step] = {}
        holder = holder[step]
    holder[addition.at.path[-1]] = value


def _told(overlay: Overlay, was: Any, expected: Any, is_now: Any) -> str:
    """What would be different, in words."""
    metadata = expected.get("metadata") if isinstance(expected, Mapping) else None
    name = metadata.get("name") if isinstance(metadata, Mapping) else None
    kind = expected.get("kind") if isinstance(expected, Mapping) else None
    path = _difference(expected, is_now, ()) or ()
    what = f"{kind}/{name} {'.'.join(by_name(is_now, path)).replace('.[', '[')}"
    if equal(expected, was):
        return f"it would also change {what} in {overlay.name}, where no finding asks for it"
    if equal(was, is_now):
        return f"{overlay.name} would not change, something there goes before it ({what})"
    return f"{what} in {overlay.name} would become another one than is wanted"


def _difference(one: Any, other: Any, path: FieldPath) -> FieldPath | None:
    """The path of the first field that differs."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        for key in dict.fromkeys((*one, *other)):
            if key not in one or key not in other:
                return (*path, key)
            found = _difference(one[key], other[key], (*path, key))
            if found is not None:
                return found
        return None
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for index, (a, b) in enumerate(zip(one, other, strict=True)):
            found = _difference(a, b, (*path, index))
            if found is not None:
                return found
        return None
    return None if equal(one, other) else path
