"""Images without a registry elsewhere: made of distribution packages, under the very names that the overlays use.

In the order of use: `provide_images` where the packages' archive can be reached, `push_images` once the local registry
runs, `use_images` once the repository is there.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cluster.images.overlays import images_of, set_digests
from cluster.images.provide import make_images, pack_program
from cluster.images.recipes import PROGRAMS
from cluster.images.registry import push_image, push_images
from cluster.repository import ROOT, push
from cluster.state import State

__all__ = ["PROGRAMS", "TOOLS", "pack_program", "provide_images", "push_image", "push_images", "use_images"]

TOOLS = ("crane", "kustomize", "registry", *PROGRAMS)
"""What tools/build.py has to provide."""


def provide_images(tools: Path) -> dict[str, Path]:
    """Every image that this checkout's overlays run, by its name (``docker.io/library/redis``): a folder with it (OCI
    layout). Made where the user's cache has none, for which the packages' archive is asked. Raises ClusterError.
    """
    overlays = sorted((ROOT / "overlays").iterdir())
    running = (image for overlay in overlays for image in images_of(tools / "bin" / "kustomize", overlay))
    return make_images(sorted({image.location for image in running}), tools)


def use_images(state: State, tools: Path, digests: Mapping[str, str]) -> bool:
    """Promote the images of these digests in every overlay of the clone, by one pushed commit. False if they are
    what it says already. Raises ClusterError.
    """
    overlays = sorted((state.clone / "overlays").iterdir())
    changed = [set_digests(tools / "bin" / "kustomize", overlay, digests) for overlay in overlays]
    if not any(changed):
        return False
    push(state, "The images of this machine")
    return True
