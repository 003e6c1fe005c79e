"""An image as a folder on disk: layers and a configuration by their hashes, and an index that names them.

https://github.com/opencontainers/image-spec/blob/main/image-layout.md
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from cluster.errors import ClusterError
from cluster.images.tree import Tree

_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar"  # as it is: it only ever crosses the loopback device


@dataclass(frozen=True, slots=True)
class Settings:
    """How an image's program is started where a pod does not say otherwise."""

    user: str = "10001:10001"
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    working_folder: str = "/"
    stop_signal: str = "SIGTERM"

    def as_config(self) -> dict[str, Any]:
        said = {
            "User": self.user,
            "Entrypoint": list(self.entrypoint),
            "Cmd": list(self.command),
            "Env": [f"{name}={value}" for name, value in sorted(self.environment.items())],
            "WorkingDir": self.working_folder,
            "StopSignal": self.stop_signal,
        }
        return {name: value for name, value in said.items() if value}


def architecture() -> str:
    """This machine's processor, as images name it."""
    machine = os.uname().machine
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)


def write_layout(
    folder: Path, layers: Sequence[Tree], settings: Settings, annotations: Mapping[str, str] = MappingProxyType({})
) -> None:
    """Make the folder, with one image for this machine in it; the lowest layer comes first."""
    (folder / "blobs" / "sha256").mkdir(parents=True)
    packed = [_write_layer(folder, layer) for layer in layers]
    config = {
        "architecture": architecture(),
        "os": "linux",
        "config": settings.as_config(),
        "rootfs": {"type": "layers", "diff_ids": [one["digest"] for one in packed]},
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": _MANIFEST,
        "config": _write_json(folder, _CONFIG, config),
        "layers": packed,
        "annotations": dict(annotations),
    }
    index = {"schemaVersion": 2, "manifests": [_write_json(folder, _MANIFEST, manifest)]}
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (folder / "index.json").write_text(json.dumps(index))


def digest_of(folder: Path) -> str:
    """The digest (``sha256:…``) of the one image in a folder. Raises ClusterError if there is none."""
    try:
        (manifest,) = json.loads((folder / "index.json").read_bytes())["manifests"]
        return str(manifest["digest"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ClusterError(f"{folder} holds no image: {error}") from error


def _write_layer(folder: Path, layer: Tree) -> dict[str, Any]:
    part = folder / "part"
    with part.open("w+b") as file:
        layer.write(file)
        file.seek(0)
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    size = part.stat().st_size
    part.replace(folder / "blobs" / "sha256" / digest)
    return {"mediaType": _LAYER, "digest": f"sha256:{digest}", "size": size}


def _write_json(folder: Path, media_type: str, content: Mapping[str, Any]) -> dict[str, Any]:
    raw = json.dumps(content, sort_keys=True).encode()
    digest = hashlib.sha256(raw).hexdigest()
    (folder / "blobs" / "sha256" / digest).write_bytes(raw)
    return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(raw)}
