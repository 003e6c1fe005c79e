"""Which policy.toml holds for the paths that a command names."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from policy.settings import Settings


def settings_for(paths: Sequence[str], config: Path | None = None) -> Settings:
    """The settings of ``config``, else of the nearest policy.toml above the first path, else the defaults.

    Without a policy.toml, the nearest topology.yaml holds.

    Raises:
        SettingsError: the file says something that cannot be understood.
    """
    from policy.rules import RULES
    from policy.settings import Settings, find_settings_file, load_settings, repository_of

    start = _start(paths)
    file = config or find_settings_file(start)
    if file:
        return load_settings(file.resolve(), RULES)
    here = Path.cwd()
    repository = repository_of(start) or (here if start.is_relative_to(here) else Path(start.anchor))
    return Settings(start, repository, topology=_nearest_topology(start, repository))


def _nearest_topology(start: Path, repository: Path) -> Path | None:
    """The topology.yaml of the folder, else of the nearest one above it that is in the repository."""
    from policy.settings import TOPOLOGY_NAME

    for folder in (start, *start.parents):
        if (folder / TOPOLOGY_NAME).is_file():
            return folder / TOPOLOGY_NAME
        if folder == repository:
            return None
    return None


def _start(paths: Sequence[str]) -> Path:
    """Where the search for policy.toml begins: the first path given, else the working folder."""
    for path in paths:
        if path != "-" and os.path.exists(path):
            found = Path(path).resolve()
            return found if found.is_dir() else found.parent
    return Path.cwd()
