"""What is to be checked: overlays, any kustomization, folders and files of plain manifests, a stream."""

from __future__ import annotations

import enum
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from policy.errors import PolicyError
from policy.settings import ARGOCD, Settings

KUSTOMIZATION_FILES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
MANIFEST_SUFFIXES = frozenset({".yaml", ".yml", ".json"})
STREAM = "-"


class TargetKind(enum.Enum):
    """How the objects of a target are had."""

    KUSTOMIZATION = "kustomization"
    MANIFESTS = "manifests"
    STREAM = "stream"


@dataclass(frozen=True, slots=True)
class Target:
    """One thing to check; ``files`` are the manifest files, where it is no kustomization."""

    name: str
    kind: TargetKind
    path: Path
    files: tuple[Path, ...] = ()


def targets(arguments: Sequence[str], settings: Settings) -> list[Target]:
    """The targets that the arguments name; without arguments the environments of policy.toml.

    Raises:
        PolicyError: an argument names nothing, or there is nothing to check.
    """
    if not arguments:
        if not _named(settings):
            raise PolicyError(
                f"nothing to check: name a PATH, or list the environments in {settings.file or 'a policy.toml'}"
            )
        return [Target(name, TargetKind.KUSTOMIZATION, settings.root / path) for name, path in _named(settings).items()]
    found: list[Target] = []
    files: list[Path] = []
    for argument in arguments:
        if argument == STREAM:
            found.append(Target("stdin", TargetKind.STREAM, Path(STREAM)))
        elif (path := Path(argument)).is_file():
            files.append(path)
        elif path.is_dir():
            found.extend(_of_folder(path, settings))
        elif argument in _named(settings):
            found.append(Target(argument, TargetKind.KUSTOMIZATION, settings.root / _named(settings)[argument]))
        else:
            raise PolicyError(_unknown(argument, settings))
    if files:
        name = str(files[0]) if len(files) == 1 else f"{len(files)} files"
        found.append(Target(name, TargetKind.MANIFESTS, files[0].parent, tuple(files)))
    return found


def _named(settings: Settings) -> dict[str, Path]:
    """What policy.toml names: the environments, and Argo CD's own objects."""
    return {**settings.environments, **({ARGOCD: settings.argocd} if settings.argocd else {})}


def _unknown(argument: str, settings: Settings) -> str:
    known = ", ".join(settings.environments)
    return f"there is no file, folder or environment {argument}" + (f"; environments: {known}" if known else "")


def _of_folder(folder: Path, settings: Settings) -> Iterator[Target]:
    """A kustomization; else the kustomizations below it that a person would build, and the manifests beside them."""
    if is_kustomization(folder):
        yield Target(_environment_of(folder, settings), TargetKind.KUSTOMIZATION, folder)
        return
    kustomizations, files = _walk(folder)
    if not kustomizations and not files:
        raise PolicyError(f"{folder} holds no kustomization and no manifest (.yaml, .yml, .json)")
    for path in _not_built_by_others(kustomizations):
        yield Target(_environment_of(path, settings), TargetKind.KUSTOMIZATION, path)
    if files:
        yield Target(str(folder), TargetKind.MANIFESTS, folder, tuple(files))


def is_kustomization(folder: Path) -> bool:
    """Whether ``kustomize build`` would take the folder."""
    return any((folder / name).is_file() for name in KUSTOMIZATION_FILES)


def _environment_of(folder: Path, settings: Settings) -> str:
    for name, path in _named(settings).items():
        if (settings.root / path).resolve() == folder.resolve():
            return name
    return os.path.relpath(folder)


def _walk(folder: Path) -> tuple[list[Path], list[Path]]:
    kustomizations: list[Path] = []
    files: list[Path] = []
    for parent, folders, names in os.walk(folder):
        if is_kustomization(Path(parent)):
            kustomizations.append(Path(parent))
        elif not any(Path(parent).is_relative_to(path) for path in kustomizations):
            files.extend(Path(parent) / name for name in sorted(names) if Path(name).suffix in MANIFEST_SUFFIXES)
        folders[:] = sorted(name for name in folders if name != ".git")
    return kustomizations, files


def _not_built_by_others(kustomizations: Iterable[Path]) -> Iterator[Path]:
    """The kustomizations that no other one names as its base or component."""
    import yaml

    named: set[Path] = set()
    folders = list(kustomizations)
    for folder in folders:
        file = next(folder / name for name in KUSTOMIZATION_FILES if (folder / name).is_file())
        try:
            fields = yaml.load(file.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
        except (yaml.YAMLError, UnicodeDecodeError, OSError):
            continue  # the build of the folder itself will say what is wrong, and where
        for key in ("resources", "bases", "components"):
            entries = fields.get(key) if isinstance(fields, dict) else None
            named.update((folder / str(entry)).resolve() for entry in entries or ())
    for folder in folders:
        if folder.resolve() not in named:
            yield folder
