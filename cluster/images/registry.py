"""The registry on the loopback address: it is filled here, and the node pulls from it in place of every other."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

from cluster.errors import ClusterError
from cluster.images.layout import digest_of
from cluster.state import HOST, State


def push_images(state: State, tools: Path, images: Mapping[str, Path]) -> dict[str, str]:
    """Push the image in every folder under its name (``docker.io/library/redis``); the digests by the same names.

    Raises ClusterError with what crane says.
    """
    return {
        # A node that asks a mirror leaves out the name of the host that it stands in for.
        # https://github.com/containerd/containerd/blob/main/docs/hosts.md
        name: push_image(state, tools, folder, f"{name.partition('/')[2]}:local")
        for name, folder in images.items()
    }


def push_image(state: State, tools: Path, folder: Path, name: str) -> str:
    """Push the image in a folder (OCI layout) as ``coredns:1``; its digest. What the registry has is not sent again."""
    target = f"{HOST}:{state.port('registry')}/{name}"
    command = [str(tools / "bin" / "crane"), "push", "--insecure", str(folder), target]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise ClusterError(f"crane cannot be run: {error.strerror}") from error
    if done.returncode != 0:
        raise ClusterError(f"crane push {target}: {done.stderr.strip()}")
    pushed, digest = done.stdout.strip().rpartition("@")[2], digest_of(folder)
    if pushed != digest:
        raise ClusterError(f"{folder} holds the image {digest}, and the registry has {pushed}")
    return digest
