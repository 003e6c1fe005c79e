"""Kustomize's built-in transformers, but for patches: each changes all objects of a layer because of one field.

What they set gets the mark of the line that says so: the ``namespace:`` field, an entry of ``images:``, and so on.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from policy.kustomize import fields
from policy.kustomize.kustomization import Kustomization, flag, text_map
from policy.kustomize.marks import List, Map, Node, Scalar, missing
from policy.kustomize.objects import Identity, Object
from policy.kustomize.scalars import INT, STR

CUSTOM_RESOURCE_DEFINITION = "CustomResourceDefinition"


def set_namespace(objects: Iterable[Object], kustomization: Kustomization) -> None:
    """``namespace:`` — every namespaced object, Namespaces by their name, and subjects named ``default``."""
    stated = kustomization.text("namespace")
    if stated is None:
        return
    mark = kustomization.mark(stated, "namespace")
    namespace = Scalar(stated.text, STR, mark)

    def set_field(holder: Map, step: str) -> None:
        holder.fields[step] = namespace

    for each in objects:
        each.remember()
        is_cluster_scoped = each.identity.is_cluster_scoped
        if not is_cluster_scoped:
            each.set_metadata("namespace", namespace)
        if each.kind == "Namespace" and each.root.text("apiVersion") == "v1":
            each.set_name(stated.text, mark)
        if each.kind in ("RoleBinding", "ClusterRoleBinding"):
            for subject in _items(each.root.fields.get("subjects")):
                if subject.text("name") == "default":
                    subject.fields["namespace"] = namespace
        for spec in fields.NAMESPACES:
            fields.visit(each, spec, set_field, Scalar, mark)


def _items(node: Node | None) -> Iterable[Map]:
    return (item for item in node.items if isinstance(item, Map)) if isinstance(node, List) else ()


def add_name_affixes(objects: Iterable[Object], kustomization: Kustomization) -> None:
    """``namePrefix:`` and ``nameSuffix:`` — every name but those that are fixed by what they are."""
    for field in ("namePrefix", "nameSuffix"):
        stated = kustomization.text(field)
        if stated is None:
            continue
        mark = kustomization.mark(stated, field)
        for each in objects:
            if _keeps_name(each.original):
                continue
            is_prefix = field == "namePrefix"
            (each.prefixes if is_prefix else each.suffixes).append(stated.text)
            each.remember()
            if each.metadata is not None and "name" in each.metadata.fields:
                each.set_name(stated.text + each.name if is_prefix else each.name + stated.text, mark)


def _keeps_name(identity: Identity) -> bool:
    if identity.kind == "APIService":
        return identity.group == "apiregistration.k8s.io"
    return identity.kind in (CUSTOM_RESOURCE_DEFINITION, "Namespace")


def add_labels(objects: Iterable[Object], kustomization: Kustomization) -> None:
    """``labels:`` and ``commonLabels:``."""
    for entry, item in kustomization.maps("labels"):
        specs = _custom_specs(item.fields.get("fields"))
        if flag(item, "includeSelectors"):
            specs += fields.SELECTOR_LABELS
        else:
            specs += fields.TEMPLATE_LABELS if flag(item, "includeTemplates") else ()
            specs += fields.CLAIM_LABELS if flag(item, "includeVolumeClaimTemplates") else ()
            specs += (fields.METADATA_LABELS,)
        pairs = text_map(item.fields.get("pairs"), kustomization, f"{entry}.pairs")
        _set_entries(objects, kustomization, entry, pairs, specs)
    common = kustomization.pairs("commonLabels")
    _set_entries(objects, kustomization, "commonLabels", common, fields.SELECTOR_LABELS)


def add_annotations(objects: Iterable[Object], kustomization: Kustomization) -> None:
    """``commonAnnotations:``."""
    pairs = kustomization.pairs("commonAnnotations")
    _set_entries(objects, kustomization, "commonAnnotations", pairs, fields.ANNOTATIONS)


def _custom_specs(node: Node | None) -> tuple[fields.FieldSpec, ...]:
    return tuple(
        fields.FieldSpec(
            item.text("path"), item.text("kind"), item.text("group"), item.text("version"), flag(item, "create")
        )
        for item in _items(node)
    )


def _set_entries(
    objects: Iterable[Object],
    kustomization: Kustomization,
    entry: str,
    pairs: Mapping[str, Scalar],
    specs: Iterable[fields.FieldSpec],
) -> None:
    if not pairs:
        return
    for each in objects:
        for key in sorted(pairs):
            mark = kustomization.mark(pairs[key], entry)
            _set_entry(each, key, Scalar(pairs[key].text, STR, mark), specs)


def _set_entry(object: Object, key: str, value: Scalar, specs: Iterable[fields.FieldSpec]) -> None:
    new: list[tuple[Map, str]] = []

    def set_field(holder: Map, step: str) -> None:
        there = holder.fields[step]
        if isinstance(there, Map):
            if key not in there.fields:
                new.append((there, key))
            there.fields[key] = value

    for spec in specs:
        fields.visit(object, spec, set_field, Map, value.mark)
    object.settle()
    object.share(value, new)


def set_replicas(objects: Iterable[Object], kustomization: Kustomization) -> None:
    """``replicas:`` — by any name that the object has or had."""
    for entry, item in kustomization.maps("replicas"):
        name, count = item.text("name"), item.fields.get("count")
        stated = count if isinstance(count, Scalar) else None
        mark = kustomization.mark(stated or item, entry)
        value = Scalar(stated.text if stated is not None else "0", INT, mark)

        def set_field(holder: Map, step: str, value: Scalar = value) -> None:
            holder.fields[step] = value

        for each in objects:
            for spec in fields.REPLICAS:
                if any(
                    identity.name == name and spec.selects(identity.api_version, identity.kind)
                    for identity in each.identities
                ):
                    fields.visit(each, spec, set_field, Scalar, mark)


def set_images(objects: Iterable[Object], kustomization: Kustomization) -> None:
    """``images:`` — in the containers of any object, and in image volumes.

    The origin of an image is the line of its entry that a reader would change: the new tag, else the new name, else the
    entry itself.
    """
    for field in ("images", "imageTags"):
        for entry, item in kustomization.maps(field):
            _set_image(objects, kustomization, entry, item)


def _set_image(objects: Iterable[Object], kustomization: Kustomization, entry: str, item: Map) -> None:
    if not any(item.text(key) for key in ("newTag", "digest", "newName", "tagSuffix")):
        return
    stated = next((item.fields[key] for key in ("newTag", "newName") if not missing(item.fields.get(key))), item)
    mark = kustomization.mark(stated, entry)
    matches = image_matcher(item.text("name"))

    def set_field(holder: Map, step: str) -> None:
        there = holder.fields.get(step)
        if isinstance(there, Scalar) and matches(there.text):
            holder.fields[step] = Scalar(new_image(there.text, item), STR, mark)

    for each in objects:
        if each.kind == CUSTOM_RESOURCE_DEFINITION:
            continue
        for container in _containers(each.root):
            if "image" in container.fields:
                set_field(container, "image")
        for spec in fields.IMAGES:
            fields.visit(each, spec, set_field, None, mark)


def image_matcher(name: str) -> Callable[[str], bool]:
    """Whether an image reference is of this name, with whatever tag and digest; the name is a regular expression."""
    tag = "[a-zA-Z0-9_.{}-]*"
    try:
        pattern = re.compile(f"{name}(:{tag})?(@[a-zA-Z0-9]+([.+_-][a-zA-Z0-9]+)*:{tag})?")
    except re.error:
        return lambda _: False
    return lambda image: pattern.fullmatch(image) is not None


def _containers(node: Node) -> Iterator[Map]:
    """The items of whatever is called containers or initContainers, anywhere in the object."""
    if isinstance(node, List):
        for item in node.items:
            yield from _containers(item)
    elif isinstance(node, Map):
        for key, value in node.fields.items():
            if not isinstance(value, Scalar):
                yield from _containers(value)
                if key in ("containers", "initContainers"):
                    yield from _items(value)


def container_images(node: Node) -> Iterator[str]:
    """The images of whatever is called containers or initContainers, anywhere in an object."""
    return (container.text("image") for container in _containers(node) if container.text("image"))


def new_image(image: str, item: Map) -> str:
    """An image reference with the parts that an entry replaces; a new tag drops the digest and the other way round."""
    name, tag, digest = split_image(image)
    name = item.text("newName") or name
    new_tag, new_digest, suffix = item.text("newTag"), item.text("digest"), item.text("tagSuffix")
    if new_tag or new_digest:
        tag, digest = new_tag, new_digest
    elif suffix:
        tag, digest = tag + suffix, ""
    return name + (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")


def split_image(image: str) -> tuple[str, str, str]:
    """Name, tag and digest of an image reference; a colon before the first slash belongs to the host."""
    slash = max(image.find("/"), 0)
    at, colon = image.find("@", slash), image.find(":", slash)
    if at >= 0 and (at < colon or colon < 0):
        return image[:at], "", image[at + 1 :]
    if colon < 0:
        return image, "", ""
    if at < 0:
        return image[:colon], image[colon + 1 :], ""
    return image[:colon], image[colon + 1 : at], image[at + 1 :]
