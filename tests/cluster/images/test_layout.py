"""An image is addressed by what is in it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from cluster.errors import ClusterError
from cluster.images.layout import Settings, digest_of, write_layout
from cluster.images.provide import pack_program
from cluster.images.tree import Tree


def layer(text: str) -> Tree:
    tree = Tree()
    tree.add_folder("etc")
    tree.add_file("etc/one", text)
    return tree


def read(folder: Path, digest: str) -> Any:
    return json.loads((folder / "blobs" / "sha256" / digest.removeprefix("sha256:")).read_bytes())


def test_every_blob_is_named_by_its_hash_and_found_from_the_index(tmp_path: Path) -> None:
    settings = Settings(entrypoint=("/one",), environment={"B": "2", "A": "1"}, stop_signal="SIGINT")
    write_layout(tmp_path / "image", [layer("one"), layer("two")], settings, {"packages": "one=1"})
    for blob in (tmp_path / "image" / "blobs" / "sha256").iterdir():
        assert hashlib.sha256(blob.read_bytes()).hexdigest() == blob.name
    assert json.loads((tmp_path / "image" / "oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}
    manifest = read(tmp_path / "image", digest_of(tmp_path / "image"))
    assert manifest["annotations"] == {"packages": "one=1"}
    config = read(tmp_path / "image", manifest["config"]["digest"])
    assert config["config"] == {
        "User": "10001:10001",
        "Entrypoint": ["/one"],
        "Env": ["A=1", "B=2"],
        "WorkingDir": "/",
        "StopSignal": "SIGINT",
    }
    layers = [one["digest"] for one in manifest["layers"]]
    assert config["rootfs"]["diff_ids"] == layers
    assert len(set(layers)) == 2
    assert not (tmp_path / "image" / "part").exists()


def test_digest_is_that_of_the_content_alone(tmp_path: Path) -> None:
    digests = []
    for number, text in enumerate(("same", "same", "other")):
        write_layout(tmp_path / str(number), [layer(text)], Settings())
        digests.append(digest_of(tmp_path / str(number)))
    assert digests[0] == digests[1] != digests[2]


def test_image_of_one_program_starts_it_as_the_user_of_every_pod(tmp_path: Path) -> None:
    (tmp_path / "pause").write_bytes(b"a program")
    pack_program(tmp_path / "pause", tmp_path / "image")
    manifest = read(tmp_path / "image", digest_of(tmp_path / "image"))
    config = read(tmp_path / "image", manifest["config"]["digest"])["config"]
    assert (config["Entrypoint"], config["User"]) == (["/pause"], "10001:10001")


def test_folder_without_an_image_is_named(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match="holds no image"):
        digest_of(tmp_path)
