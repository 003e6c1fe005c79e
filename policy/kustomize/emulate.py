"""What Kustomize makes of a tree of sources, every value with the mark of the line that set it.

The order within a layer is Kustomize's: resources, generators, components, then patchesStrategicMerge, patches,
namespace, prefix, suffix, labels, annotations, patchesJson6902, replicas, images, replacements. Content hashes and
references by name follow once, at the end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from policy.findings import Place
from policy.kustomize.generate import absorb, add_hashes, generated
from policy.kustomize.jsonpatch import JsonPatchError, apply_operations
from policy.kustomize.kustomization import Kustomization, Patch, expand_lists, flag
from policy.kustomize.marks import Map, Node, Scalar, copy_map
from policy.kustomize.merge import MergeError, merge_patch
from policy.kustomize.objects import Object, stringify
from policy.kustomize.references import update_references
from policy.kustomize.replacements import ReplacementError, replace
from policy.kustomize.scalars import STR
from policy.kustomize.selectors import Selector, SelectorError
from policy.kustomize.sources import SourceTree
from policy.kustomize.transform import (
    add_annotations,
    add_labels,
    add_name_affixes,
    set_images,
    set_namespace,
    set_replicas,
)

LOCAL_CONFIG = "config.kubernetes.io/local-config"


class Emulation:
    """The objects that a tree renders to. ``doubts`` are the entries whose effect is not the one of the real binary."""

    def __init__(self, tree: SourceTree) -> None:
        self.tree = tree
        self.doubts: list[tuple[Place, str]] = list(tree.not_understood)
        objects = self._layer(tree.root, [])
        add_hashes(objects)
        update_references(objects)
        self.objects = [each for each in objects if not _is_local(each)]
        for each in self.objects:
            each.rewrite_annotations()

    def _layer(self, kustomization: Kustomization, objects: list[Object]) -> list[Object]:
        """The objects after a kustomization; a component starts from those of the one that includes it."""
        for resource in kustomization.resources:
            if resource.file is not None and resource.file.parsed is not None:
                objects.extend(load_objects(resource.file.parsed.roots))
            elif resource.folder is not None:
                objects.extend(self._layer(self.tree.child(resource), []))
        for generator in kustomization.generators:
            absorb(objects, generated(kustomization, generator))
        for component in kustomization.components:
            objects = self._layer(self.tree.child(component), objects)
        objects = self._patched(objects, kustomization, ("patchesStrategicMerge", "patches"))
        set_namespace(objects, kustomization)
        add_name_affixes(objects, kustomization)
        add_labels(objects, kustomization)
        add_annotations(objects, kustomization)
        objects = self._patched(objects, kustomization, ("patchesJson6902",))
        set_replicas(objects, kustomization)
        set_images(objects, kustomization)
        for entry, fields in kustomization.replacements:
            with self._doubting(fields, entry):
                replace(objects, fields, kustomization.file.name, entry)
            for each in objects:
                each.settle()
        return objects

    @contextmanager
    def _doubting(self, node: Node, entry: str) -> Iterator[None]:
        """Go on without an entry that cannot be applied: what was rendered shows which fields that concerns."""
        try:
            yield
        except (JsonPatchError, MergeError, ReplacementError, SelectorError) as error:
            self.doubts.append((node.mark.place, f"{entry}: {error}"))

    def _patched(self, objects: list[Object], kustomization: Kustomization, fields: tuple[str, ...]) -> list[Object]:
        """The objects after the patches of some fields, without those that were deleted."""
        for patch in kustomization.patches:
            if patch.entry.partition("[")[0] in fields:
                self._patch(objects, patch)
                objects = [each for each in objects if each.root.fields]
        return objects

    def _patch(self, objects: list[Object], patch: Patch) -> None:
        for each in self._targets(objects, patch):
            if patch.operations:
                with self._doubting(patch.operations[0], patch.entry):
                    operate(each, patch)
            else:
                with self._doubting(patch.documents[0], patch.entry):
                    merge_into(each, patch, patch.documents[0], rewrite=True)
        if patch.target is not None:
            return
        for document in expand_lists(list(patch.documents)):
            wanted = Object(document).identity.key
            found = [each for each in objects if any(one.key == wanted for one in each.identities)]
            with self._doubting(document, patch.entry):
                if len(found) != 1:
                    raise MergeError("the patch must find one object")
                merge_into(found[0], patch, document, rewrite=patch.entry.startswith("patchesStrategicMerge"))

    def _targets(self, objects: list[Object], patch: Patch) -> list[Object]:
        if patch.target is None:
            return []
        selector = Selector.read(patch.target)
        found: list[Object] = []
        with self._doubting(patch.target, patch.entry):
            found.extend(each for each in objects if selector.selects(each))
        return found


def layer(tree: SourceTree, kustomization: Kustomization) -> tuple[list[Object], list[tuple[Place, str]]]:
    """The objects that one kustomization of the tree makes of its resources, and the doubts about them.

    Names have no content hashes yet, and references are as they are written: both are done once, at the end of a build.
    """
    emulation = Emulation.__new__(Emulation)
    emulation.tree, emulation.doubts = tree, []
    return emulation._layer(kustomization, []), emulation.doubts


def merge_into(object: Object, patch: Patch, document: Map, *, rewrite: bool) -> None:
    """Merge one document of a patch into an object; one that is deleted is left without fields.

    ``rewrite`` makes texts of the patch's labels and annotations first, as Kustomize does where it selects by a target.

    Raises ``MergeError`` if the patch does not fit.
    """
    said = copy_map(document)
    if rewrite:
        _rewrite_texts(said)
    renames, rekinds = flag(patch.options, "allowNameChange"), flag(patch.options, "allowKindChange")
    if renames or rekinds:
        object.remember()
    metadata = object.metadata or Map(object.root.mark)
    kept = {key: metadata.fields.get(key) for key in ("namespace", "name")}
    head = {key: object.root.fields.get(key) for key in ("apiVersion", "kind")}
    result = _merge_with_annotations(object, said)
    if result is None:
        object.root = Map(object.root.mark)
        return
    object.root = result
    for key, node in head.items():
        if node is not None and not (key == "kind" and rekinds):
            result.fields[key] = node
    for key, node in kept.items():
        if key == "name" and renames:
            object.renamed_by = patched.mark if (patched := _name_of(object)) is not None else None
        else:
            object.set_metadata(key, node)


def _merge_with_annotations(object: Object, said: Map) -> Map | None:
    """``merge_patch``, with Kustomize's own annotations in place: a patch that takes all away takes them too."""
    was_annotated = object.is_annotated
    if was_annotated:
        _annotations(object).fields[_OWN] = Scalar("", STR, object.root.mark)
    result = merge_patch(object.root, said)
    if result is not None and was_annotated:
        object.root = result
        annotations = _annotations(object)
        if annotations.fields.pop(_OWN, None) is None:
            object.forget()
        if not annotations.fields:
            object.rewrite_annotations()
    object.settle()
    return result


_OWN = "internal.config.kubernetes.io/"


def _annotations(object: Object) -> Map:
    """The object's annotations, made if there are none."""
    metadata = object.metadata
    there = metadata.fields.get("annotations") if metadata is not None else None
    if isinstance(there, Map):
        return there
    made = Map(object.root.mark if metadata is None else metadata.mark)
    object.set_metadata("annotations", made)
    return made


def operate(object: Object, patch: Patch) -> None:
    """Apply the operations of a JSON patch, after which annotations are texts, and there are none if not a mapping.

    Raises ``JsonPatchError`` if they do not apply.
    """
    if not patch.entry.startswith("patchesJson6902"):
        object.remember()
    if object.is_annotated:
        _annotations(object)
    object.unshare()
    try:
        apply_operations(object.root, patch.operations)
    finally:
        object.rewrite_annotations()


def _rewrite_texts(patch: Map) -> None:
    metadata = patch.fields.get("metadata")
    if isinstance(metadata, Map):
        for field in ("labels", "annotations"):
            texts = stringify(metadata.fields.get(field))
            if texts is None:
                metadata.fields.pop(field, None)
            else:
                metadata.fields[field] = texts


def _name_of(object: Object) -> Node | None:
    return object.metadata.fields.get("name") if object.metadata is not None else None


def load_objects(roots: Iterable[Node]) -> list[Object]:
    """Objects of their own, free to change, of the documents of a file; Lists are taken apart."""
    return [Object(copy_map(each)) for each in expand_lists([root for root in roots if isinstance(root, Map)])]


def _is_local(object: Object) -> bool:
    """Whether the object is only meant for tools, and not rendered."""
    return object.texts("annotations").get(LOCAL_CONFIG, "false") != "false"
