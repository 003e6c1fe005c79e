"""One kustomization file, read into its parts, each with the line that states it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from policy.errors import SourceError
from policy.findings import Place
from policy.kustomize.marks import List, Map, Mark, Node, Scalar, Source, at, missing
from policy.kustomize.parse import Parsed
from policy.kustomize.scalars import BOOL, STR

FILE_NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
COMPONENT = "Component"

_FIELDS = """
    apiVersion kind metadata openapi namePrefix nameSuffix namespace commonLabels labels commonAnnotations
    patchesStrategicMerge patchesJson6902 patches images imageTags replacements replicas vars sortOptions resources
    components crds bases configMapGenerator secretGenerator helmGlobals helmCharts helmChartInflationGenerator
    generatorOptions configurations generators transformers validators buildMetadata
"""
_FIELD_OF = {name.lower(): name for name in _FIELDS.split()}
"""Kustomize decodes JSON field names without regard to case."""


@dataclass(slots=True)
class SourceFile:
    """A file of the tree. ``name`` is the path as places show it; ``parsed`` is None for data that is not YAML."""

    path: Path
    name: str
    text: str
    parsed: Parsed | None = None


@dataclass(slots=True)
class Resource:
    """An entry of ``resources`` or ``components``: a file, or a folder with a kustomization of its own."""

    entry: str
    stated: Scalar
    file: SourceFile | None = None
    folder: Path | None = None


@dataclass(slots=True)
class Remote:
    """An entry that names something outside of the repository, which Kustomize would fetch."""

    entry: str
    stated: Scalar


@dataclass(slots=True)
class Patch:
    """A patch entry: strategic merge ``documents`` or JSON 6902 ``operations``, from a file or written inline."""

    entry: str
    place: Place
    target: Map | None = None
    options: Map | None = None
    file: SourceFile | None = None
    documents: tuple[Map, ...] = ()
    operations: tuple[Map, ...] = ()


@dataclass(slots=True)
class Pair:
    """A key of a generated ConfigMap or Secret, its value, and the line that gives it."""

    key: str
    value: bytes
    mark: Mark


@dataclass(slots=True)
class Generator:
    """An entry of ``configMapGenerator`` or ``secretGenerator`` with all that it reads."""

    entry: str
    kind: str
    fields: Map
    pairs: tuple[Pair, ...]


@dataclass(slots=True)
class Kustomization:
    """A kustomization file. Lists are in the order in which the file states them.

    ``root`` holds every field with its marks. ``not_understood`` names the parts whose effect cannot be foreseen here
    (charts, plugins, custom schemas): a value that they touch is reported at the nearest known place.
    """

    folder: Path
    file: SourceFile
    root: Map
    resources: list[Resource] = field(default_factory=list)
    components: list[Resource] = field(default_factory=list)
    patches: list[Patch] = field(default_factory=list)
    generators: list[Generator] = field(default_factory=list)
    replacements: list[tuple[str, Map]] = field(default_factory=list)
    files: list[SourceFile] = field(default_factory=list)
    remotes: list[Remote] = field(default_factory=list)
    not_understood: list[tuple[Place, str]] = field(default_factory=list)
    sources: dict[str, Source] = field(default_factory=dict)

    @property
    def is_component(self) -> bool:
        return self.root.text("kind") == COMPONENT

    def source(self, entry: str) -> Source:
        """The source of changes that an entry of this file makes by itself."""
        known = self.sources.get(entry)
        if known is None:
            known = self.sources[entry] = Source(self.file.name, self.file.name, entry)
        return known

    def mark(self, node: Node, entry: str) -> Mark:
        """Where a node of this file stands, as a change made by ``entry``."""
        return at(node.mark, self.source(entry))

    def error(self, message: str, node: Node | None = None) -> SourceError:
        return SourceError(message, file=self.file.name, line=(node or self.root).mark.line)

    def text(self, name: str) -> Scalar | None:
        """A field that holds text, e.g. ``namespace``; None if it is absent, null or empty."""
        node = self.root.fields.get(name)
        if missing(node):
            return None
        if not isinstance(node, Scalar) or node.tag != STR:
            raise self.error(f"{name} must be text", node)
        return node if node.text else None

    def entries(self, name: str) -> Iterator[tuple[str, Node]]:
        """The items of a list field, each with the name of the entry, e.g. ``("patches[2]", node)``."""
        node = self.root.fields.get(name)
        if missing(node):
            return
        if not isinstance(node, List):
            raise self.error(f"{name} must be a list", node)
        for index, item in enumerate(node.items):
            yield f"{name}[{index}]", item

    def texts(self, name: str) -> Iterator[tuple[str, Scalar]]:
        """The items of a list of texts, e.g. ``resources``."""
        for entry, item in self.entries(name):
            if not isinstance(item, Scalar) or item.tag != STR or not item.text:
                raise self.error(f"{entry} must be text", item)
            yield entry, item

    def maps(self, name: str) -> Iterator[tuple[str, Map]]:
        """The items of a list of mappings, e.g. ``images``."""
        for entry, item in self.entries(name):
            if not isinstance(item, Map):
                raise self.error(f"{entry} must be a mapping", item)
            yield entry, item

    def pairs(self, name: str) -> dict[str, Scalar]:
        """A field that maps names to texts, e.g. ``commonAnnotations``."""
        return text_map(self.root.fields.get(name), self, name)


def text_map(node: Node | None, kustomization: Kustomization, what: str) -> dict[str, Scalar]:
    """The scalars of a mapping of names to texts; empty if there is none."""
    if missing(node):
        return {}
    if not isinstance(node, Map):
        raise kustomization.error(f"{what} must be a mapping", node)
    result = {}
    for key, value in node.fields.items():
        if not isinstance(value, Scalar):
            raise kustomization.error(f"{what}.{key} must be text", value)
        result[key] = value
    return result


def flag(fields: Map | None, name: str) -> bool:
    """A boolean field; false if it is absent."""
    node = fields.fields.get(name) if fields is not None else None
    return isinstance(node, Scalar) and node.tag == BOOL and node.value is True


def canonical(root: Map, file: SourceFile) -> Map:
    """The kustomization with its fields under their proper names.

    Raises ``SourceError`` for a field that Kustomize does not have, and for a kustomization that says nothing.
    """
    fields: dict[str, Node] = {}
    for key, node in root.fields.items():
        name = _FIELD_OF.get(key.lower())
        if name is None:
            raise SourceError(
                f"a kustomization has no field {key!r}",
                file=file.name,
                line=node.mark.line,
            )
        fields[name] = node
    if not any(name not in ("apiVersion", "kind") and not missing(node) for name, node in fields.items()):
        raise SourceError(
            "is empty: a kustomization must name resources or other fields",
            file=file.name,
        )
    return Map(root.mark, fields)


def expand_lists(nodes: list[Map]) -> list[Map]:
    """The objects themselves where a document is a ``List`` (or any kind that ends so) of them."""
    result: list[Map] = []
    queue = list(nodes)
    while queue:
        node = queue.pop(0)
        items = node.fields.get("items")
        if not node.text("kind").endswith("List") or "items" not in node.fields:
            result.append(node)
        elif isinstance(items, List):
            queue.extend(item for item in items.items if isinstance(item, Map))
    return result
