"""An entry is told to be idle only where the real kustomize builds the same without it, and none is forgotten."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

from hypothesis import HealthCheck, assume, given, note, settings

from policy.errors import RenderError
from policy.kustomize.effect import Effects
from policy.kustomize.emulate import Emulation
from policy.kustomize.entries import Entry, entries, without, written
from policy.kustomize.kustomization import Kustomization
from policy.kustomize.sources import SourceTree, load_sources
from policy.kustomize.variants import render_variants
from tests.kustomize.strategies import Tree, show, trees
from tests.kustomize.trees import EXAMPLES, write

Stated = tuple[Kustomization, Entry]


def lacking(stated: Iterable[Stated]) -> dict[Path, str]:
    """The kustomizations without these entries; the last ones go first, so that the others keep their places."""
    changed: dict[Path, Kustomization] = {}
    for kustomization, entry in sorted(stated, key=lambda each: [str(step).zfill(9) for step in each[1].steps])[::-1]:
        file = kustomization.file.path
        changed[file] = without(changed.get(file, kustomization), entry)
    return {file: written(kustomization) for file, kustomization in changed.items()}


def named(stated: Iterable[Stated]) -> list[str]:
    return [f"{kustomization.file.name} {entry}" for kustomization, entry in stated]


@settings(max_examples=max(1, EXAMPLES // 4), deadline=None, suppress_health_check=list(HealthCheck))
@given(tree=trees())
def test_idle_is_what_a_build_does_not_miss(kustomize: Path, tree: Tree) -> None:
    """Of two entries that say the same, either is idle and not both: only what is still idle then must be told."""
    with tempfile.TemporaryDirectory() as folder:
        root = write(Path(folder).resolve(), tree.written())
        sources = load_sources(root / "overlay", root)
        own = [(sources.root, entry) for entry in entries(sources.root)]
        whole, *singly = _build(kustomize, sources, [[], *([each] for each in own)])
        assume(not isinstance(whole, RenderError))
        note(show(tree))

        told = [(each.kustomization, each.entry) for each in Effects().idle(sources, Emulation(sources))]

        idle = [each for each, result in zip(own, singly, strict=True) if result == whole]
        assert set(named(each for each in told if each[0] is sources.root)) <= set(named(idle))
        above = [each for each in told if each[0] is sources.root or each[0].is_component]
        untold = [each for each in idle if named([each])[0] not in named(told)]
        without_told, *more = _build(kustomize, sources, [above, *([*above, each] for each in untold)])
        assert named(each for each, result in zip(untold, more, strict=True) if result == without_told) == []


def _build(kustomize: Path, tree: SourceTree, variants: list[list[Stated]]) -> list[str | RenderError]:
    return render_variants(kustomize, tree, tree.root.folder, [lacking(variant) for variant in variants])
