"""What is to be checked: overlays, any kustomization, folders and files of plain manifests, a stream."""

from __future__ import annotations

import enum
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec
from msgspec.structs import replace

from policy.errors import PolicyError
from policy.settings import ARGOCD, Settings

KUSTOMIZATION_FILES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
MANIFEST_SUFFIXES = frozenset({".yaml", ".yml", ".json"})
STREAM = "-"
CHART_FILE = "Chart.yaml"
NOT_SEARCHED = frozenset({".git", "node_modules"})
MAX_SEARCHED = 8 * 1024 * 1024
"""How much of a file is searched for objects, in bytes; a larger one is read in any case."""

_OBJECT_KEY = re.compile(rb"\b(?:apiVersion|kind)[\"']?\s*:")


class TargetKind(enum.Enum):
    """How the objects of a target are had."""

    KUSTOMIZATION = "kustomization"
    MANIFESTS = "manifests"
    STREAM = "stream"


class Target(msgspec.Struct, frozen=True):
    """One thing to check; ``files`` are the manifest files, where it is no kustomization.

    ``others`` are YAML and JSON files that hold no object, ``charts`` are folders of Helm charts: neither is read.
    Only where it ``may_be_empty``, beside kustomizations, is it no error that no file holds an object.
    """

    name: str
    kind: TargetKind
    path: Path
    files: tuple[Path, ...] = ()
    others: tuple[Path, ...] = ()
    charts: tuple[Path, ...] = ()
    may_be_empty: bool = False


def targets(arguments: Sequence[str], settings: Settings) -> list[Target]:
    """The targets that the arguments name; without arguments the environments of policy.toml.

    Raises:
        PolicyError: an argument names nothing, or there is nothing to check.
    """
    if not arguments:
        if not _named(settings):
            where = settings.file or "a policy.toml, which `policy init` writes"
            raise PolicyError(f"nothing to check: name a PATH, or list the environments in {where}")
        return [_of_name(name, settings.root / path) for name, path in _named(settings).items()]
    found: list[Target] = []
    files: list[Path] = []
    for argument in arguments:
        if argument == STREAM:
            found.append(Target("stdin", TargetKind.STREAM, Path(STREAM)))
        elif os.path.isdir(argument):
            found.extend(_of_folder(Path(argument), settings))
        elif os.path.isfile(argument):
            files.append(Path(argument))
        elif argument in _named(settings):
            found.append(_of_name(argument, settings.root / _named(settings)[argument]))
        else:
            raise PolicyError(_unknown(argument, settings))
    files = list({os.path.realpath(file): file for file in files}.values())  # what is named twice is read once
    if files:
        name = str(files[0]) if len(files) == 1 else f"{len(files)} files"
        found.append(Target(name, TargetKind.MANIFESTS, files[0].parent, tuple(files)))
    if not found:  # the worst that a check could say is that nothing is clean
        raise PolicyError(f"nothing to check in {', '.join(arguments)}")
    return found


def _named(settings: Settings) -> dict[str, Path]:
    """What policy.toml names: the environments, and Argo CD's own objects."""
    return {**settings.environments, **({ARGOCD: settings.argocd} if settings.argocd else {})}


def _unknown(argument: str, settings: Settings) -> str:
    known = ", ".join(settings.environments)
    if os.path.exists(argument):  # reading a pipe would take its content away from whatever reads it next
        return f"{argument} is neither a file nor a folder; what a pipe holds is checked with `... | policy check -`"
    return f"there is no file, folder or environment {argument}" + (f"; environments: {known}" if known else "")


def _of_name(name: str, folder: Path) -> Target:
    """An environment: a kustomization, or a folder of plain manifests without any kustomization."""
    if not is_kustomization(folder):
        found = walk(folder)
        if found.files and not found.kustomizations:
            return _plain(name, folder, found)
    return Target(name, TargetKind.KUSTOMIZATION, folder)


def _plain(name: str, folder: Path, found: Found) -> Target:
    return Target(name, TargetKind.MANIFESTS, folder, found.files, found.others, found.charts)


def _of_folder(folder: Path, settings: Settings) -> Iterator[Target]:
    """A kustomization; else the kustomizations below it that a person would build, and the manifests beside them."""
    name = _environment_of(folder, settings)
    if is_kustomization(folder):
        yield Target(name, TargetKind.KUSTOMIZATION, folder)
        return
    found = walk(folder)
    if not found.kustomizations and not found.files:
        raise PolicyError(_nothing_in(folder, found))
    for path in not_built_by_others(found.kustomizations):
        yield Target(_environment_of(path, settings), TargetKind.KUSTOMIZATION, path)
    if found.files or found.charts:
        yield replace(_plain(name, folder, found), may_be_empty=bool(found.kustomizations))


def _nothing_in(folder: Path, found: Found) -> str:
    nothing = f"{folder} holds no kustomization and no manifest (.yaml, .yml, .json)"
    if not found.charts:
        return nothing
    chart = found.charts[0]
    return f"{nothing}, but Helm charts; check what they render: `helm template {chart} | policy check -`"


def is_kustomization(folder: Path) -> bool:
    """Whether ``kustomize build`` would take the folder."""
    return any((folder / name).is_file() for name in KUSTOMIZATION_FILES)


def _environment_of(folder: Path, settings: Settings) -> str:
    for name, path in _named(settings).items():
        if (settings.root / path).resolve() == folder.resolve():
            return name
    return os.path.relpath(folder)


class Found(msgspec.Struct, frozen=True):
    """What lies below a folder; ``files`` are manifests that no kustomization's folder holds."""

    kustomizations: tuple[Path, ...]
    files: tuple[Path, ...]
    others: tuple[Path, ...]
    charts: tuple[Path, ...]


def walk(folder: Path) -> Found:
    """Finds kustomizations and manifests; the templates of Helm charts are neither, nor is what npm installs.

    A chart below a kustomization is one that Kustomize inflates.
    """
    kustomizations: list[Path] = []
    files: list[Path] = []
    others: list[Path] = []
    charts: list[Path] = []
    for name, folders, names in os.walk(folder):
        parent = Path(name)
        is_inside = any(parent.is_relative_to(path) for path in kustomizations)
        if CHART_FILE in names:
            charts.extend(() if is_inside else (parent,))
            folders.clear()
            continue
        folders[:] = sorted(name for name in folders if name not in NOT_SEARCHED)
        if is_kustomization(parent):
            kustomizations.append(parent)
        elif not is_inside:
            for file in (parent / name for name in sorted(names) if Path(name).suffix in MANIFEST_SUFFIXES):
                # Reading a pipe would wait for ever; a link that leads nowhere is told.
                if file.is_file() or (file.is_symlink() and not os.path.exists(file)):
                    (files if may_hold_objects(file) else others).append(file)
    return Found(tuple(kustomizations), tuple(files), tuple(others), tuple(charts))


def may_hold_objects(file: Path) -> bool:
    """Whether a file is worth reading as manifests; False only where neither of an object's two first keys is in it."""
    try:
        with file.open("rb") as stream:
            content = stream.read(MAX_SEARCHED)
    except OSError:
        return True  # reading it says what is wrong
    return len(content) == MAX_SEARCHED or b"\0" in content or _OBJECT_KEY.search(content) is not None


def not_built_by_others(kustomizations: Iterable[Path]) -> Iterator[Path]:
    """The kustomizations that no other one names as its base or component, and one of each circle of bases.

    Nobody can build a circle, which is for its build to say: what is left out here nobody hears of.
    """
    folders = list(kustomizations)
    named_by = {os.path.realpath(folder): _named_by(folder) for folder in folders}
    named = {name for names in named_by.values() for name in names}
    built: set[str] = set()
    for is_circle in (False, True):
        for folder in folders:
            start = os.path.realpath(folder)
            if start in built or (start in named and not is_circle):
                continue
            yield folder
            unseen = [start]
            while unseen:
                if (name := unseen.pop()) not in built:
                    built.add(name)
                    unseen.extend(named_by.get(name, ()))


def _named_by(folder: Path) -> frozenset[str]:
    """The real paths of the bases and components that a kustomization names, and of its files."""
    import yaml

    file = next(folder / name for name in KUSTOMIZATION_FILES if (folder / name).is_file())
    try:
        fields = yaml.load(file.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError, OSError):
        return frozenset()  # the build of the folder itself will say what is wrong, and where
    lists = [fields.get(key) for key in ("resources", "bases", "components")] if isinstance(fields, dict) else []
    return frozenset(
        os.path.realpath(folder / str(entry).replace("\0", ""))
        for entries in lists
        if isinstance(entries, list)
        for entry in entries
    )
