"""The overlays' own images, and a change of their digests and of nothing else."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from cluster.errors import ClusterError
from cluster.images import provide_images, use_images
from cluster.images.overlays import images_of, set_digests
from cluster.images.provide import make_images
from cluster.images.recipes import RECIPES
from cluster.repository import BRANCH, ROOT, git
from cluster.state import State
from policy.kustomize.render import render
from tests.manifests.rendered import ENVIRONMENTS, kustomize

DIGESTS: Mapping[str, str] = {name: f"sha256:{number:064x}" for number, name in enumerate(sorted(RECIPES), 1)}
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for folder in ("base", "overlays"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    return tmp_path


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_image_of_the_overlays_has_a_recipe_and_no_recipe_is_left_over(environment: str) -> None:
    assert {image.location for image in images_of(kustomize(), ROOT / "overlays" / environment)} == set(RECIPES)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_digests_change_and_nothing_else(checkout: Path, environment: str) -> None:
    overlay = checkout / "overlays" / environment
    before, written = render(kustomize(), overlay), (overlay / "kustomization.yaml").read_text()
    assert set_digests(kustomize(), overlay, DIGESTS)
    after = render(kustomize(), overlay)
    assert _DIGEST.sub("", after) == _DIGEST.sub("", before)
    assert {image.location: image.digest for image in images_of(kustomize(), overlay)} == DIGESTS
    first, section, rest = written.partition("images:\n")
    now = (overlay / "kustomization.yaml").read_text()
    assert now.startswith(first + section)
    assert now.endswith(rest[rest.rindex("sha256:") + 71 :])
    assert not set_digests(kustomize(), overlay, DIGESTS)


def test_overlay_without_images_of_its_own_gets_them(checkout: Path) -> None:
    overlay = checkout / "overlays" / "dev"
    file = overlay / "kustomization.yaml"
    file.write_text(file.read_text().partition("images:\n")[0])
    services = ("frontend", "order-service", "product-service", "user-service")
    own = {f"docker.io/library/{name}": DIGESTS["docker.io/hashicorp/http-echo"] for name in services}
    assert set_digests(kustomize(), overlay, {**DIGESTS, **own})
    assert "  - name: redis\n    newTag: 7.4-alpine\n    digest: sha256:" in file.read_text()


def test_image_that_was_not_made_is_named(checkout: Path) -> None:
    some = {name: digest for name, digest in DIGESTS.items() if name != "docker.io/library/redis"}
    with pytest.raises(ClusterError, match=r"overlays/dev runs redis:7\.4-alpine@sha256:\w+, of which there is no"):
        set_digests(kustomize(), checkout / "overlays" / "dev", some)


def test_image_without_a_recipe_is_named_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match=r"^there is no recipe for the image example\.test/own: known are docker"):
        make_images(["docker.io/library/redis", "example.test/own"], tmp_path)


def test_overlay_that_does_not_render_is_named(checkout: Path) -> None:
    (checkout / "overlays" / "dev" / "quota.yaml").unlink()
    with pytest.raises(ClusterError, match=r"quota\.yaml"):
        images_of(kustomize(), checkout / "overlays" / "dev")


def test_images_are_promoted_by_one_pushed_commit(tmp_path: Path) -> None:
    state = State(tmp_path)
    git(tmp_path, "clone", "--quiet", "--bare", ROOT, state.repository)
    git(tmp_path, "--git-dir", state.repository, "branch", "--force", BRANCH, "HEAD")
    git(tmp_path, "clone", "--quiet", "--branch", BRANCH, state.repository, state.clone)
    for key, value in (("user.name", "somebody"), ("user.email", "somebody@example.test")):
        git(state.clone, "config", key, value)
    before = git(state.clone, "rev-parse", "HEAD").strip()
    assert use_images(state, ROOT / ".tools", DIGESTS)
    changed = git(state.repository, "diff", "--name-only", before, BRANCH).split()
    assert changed == [f"overlays/{environment}/kustomization.yaml" for environment in sorted(ENVIRONMENTS)]
    assert git(state.repository, "rev-list", "--count", f"{before}..{BRANCH}") == "1\n"
    assert not use_images(state, ROOT / ".tools", DIGESTS)


def test_provided_images_are_those_of_the_overlays(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr("cluster.images.make_images", lambda names, _: asked.extend(names))
    provide_images(ROOT / ".tools")
    assert asked == sorted(RECIPES)
