"""One target, read: its objects, the text of each, and where each field comes from."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from policy.errors import PolicyError, SourceError
from policy.findings import Field, FieldPath, ObjectRef, Place
from policy.manifests.decode import resources_of
from policy.manifests.index import Index
from policy.manifests.load import load_texts, paused_garbage_collector
from policy.manifests.resources import Resource
from policy.targets import STREAM, Target, TargetKind

if TYPE_CHECKING:
    from policy.kustomize.origin import Origins
    from policy.kustomize.parse import DuplicateKey
    from policy.kustomize.quick import QuickPlaces
    from policy.kustomize.sources import SourceTree

MAX_BYTES = 64 * 1024 * 1024
"""More than any repository renders; a larger file is refused before it is parsed."""
_MERGE_KEY = "<<"
_KEPT = 64
"""Documents whose marks are kept; they take more than ten times the memory of the text."""


class Document(msgspec.Struct, frozen=True):
    """One YAML document: its text and where it starts; ``file`` is empty for what kustomize rendered.

    ``is_plain`` says that ``policy.manifests.blocks`` reads it.
    """

    text: str
    file: str
    line: int
    is_plain: bool


class Overlay(msgspec.Struct, dict=True):
    """A target's objects and their origins.

    ``tree`` is None where the input is no kustomization. ``errors`` are files that could not be read, ``unjudged`` are
    documents that are no Kubernetes objects.
    """

    target: Target
    documents: list[Document]
    index: Index
    tree: SourceTree | None = None
    errors: list[PolicyError] = msgspec.field(default_factory=list)
    unjudged: list[Place] = msgspec.field(default_factory=list)
    _plain: dict[int, Origins] = msgspec.field(default_factory=dict)
    _quick: tuple[int, QuickPlaces] | None = None

    @property
    def name(self) -> str:
        return self.target.name

    def text_of(self, resource: Resource) -> str:
        """The resource as a document of its own."""
        text = self.documents[resource.document].text
        # kubeconform takes a key that is merged and overridden for one that stands twice: it gets what was read.
        is_merged = _MERGE_KEY in text and not any(self.repeated_keys(resource))
        return json.dumps(resource.raw, default=str) if resource.prefix or is_merged else text

    def repeated_keys(self, resource: Resource) -> Iterator[tuple[FieldPath, DuplicateKey]]:
        """The mappings in which a plain manifest has a key twice, and which key that is."""
        from policy.kustomize.marks import Source, path_to  # hardly any document is asked
        from policy.kustomize.parse import Shift, parse

        document = self.documents[resource.document]
        parsed = parse(document.text, Source(document.file), shift=Shift(lines=document.line - 1))
        for again in parsed.duplicate_keys:
            yield next(path for root in parsed.roots if (path := path_to(again.holder, root)) is not None), again

    @cached_property
    def origins(self) -> Origins | None:
        """Where its fields come from; None for plain manifests."""
        if self.tree is None:
            return None
        from policy.kustomize.origin import Origins  # plain manifests need nothing of Kustomize

        return Origins(self.tree)

    @cached_property
    def _resources(self) -> dict[ObjectRef, Resource]:
        return {resource.ref: resource for resource in reversed(self.index.resources)}

    def resource(self, ref: ObjectRef) -> Resource:
        """The resource of that reference; every finding names one of the overlay."""
        return self._resources[ref]

    @cached_property
    def is_one_stream(self) -> bool:
        """Whether it is one file of plain manifests, read once, and each object is a document of its own."""
        is_one = self.tree is None and len(self.target.files) <= 1
        return is_one and not any(resource.prefix for resource in self.index.resources)

    def document_of(self, ref: ObjectRef) -> Document:
        """The document that holds the object."""
        return self.documents[self._resources[ref].document]

    def place(self, at: Field | Place) -> tuple[Place, bool]:
        """The source place of a rendered field, and whether it is exact."""
        if isinstance(at, Place):
            return at, True
        resource = self.resource(at.object)
        if self.origins is None and not resource.prefix:
            found = self._by_indentation(resource.document, at.path)
            if found is not None:
                return found, True
        try:
            origin = (self.origins or self._origins_of_document(resource.document)).place(resource.raw, at.path)
        except SourceError:
            document = self.documents[resource.document]
            return Place(document.file or str(self.target.path), document.line), False
        return origin.place, origin.exact

    def _by_indentation(self, number: int, path: FieldPath) -> Place | None:
        """The place in a document that needs no parsing with marks, None where it does."""
        document = self.documents[number]
        if not document.is_plain:
            return None
        if self._quick is None or self._quick[0] != number:
            from policy.kustomize.quick import QuickPlaces

            self._quick = number, QuickPlaces(document.text, document.file, document.line)
        return self._quick[1].place(path)

    def _origins_of_document(self, number: int) -> Origins:
        """Read with marks only when a finding asks, and kept while its neighbours do: a stream has many documents."""
        if number not in self._plain:
            from policy.kustomize.origin import Origins

            if len(self._plain) == _KEPT:
                del self._plain[next(iter(self._plain))]
            document = self.documents[number]
            self._plain[number] = Origins.from_text(document.text, file=document.file, first_line=document.line)
        return self._plain[number]


def from_render(target: Target, text: str, tree: SourceTree) -> Overlay:
    """The overlay that kustomize rendered.

    Raises:
        SourceError: the render cannot be read, or holds no object.
    """
    documents: list[Document] = []
    unjudged: list[Place] = []
    with paused_garbage_collector():
        index = Index(_told_apart(_resources(text, "", str(target.path), documents, unjudged)))
    if not index.resources:
        raise SourceError("renders no object", file=tree.root.file.name)
    return Overlay(target, documents, index, tree, unjudged=unjudged)


def unrendered(target: Target, tree: SourceTree, error: PolicyError) -> Overlay:
    """An overlay that kustomize refused: without objects, but its sources can still be judged."""
    from policy.kustomize.blame import at_its_line

    return Overlay(target, [], Index(()), tree, errors=[at_its_line(error, tree)])


def from_manifests(target: Target, repository: Path) -> Overlay:
    """The overlay of plain manifest files, or of a stream on standard input; a broken file does not hide the others.

    Places name files relative to ``repository``, or absolutely where they lie outside of it.

    Raises:
        SourceError: there is no object in any of them.
    """
    documents: list[Document] = []
    unjudged = [Place(_name(file, repository), 1) for file in target.others]
    errors: list[PolicyError] = []
    with paused_garbage_collector():
        resources = list(_told_apart(_of_files(target, repository, documents, unjudged, errors)))
        index = Index(resources)
    if not resources and not errors and not target.may_be_empty:
        name = "standard input" if target.kind is TargetKind.STREAM else target.name
        raise SourceError("holds no Kubernetes object", file=name)
    return Overlay(target, documents, index, None, errors, unjudged)


def _of_files(
    target: Target, repository: Path, documents: list[Document], unjudged: list[Place], errors: list[PolicyError]
) -> Iterator[Resource]:
    sources = [Path(STREAM)] if target.kind is TargetKind.STREAM else target.files
    for file in sources:
        name = "<stdin>" if target.kind is TargetKind.STREAM else _name(file, repository)
        try:
            yield from _resources(_read(file, name), name, name, documents, unjudged)
        except PolicyError as error:
            errors.append(error)


def _name(file: Path, repository: Path) -> str:
    path = file.resolve()
    return str(path.relative_to(repository) if path.is_relative_to(repository) else path)


def _read(file: Path, name: str) -> str:
    try:
        if file == Path(STREAM):
            raw = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            with file.open("rb") as stream:
                raw = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise SourceError(f"cannot be read: {error.strerror}", file=name) from error
    if len(raw) > MAX_BYTES:
        raise SourceError(f"is larger than {MAX_BYTES >> 20} MiB", file=name)
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise SourceError("is not UTF-8", file=name, line=line) from error


def _resources(text: str, file: str, name: str, documents: list[Document], unjudged: list[Place]) -> Iterator[Resource]:
    # All are read before the first is judged: a stream that breaks off says nothing of the objects before.
    for read in list(load_texts(text, name)):
        if read.value is None:
            continue
        number = len(documents)
        documents.append(Document(read.text, file, read.line, read.is_plain))
        found = list(resources_of(read.value, number))
        objects = [item for item in found if item.ref.kind or item.ref.api_version]
        yield from objects
        if not found or len(objects) < len(found):
            unjudged.append(Place(file or name, read.line))


def _told_apart(resources: Iterable[Resource]) -> Iterator[Resource]:
    """Objects of the same name, as two folders of plain manifests may hold them, get references of their own."""
    seen: dict[ObjectRef, int] = {}
    for resource in resources:
        copies = seen[resource.ref] = seen.get(resource.ref, -1) + 1
        yield replace(resource, ref=replace(resource.ref, copy=copies)) if copies else resource
