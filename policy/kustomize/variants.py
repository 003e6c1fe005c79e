"""What the real kustomize makes of a tree in which some files read differently."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from policy.errors import RenderError
from policy.kustomize.render import render_all
from policy.kustomize.sources import SourceTree


def render_variants(
    kustomize: Path, tree: SourceTree, folder: Path, variants: Sequence[Mapping[Path, str]]
) -> list[str | RenderError]:
    """The render of one folder of the tree for each variant: the text of files (absolute paths) that differ.

    Each is built, in parallel, from a copy of the files that the tree reads; the repository itself is never touched.
    """
    files = [path for path in tree.files if path.is_file()]
    top = Path(*_common([*files, folder / "kustomization.yaml"]))
    with tempfile.TemporaryDirectory(prefix="policy-") as temporary:
        copies = [Path(temporary).resolve() / str(number) for number in range(len(variants))]
        for copy, replaced in zip(copies, variants, strict=True):
            for file in files:
                target = copy / file.relative_to(top)
                target.parent.mkdir(parents=True, exist_ok=True)
                if file in replaced:
                    target.write_text(replaced[file], encoding="utf-8")
                else:
                    shutil.copyfile(file, target)
        folders = [copy / folder.relative_to(top) for copy in copies]
        results = render_all(kustomize, folders)
        return [results[each] for each in folders]


def _common(files: Sequence[Path]) -> tuple[str, ...]:
    """The folder that holds them all."""
    parts = [file.parent.parts for file in files]
    shared = next((index for index, steps in enumerate(zip(*parts, strict=False)) if len(set(steps)) > 1), None)
    return parts[0][: min(map(len, parts)) if shared is None else shared]
