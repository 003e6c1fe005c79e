"""A real registry on the loopback address takes the images under the names that a node asks it for."""

from __future__ import annotations

import hashlib
import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.errors import ClusterError
from cluster.images import push_images
from cluster.images.layout import Settings, digest_of, write_layout
from cluster.images.tree import Tree
from cluster.repository import ROOT
from cluster.state import HOST, State
from cluster.waiting import until
from tests.manifests.loopback import free_port
from tools.build import provide

TOOLS = ROOT / ".tools"


def fetch(port: int, path: str) -> bytes:
    request = urllib.request.Request(
        f"http://{HOST}:{port}/v2/{path}", headers={"Accept": "application/vnd.oci.image.manifest.v1+json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            content: bytes = answer.read()
    except OSError as error:
        raise ClusterError(str(error)) from error
    return content


@pytest.fixture
def state(tmp_path: Path) -> State:
    """A cluster's folder, of which the registry's port alone is known."""
    provide(ROOT, ("crane", "registry"))
    state = State(tmp_path / "cluster")
    state.folder.mkdir()
    (state.folder / "ports.json").write_text(json.dumps({"registry": free_port()}))
    return state


@pytest.fixture
def registry(state: State) -> Iterator[int]:
    port = state.port("registry")
    settings = state.folder / "registry.json"  # which is YAML too
    storage = {"filesystem": {"rootdirectory": str(state.folder / "registry")}}
    settings.write_text(json.dumps({"version": 0.1, "storage": storage, "http": {"addr": f"{HOST}:{port}"}}))
    process = state.process("registry")
    try:
        process.start([TOOLS / "bin" / "registry", "serve", settings])
        until("the registry answers", lambda: fetch(port, "") is not None, seconds=30, by=process)
        yield port
    finally:
        process.end()


@pytest.fixture
def image(tmp_path: Path) -> Path:
    layer = Tree()
    layer.add_file("one", "content of a test")
    write_layout(tmp_path / "image", [layer], Settings(entrypoint=("/one",)))
    return tmp_path / "image"


def test_pushed_image_is_served_by_the_digest_it_was_made_with(state: State, registry: int, image: Path) -> None:
    names = ("docker.io/library/redis", "docker.io/hashicorp/http-echo", "registry.example.test/team/app")
    digest = digest_of(image)
    for _ in range(2):
        assert push_images(state, TOOLS, dict.fromkeys(names, image)) == dict.fromkeys(names, digest)
    for path in ("library/redis", "hashicorp/http-echo", "team/app"):
        served = fetch(registry, f"{path}/manifests/{digest}")
        assert f"sha256:{hashlib.sha256(served).hexdigest()}" == digest
        (layer,) = json.loads(served)["layers"]
        assert b"content of a test" in fetch(registry, f"{path}/blobs/{layer['digest']}")


def test_registry_that_does_not_run_is_told_in_the_words_of_crane(state: State, image: Path) -> None:
    with pytest.raises(ClusterError, match=rf"^crane push {HOST}:\d+/library/redis:local: .*connection refused"):
        push_images(state, TOOLS, {"docker.io/library/redis": image})
