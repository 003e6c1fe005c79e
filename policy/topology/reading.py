"""The overlays that a command names, also as they were in another commit, each with its contract."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from policy.connectivity.topology import Cluster, Topology
from policy.connectivity.topology_file import load_topology
from policy.engine import read as read_overlays
from policy.errors import PolicyError
from policy.history import extract
from policy.invocation import settings_for
from policy.overlay import Overlay
from policy.settings import ARGOCD, Settings, repository_of
from policy.targets import Target, targets

_NO_CONTRACT = Topology("", {}, Cluster(), ())


@dataclass(frozen=True, slots=True)
class Side:
    """An overlay and its contract; without a topology.yaml the contract is empty."""

    overlay: Overlay
    topology: Topology

    @property
    def has_contract(self) -> bool:
        return bool(self.topology.file)


def read(
    paths: Sequence[str], *, config: Path | None = None, file: Path | None = None, with_contract: bool = True
) -> list[Side]:
    """What ``policy topology PATH`` speaks of; without a path all environments, but not Argo CD's own objects.

    Raises:
        PolicyError: a path names nothing, or what it names cannot be read.
    """
    settings = settings_for(paths, config)
    topology = contract(settings, file) if with_contract else _NO_CONTRACT
    return _read(_chosen(paths, settings), settings, topology)


def _chosen(paths: Sequence[str], settings: Settings) -> list[Target]:
    found = targets(paths, settings)
    return found if paths else [target for target in found if target.name != ARGOCD]


def _read(chosen: Sequence[Target], settings: Settings, topology: Topology) -> list[Side]:
    return [Side(overlay, topology) for overlay in read_overlays(chosen, settings)]


def contract(settings: Settings, file: Path | None = None) -> Topology:
    """The contract of a repository: ``file``, else the one that its settings name or that lies beside them, else none.

    Raises:
        SettingsError: it cannot be read, or says something that cannot be understood.
    """
    found = file or settings.topology_file
    if found is None:
        return _NO_CONTRACT
    path = found.resolve()
    name = path.relative_to(settings.repository) if path.is_relative_to(settings.repository) else found
    return load_topology(found, str(name))


@contextmanager
def one_side(argument: str) -> Iterator[Side]:
    """The one overlay that an argument of a comparison names: a path, an environment, or either in a commit.

    A commit is named as Git does, ``main:overlays/prod``, the path from the root of the repository, or with the name
    of one of its environments, ``main:prod``. Its files lie in a folder of their own until the comparison is done.

    Raises:
        PolicyError: it names nothing, several overlays, or what cannot be read.
    """
    revision, colon, path = argument.partition(":")
    if not colon or os.path.exists(argument):
        yield _only(read([argument]), argument)
        return
    repository = repository_of(Path.cwd())
    if repository is None:
        raise PolicyError(f"{argument} names a commit, and {Path.cwd()} is in no Git repository")
    with tempfile.TemporaryDirectory(prefix="policy-") as folder:
        root = Path(folder).resolve()
        extract(repository, revision, root)
        (root / ".git").mkdir(exist_ok=True)  # the places of what is read are relative to this folder
        tools = repository / ".tools"
        if tools.is_dir() and not os.path.lexists(root / ".tools"):
            (root / ".tools").symlink_to(tools.resolve())
        inside = root / path
        settings = settings_for([str(inside if inside.exists() else root)])
        named = [path] if path in settings.environments else [str(inside)] if inside.exists() else None
        if path and named is None:
            known = ", ".join(settings.environments)
            there = f"; environments: {known}" if known else ""
            raise PolicyError(f"there is no file, folder or environment {path} in {revision}{there}")
        yield _only(_read(_chosen(named or [], settings), settings, contract(settings)), argument)


def _only(sides: Sequence[Side], argument: str) -> Side:
    if len(sides) != 1:
        names = ", ".join(side.overlay.name for side in sides)
        raise PolicyError(f"{argument} holds {len(sides)} overlays ({names}): name one")
    return sides[0]
