"""The images that a workload's pods pull: of every container, and of image volumes (KEP-4639)."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from policy.findings import Field
from policy.manifests.images import Image, parse_image
from policy.manifests.pod_spec import ImageVolume
from policy.manifests.workloads import Container, Workload


class ContainerImage(msgspec.Struct, frozen=True):
    """The image of a container; ``image`` is None where the field is absent or empty."""

    container: Container

    verb = "runs"

    @property
    def image(self) -> Image | None:
        return self.container.image

    @property
    def who(self) -> str:
        return str(self.container)

    @property
    def at(self) -> Field:
        return self.container.field("image")

    @property
    def pull_policy(self) -> str | None:
        return self.container.spec.image_pull_policy

    @property
    def pull_policy_at(self) -> Field:
        return self.container.field("imagePullPolicy")


class VolumeImage(msgspec.Struct, frozen=True):
    """The image of an image volume; ``image`` is None where the field is absent or empty."""

    name: str
    volume: ImageVolume
    volume_at: Field

    verb = "mounts"

    @property
    def image(self) -> Image | None:
        return parse_image(self.volume.reference) if self.volume.reference else None

    @property
    def who(self) -> str:
        return f"volume {self.name}"

    @property
    def at(self) -> Field:
        return self.volume_at["reference"]

    @property
    def pull_policy(self) -> str | None:
        return self.volume.pull_policy

    @property
    def pull_policy_at(self) -> Field:
        return self.volume_at["pullPolicy"]


ImageUse = ContainerImage | VolumeImage
"""An image: who does what with it, and the fields that name it and say when it is pulled."""


def image_uses(workload: Workload) -> Iterator[ImageUse]:
    """Every image that a pod of the workload pulls, in the order of the manifest."""
    yield from map(ContainerImage, workload.containers)
    for index, volume in enumerate(workload.pod.volumes or ()):
        if volume.image is not None:
            yield VolumeImage(volume.name, volume.image, workload.pod_field("volumes", index, "image"))
