"""Which images an overlay runs, and a change of their digests, as a promotion makes it."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from cluster.errors import ClusterError
from policy.errors import PolicyError
from policy.kustomize.render import render
from policy.manifests.images import Image, parse_image

_SECTION = re.compile(r"^images:\n(?:(?:[ -].*)?\n)*", re.MULTILINE)


def images_of(kustomize: Path, overlay: Path) -> list[Image]:
    """Every image that a pod of the overlay runs, each once, sorted. Raises ClusterError if it does not render."""
    try:
        rendered = render(kustomize, overlay)
    except PolicyError as error:
        raise ClusterError(str(error)) from error
    documents = yaml.load_all(rendered, Loader=yaml.CSafeLoader)
    found = {text for document in documents for text in _images(document)}
    return [parse_image(text) for text in sorted(found)]


def set_digests(kustomize: Path, overlay: Path, digests: Mapping[str, str]) -> bool:
    """Write the digest of every image (by ``docker.io/library/redis``) into the overlay's ``images``; names and tags
    stay. False if they all were there.

    Raises ClusterError if an image that the overlay runs has no digest among them, or gets another one in the end.
    """
    running = images_of(kustomize, overlay)
    if unknown := [image for image in running if image.location not in digests]:
        raise ClusterError(f"{overlay} runs {unknown[0]}, of which there is no image here")
    wrong = [image for image in running if image.digest != digests[image.location]]
    if not wrong:
        return False
    file = overlay / "kustomization.yaml"
    text = file.read_text(encoding="utf-8")
    entries: list[dict[str, Any]] = yaml.safe_load(text).get("images") or []
    for image in wrong:
        _promote(entries, image, digests[image.location])
    entries.sort(key=lambda entry: str(entry["name"]))
    section = "images:\n" + textwrap.indent(yaml.safe_dump(entries, sort_keys=False), "  ")
    changed, count = _SECTION.subn(lambda _: section, text)
    file.write_text(changed if count else text + section, encoding="utf-8")
    for image in images_of(kustomize, overlay):
        if image.digest != digests[image.location]:
            raise ClusterError(f"{file}: its images do not decide over {image}")
    return True


def _promote(entries: list[dict[str, Any]], image: Image, digest: str) -> None:
    """Change every entry that says this image, or add one. A digest alone would take the tag away."""
    name = image.text.partition("@")[0].removesuffix(f":{image.tag}")
    saying = [entry for entry in entries if entry.get("newName", entry["name"]) == name]
    if not saying:
        saying = [{"name": name}]
        entries += saying
    for entry in saying:
        if image.tag is not None:
            entry["newTag"] = image.tag
        entry["digest"] = digest


def _images(node: object) -> Iterator[str]:
    """What the containers below a node of a manifest run."""
    if isinstance(node, list):
        for item in node:
            yield from _images(item)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key in ("containers", "initContainers") and isinstance(value, list):
                yield from (container["image"] for container in value)
            else:
                yield from _images(value)
