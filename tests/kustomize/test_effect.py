"""An entry is told to be idle only where the real kustomize builds the same without it, and none is forgotten."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, note, settings

from policy.errors import RenderError
from policy.kustomize.effect import Effects
from policy.kustomize.emulate import Emulation
from policy.kustomize.entries import entries, without, written
from policy.kustomize.sources import load_sources
from policy.kustomize.variants import render_variants
from tests.conftest import REPOSITORY
from tests.kustomize.strategies import Tree, show, trees
from tests.kustomize.trees import EXAMPLES, write

OVERLAYS = ["argocd", *sorted(f"overlays/{path.name}" for path in (REPOSITORY / "overlays").iterdir())]
FEW = max(1, EXAMPLES // 4)
"""Each tree is built once for every entry."""

quietly = settings(max_examples=FEW, deadline=None, suppress_health_check=list(HealthCheck))


@quietly
@given(tree=trees())
def test_what_is_told_to_be_idle_is_not_missed_by_a_build(kustomize: Path, tree: Tree) -> None:
    told, idle = _judged(kustomize, tree)
    assert told <= idle


@quietly
@given(tree=trees(unique=True))
def test_what_a_build_does_not_miss_is_told_where_no_entry_repeats_another(kustomize: Path, tree: Tree) -> None:
    """Where one does, only the first of the two is told; drawn components repeat the overlay's namespace."""
    told, idle = _judged(kustomize, tree)
    assert told <= idle <= told | {"namespace"}


def _judged(kustomize: Path, tree: Tree) -> tuple[set[str], set[str]]:
    """The entries of the overlay that are told to be idle, and those without which the build is the same."""
    with tempfile.TemporaryDirectory() as folder:
        root = write(Path(folder).resolve(), tree.written())
        sources = load_sources(root / "overlay", root)
        stated = list(entries(sources.root))
        lacking = [{sources.root.file.path: written(without(sources.root, entry))} for entry in stated]
        whole, *rest = render_variants(kustomize, sources, sources.root.folder, [{}, *lacking])
        assume(not isinstance(whole, RenderError))
        note(show(tree))
        idle = {str(entry) for entry, result in zip(stated, rest, strict=True) if result == whole}
        found = Effects().idle(sources, Emulation(sources))
        return {str(each.entry) for each in found if each.kustomization is sources.root}, idle


@pytest.mark.parametrize("folder", OVERLAYS)
def test_nothing_of_this_repository_must_be_done_over(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where every entry leaves its mark, one look at the objects is enough: the check stays fast."""

    def refuse(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(Effects, "_done_over", refuse)
    sources = load_sources(REPOSITORY / folder, REPOSITORY)
    assert any(True for each in sources.kustomizations.values() for _ in entries(each))
    assert Effects().idle(sources, Emulation(sources)) == []
