"""What a run has judged: only there is a finding that was not made one that is mended."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

from policy.baseline.matching import Coverage, name_of
from policy.overlay import Overlay
from policy.result import LocatedSkip
from policy.rules.rule import Rule
from policy.rules.subjects import Repository
from policy.settings import ARGOCD, Settings


def coverage_of(
    overlays: Sequence[Overlay], rules: Iterable[Rule], skipped: Iterable[LocatedSkip], settings: Settings
) -> Coverage:
    """The coverage of a run that read ``overlays`` and ran ``rules``, which left out ``skipped``."""
    read = [overlay for overlay in overlays if not overlay.errors]
    names = {overlay.name for overlay in read}
    has_all = names >= {*settings.environments, *((ARGOCD,) if settings.argocd else ())}
    files = (path for overlay in read for path in (overlay.tree.listed_files if overlay.tree else overlay.target.files))
    return Coverage(
        # A rule that compares overlays concludes nothing from a part of them.
        rules={rule.id for rule in rules if has_all or rule.applies_to is not Repository},
        overlays=names,
        files={os.path.relpath(os.path.realpath(path), settings.repository) for path in files},
        skipped=frozenset(
            (skip.rule, overlay, name_of(skip.object) if skip.object else "")
            for skip in skipped
            for overlay in skip.overlays or ("",)
        ),
    )
