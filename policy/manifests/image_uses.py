"""The images that a workload's pods pull: of every container, and of image volumes (KEP-4639)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from policy.findings import Field
from policy.manifests.images import Image, parse_image
from policy.manifests.workloads import Workload


@dataclass(frozen=True, slots=True)
class ImageUse:
    """An image, the field that names it, and who does what with it; ``image`` is None where the field is empty."""

    who: str
    verb: str
    image: Image | None
    at: Field
    pull_policy: str | None
    pull_policy_at: Field


def image_uses(workload: Workload) -> Iterator[ImageUse]:
    """Every image that a pod of the workload pulls, in the order of the manifest."""
    for container in workload.containers:
        yield ImageUse(
            str(container),
            "runs",
            container.image,
            container.field("image"),
            container.spec.image_pull_policy,
            container.field("imagePullPolicy"),
        )
    for index, volume in enumerate(workload.pod.volumes or ()):
        if volume.image is not None:
            at = workload.pod_field("volumes", index, "image")
            image = parse_image(volume.image.reference) if volume.image.reference else None
            yield ImageUse(
                f"volume {volume.name}", "mounts", image, at["reference"], volume.image.pull_policy, at["pullPolicy"]
            )
