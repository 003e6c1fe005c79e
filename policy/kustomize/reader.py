"""Reading one kustomization: its fields, and the files that they name."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from policy.errors import SourceError
from policy.kustomize.files import Files, is_remote
from policy.kustomize.kustomization import (
    FILE_NAMES,
    Generator,
    Kustomization,
    Pair,
    Patch,
    Remote,
    Resource,
    SourceFile,
    canonical,
)
from policy.kustomize.marks import List, Map, Mark, Node, Scalar, Source, missing, present
from policy.kustomize.parse import Parsed, block_shift, parse
from policy.kustomize.scalars import STR

_NOT_UNDERSTOOD = {
    "openapi": "a custom schema",
    "crds": "custom resource schemas",
    "configurations": "a transformer configuration",
    "generators": "a generator plugin",
    "transformers": "a transformer plugin",
    "validators": "a validator plugin",
    "helmCharts": "a Helm chart",
    "helmChartInflationGenerator": "a Helm chart",
    "vars": "a variable",
}


def read_kustomization(folder: str, files: Files) -> Kustomization:
    """The kustomization in a folder (an absolute, resolved path) with everything that it reads itself.

    Raises ``SourceError`` for a folder with no or several kustomizations, and for anything in them that is not what it
    should be.
    """
    found = [name for name in FILE_NAMES if os.path.isfile(os.path.join(folder, name))]
    if not found:
        raise SourceError(f"has no {' or '.join(FILE_NAMES)}", file=files.name(folder))
    if len(found) > 1:
        raise SourceError(
            f"has more than one kustomization: {', '.join(found)}",
            file=files.name(folder),
        )
    path = os.path.join(folder, found[0])
    file = files.yaml(path, files.name(path), "", yaml_1_1=True)
    assert file.parsed is not None
    roots = list(file.parsed.roots)
    if not roots:
        raise SourceError(
            "is empty: a kustomization must name resources or other fields",
            file=file.name,
        )
    root = roots[0]
    if len(file.parsed.documents) != 1 or not isinstance(root, Map):
        raise SourceError("a kustomization must be one mapping", file=file.name, line=root.mark.line)
    kustomization = Kustomization(Path(folder), file, canonical(root, file))
    _Reader(kustomization, files).read()
    return kustomization


class _Reader:
    def __init__(self, kustomization: Kustomization, files: Files) -> None:
        self.it = kustomization
        self.files = files

    def read(self) -> None:
        it = self.it
        for field in ("resources", "bases"):
            it.resources.extend(self.resources(field))
        it.components.extend(self.resources("components"))
        it.patches.extend(self.patches())
        for kind in ("ConfigMap", "Secret"):
            field = kind[0].lower() + kind[1:] + "Generator"
            it.generators.extend(self.generator(entry, kind, fields) for entry, fields in it.maps(field))
        for entry, fields in it.maps("replacements"):
            it.replacements.extend((entry, each) for each in self.replacement(entry, fields))
        for field, what in _NOT_UNDERSTOOD.items():
            node = present(it.root.fields.get(field))
            if node is not None:
                it.not_understood.append((node.mark.place, what))
                self.list_plugin_files(field, node)

    def resources(self, field: str) -> Iterator[Resource]:
        for entry, stated in self.it.texts(field):
            if not self.is_remote(entry, stated):
                yield self.resource(entry, stated)

    def patches(self) -> Iterator[Patch]:
        for entry, node in self.it.entries("patchesStrategicMerge"):
            if not self.is_remote(entry, node):
                yield self.strategic_merge(entry, node)
        for field in ("patches", "patchesJson6902"):
            for entry, fields in self.it.maps(field):
                if not self.is_remote(entry, fields.fields.get("path")):
                    yield self.patch(entry, fields)

    def is_remote(self, entry: str, node: Node | None) -> bool:
        """Whether an entry names something to be fetched; it is noted then."""
        if not isinstance(node, Scalar) or "\n" in node.text or not is_remote(node.text):
            return False
        self.it.remotes.append(Remote(entry, node))
        return True

    def yaml_file(self, entry: str, stated: Node | None, *, yaml_1_1: bool = False) -> SourceFile:
        path = self.files.find_file(self.it, entry, stated)
        file = self.files.yaml(path, self.it.file.name, entry, yaml_1_1=yaml_1_1)
        self.it.files.append(file)
        return file

    def resource(self, entry: str, stated: Scalar) -> Resource:
        path = self.files.find(self.it, entry, stated)
        if os.path.isdir(path):
            return Resource(entry, stated, folder=Path(path))
        if entry.startswith("components"):
            raise self.it.error(f"{entry} {stated.text!r} is not a folder", stated)
        file = self.yaml_file(entry, stated)
        assert file.parsed is not None
        check_objects(file.parsed.roots, file.name)
        return Resource(entry, stated, file=file)

    def strategic_merge(self, entry: str, node: Node) -> Patch:
        if not isinstance(node, Scalar) or not node.text:
            raise self.it.error(f"{entry} must be a path or a patch", node)
        inline = "\n" in node.text.strip() or node.text.lstrip().startswith("{")
        patch = Patch(entry, node.mark.place)
        self.patch_text(patch, None if inline else node, node if inline else None)
        return patch

    def patch(self, entry: str, fields: Map) -> Patch:
        path, inline = fields.fields.get("path"), fields.fields.get("patch")
        if missing(path) == missing(inline):
            raise self.it.error(f"{entry} must have either a path or a patch", fields)
        patch = Patch(
            entry,
            fields.mark.place,
            self.part(fields, "target"),
            self.part(fields, "options"),
        )
        self.patch_text(patch, path, inline)
        return patch

    def part(self, fields: Map, name: str) -> Map | None:
        node = fields.fields.get(name)
        if missing(node):
            return None
        if not isinstance(node, Map):
            raise self.it.error(f"{name} must be a mapping", node)
        return node

    def patch_text(self, patch: Patch, path: Node | None, inline: Node | None) -> None:
        if path is not None and not missing(path):
            patch.file = self.yaml_file(patch.entry, path)
            name, parsed = patch.file.name, patch.file.parsed
            assert parsed is not None
            if self.is_list(parsed):
                parsed = self.yaml_file(patch.entry, path, yaml_1_1=True).parsed
        else:
            if not isinstance(inline, Scalar) or inline.tag != STR:
                raise self.it.error(f"{patch.entry} must be text", inline)
            name, parsed = self.it.file.name, self.inline(inline, patch.entry)
        assert parsed is not None
        roots = list(parsed.roots)
        if not roots:
            raise SourceError(
                "is an empty patch",
                file=name,
                line=patch.place.line if name == patch.place.file else None,
            )
        if isinstance(roots[0], List):
            patch.operations = tuple(self.operations(roots[0], name))
            if patch.target is None:
                raise SourceError(
                    f"{patch.entry} is a JSON patch, which needs a target",
                    file=patch.place.file,
                    line=patch.place.line,
                )
        else:
            patch.documents = tuple(check_objects(roots, name, named=patch.target is None))

    @staticmethod
    def is_list(parsed: Parsed) -> bool:
        return any(isinstance(root, List) for root in parsed.roots)

    def inline(self, scalar: Scalar, entry: str) -> Parsed:
        source = Source(self.it.file.name, self.it.file.name, entry)
        shift = block_shift(scalar, self.it.file.text.split("\n"))
        parsed = parse(scalar.text, source, shift=shift)
        if self.is_list(parsed):
            parsed = parse(scalar.text, source, yaml_1_1=True, shift=shift)
        return parsed

    def operations(self, root: List, name: str) -> Iterator[Map]:
        for item in root.items:
            if not isinstance(item, Map) or not item.text("op") or "path" not in item.fields:
                raise SourceError(
                    "a JSON patch operation needs an op and a path",
                    file=name,
                    line=item.mark.line,
                )
            yield item

    def replacement(self, entry: str, fields: Map) -> Iterator[Map]:
        path = fields.fields.get("path")
        if missing(path):
            yield fields
            return
        file = self.yaml_file(entry, path, yaml_1_1=True)
        assert file.parsed is not None
        for root in file.parsed.roots:
            for item in root.items if isinstance(root, List) else [root]:
                if not isinstance(item, Map):
                    raise SourceError(
                        "a replacement must be a mapping",
                        file=file.name,
                        line=item.mark.line,
                    )
                yield item

    def generator(self, entry: str, kind: str, fields: Map) -> Generator:
        if not fields.text("name"):
            raise self.it.error(f"{entry} has no name", fields)
        pairs: list[Pair] = []
        for stated in self.sources(entry, fields, ("envs", "env")):
            path = self.files.find_file(self.it, entry, stated)
            pairs.extend(self.env_file(entry, path))
        for stated in self.sources(entry, fields, ("literals",)):
            key, equals, value = stated.text.partition("=")
            if not key or not equals:
                raise self.it.error(f"{entry}: literal {stated.text!r} must read key=value", stated)
            if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
                value = value[1:-1]
            pairs.append(Pair(key, value.encode(), self.it.mark(stated, entry)))
        pairs.extend(self.file_pair(entry, stated) for stated in self.sources(entry, fields, ("files",)))
        return Generator(entry, kind, fields, tuple(pairs))

    def sources(self, entry: str, fields: Map, names: Iterable[str]) -> Iterator[Scalar]:
        for name in names:
            node = present(fields.fields.get(name))
            if node is None:
                continue
            for item in node.items if isinstance(node, List) else (node,):
                if not isinstance(item, Scalar) or item.tag != STR:
                    raise self.it.error(f"{entry}: {name} must be texts", item)
                yield item

    def data(self, entry: str, path: str) -> tuple[bytes, Source]:
        name = self.files.name(path)
        self.it.files.append(SourceFile(Path(path), name, ""))
        return self.files.data(path), Source(name, self.it.file.name, entry)

    def file_pair(self, entry: str, stated: Scalar) -> Pair:
        key, equals, written = stated.text.partition("=")
        if not equals:
            written, key = key, key.rstrip("/").rsplit("/", 1)[-1]
        if not key or not written or "=" in written:
            raise self.it.error(f"{entry}: file {stated.text!r} must read path or key=path", stated)
        path = self.files.find_file(self.it, entry, Scalar(written, STR, stated.mark))
        data, source = self.data(entry, path)
        return Pair(key, data, Mark(source, 1, 1, None))

    def env_file(self, entry: str, path: str) -> Iterator[Pair]:
        data, source = self.data(entry, path)
        for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
            line = line.removesuffix(b"\r").lstrip()
            if line and not line.startswith(b"#"):
                key, _, value = line.partition(b"=")
                yield Pair(key.decode("utf-8", "replace"), value, Mark(source, number, 1, None))

    def list_plugin_files(self, field: str, node: Node) -> None:
        """Note the files that a part of unknown effect names, so that they count as listed."""
        for item in node.items if isinstance(node, List) else [node]:
            stated = [item] if isinstance(item, Scalar) else []
            if isinstance(item, Map):
                stated = [
                    each
                    for key, each in item.fields.items()
                    if key in ("path", "valuesFile") and isinstance(each, Scalar)
                ]
                more = item.fields.get("additionalValuesFiles")
                if isinstance(more, List):
                    stated.extend(each for each in more.items if isinstance(each, Scalar))
            for each in stated:
                if "\n" not in each.text:
                    path = self.files.find(self.it, field, each)
                    if os.path.isfile(path):
                        self.yaml_file(field, each)


def check_objects(roots: Iterable[Node], name: str, *, named: bool = True) -> list[Map]:
    """The roots, each of which must be an object with a kind and (unless a target finds it) a name."""
    result = []
    for root in roots:
        if not isinstance(root, Map):
            raise SourceError("an object must be a mapping", file=name, line=root.mark.line)
        kind = root.text("kind")
        metadata = root.fields.get("metadata")
        if not kind and named:
            raise SourceError("an object has no kind", file=name, line=root.mark.line)
        if named and not kind.endswith("List") and not (isinstance(metadata, Map) and metadata.text("name")):
            raise SourceError(f"{kind} has no metadata.name", file=name, line=root.mark.line)
        result.append(root)
    return result
