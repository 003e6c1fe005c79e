"""Ours is what the real binary renders: on this repository, on chosen trees, and on random ones."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, note, settings

from policy.errors import RenderError
from policy.kustomize.render import render
from tests.conftest import REPOSITORY
from tests.kustomize.strategies import Tree, show, trees
from tests.kustomize.trees import DERANDOMIZE, EXAMPLES, assert_same, write

OVERLAYS = sorted(
    path.parent.relative_to(REPOSITORY).as_posix() for path in REPOSITORY.glob("overlays/*/kustomization.yaml")
)
BASES = sorted(path.parent.relative_to(REPOSITORY).as_posix() for path in REPOSITORY.glob("base/*/kustomization.yaml"))


@pytest.mark.parametrize("folder", [*OVERLAYS, *BASES, "argocd"])
def test_this_repository(kustomize: Path, folder: str) -> None:
    if not (REPOSITORY / folder / "kustomization.yaml").exists():
        pytest.skip("no kustomization")
    if "kind: Component" in (REPOSITORY / folder / "kustomization.yaml").read_text(encoding="utf-8"):
        pytest.skip("a component does not render alone")
    assert_same(kustomize, REPOSITORY / folder, REPOSITORY)


@settings(max_examples=EXAMPLES, derandomize=DERANDOMIZE, deadline=None, suppress_health_check=list(HealthCheck))
@given(tree=trees())
def test_random_trees(kustomize: Path, tree: Tree) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = write(Path(folder), tree.written())
        try:
            render(kustomize, root / "overlay")
        except RenderError as error:
            note(str(error))
            assume(False)
        note(show(tree))
        assert_same(kustomize, root / "overlay", root)
