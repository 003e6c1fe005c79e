"""What a repository holds: overlays, plain manifests, Argo CD's objects, CustomResourceDefinitions, Helm charts.

Told from names and from the lines that state an object's kind; nothing is rendered and nothing is run. Hidden folders,
what is copied from elsewhere, data of tests and the inside of Helm charts are not looked at.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from policy.adoption.names import Named, environment_word, named
from policy.targets import CHART_FILE, KUSTOMIZATION_FILES, MANIFEST_SUFFIXES, NOT_SEARCHED, not_built_by_others

_MAX_BYTES = 8 * 1024 * 1024
_MAX_HEAD = 64 * 1024
"""Where an object on one line must have said what it is."""
_DOCUMENT = re.compile(r"^---", re.MULTILINE)
_API_VERSION = re.compile(r"""^[ \t]*[{"']*apiVersion["']?[ \t]*:[ \t]*["']?([^\s"',}]+)""", re.MULTILINE)
_KIND = re.compile(r"""^[ \t]*[{"']*kind["']?[ \t]*:[ \t]*["']?(\w+)""", re.MULTILINE)
_FLOW = re.compile(
    r"""[-\s]*\{.*?\bapiVersion["']?\s*:\s*["']?([^\s"',}]+).*?\bkind["']?\s*:\s*["']?(\w+)""", re.DOTALL
)

_ARGOCD = frozenset({"AppProject", "Application", "ApplicationSet"})
_WORKLOADS = frozenset({"CronJob", "DaemonSet", "Deployment", "Job", "Pod", "ReplicaSet", "Service", "StatefulSet"})
_DEFINITION = "CustomResourceDefinition"
_GROUP = re.compile(r"^ {2}group: *(\S+)$", re.MULTILINE)
_DEFINED = re.compile(r"^ {4}kind: *(\S+)$", re.MULTILINE)
_PASSED_OVER = NOT_SEARCHED | {"testdata", "vendor"}
_NOT_DEPLOYED = re.compile(
    r"(skaffold|backstage\.io|eksctl\.io|k3d\.io|(kind|kustomize)\.(x-)?k8s\.io|kustomize\.config\.k8s\.io"
    r"|(kubeadm|kubelet|kubeproxy|apiserver|audit|kubescheduler)(\.config)?\.k8s\.io|devfile\.io)/"
)
"""API versions of files that configure a tool or a node; no API server is given them."""


class Kind(NamedTuple):
    """What a document says it is; ``defines`` is the group and kind of a CustomResourceDefinition, where they show."""

    api_version: str
    name: str
    defines: str = ""


class Survey(msgspec.Struct, frozen=True):
    """What was found; paths are relative to ``root``.

    ``environments`` are what a person would build, in the order in which changes reach production. ``loose`` are
    folders of manifests beside them that no kustomization builds. ``argocd`` holds Argo CD's own objects,
    ``definitions`` are files with CustomResourceDefinitions.
    """

    root: Path
    environments: tuple[Named, ...]
    loose: tuple[Named, ...]
    argocd: Path | None
    definitions: tuple[Path, ...]
    charts: tuple[Path, ...]


class _Tree(msgspec.Struct, dict=True):
    """Every folder of the repository, read once."""

    kustomizations: list[Path] = msgspec.field(default_factory=list)
    charts: list[Path] = msgspec.field(default_factory=list)
    kinds: dict[Path, tuple[Kind, ...]] = msgspec.field(default_factory=dict)
    """The kinds in each YAML and JSON file that holds any; kustomizations are not among them."""


def survey(root: Path) -> Survey:
    """Looks at the repository in ``root``."""
    tree = _read(root)
    built = [folder for folder in not_built_by_others(tree.kustomizations) if not _is_component(folder)]
    plain = {file: kinds for file, kinds in tree.kinds.items() if not _is_below(file, tree.kustomizations)}
    argocd = _argocd(root, tree, built, plain)
    environments = [folder for folder in built if folder != argocd]
    runs = [file for file, kinds in plain.items() if any(kind.name != _DEFINITION for kind in kinds)]
    loose = _plain_folders(root, [file for file in runs if argocd is None or not file.is_relative_to(argocd)])
    if not built:
        environments, loose = loose, []
    return Survey(
        root=root,
        environments=named(folder.relative_to(root) for folder in environments),
        loose=named(folder.relative_to(root) for folder in loose),
        argocd=argocd.relative_to(root) if argocd else None,
        definitions=tuple(sorted(file.relative_to(root) for file in _definitions(tree))),
        charts=tuple(folder.relative_to(root) for folder in tree.charts),
    )


def _read(root: Path) -> _Tree:
    tree = _Tree()
    for name, folders, names in os.walk(root):
        folder = Path(name)
        folders[:] = sorted(name for name in folders if name not in _PASSED_OVER and _can_be_named(name))
        if CHART_FILE in names:
            tree.charts.append(folder)
            folders[:] = [name for name in folders if name == "crds"]  # Helm does not template those
            continue
        if any(name in names for name in KUSTOMIZATION_FILES):
            tree.kustomizations.append(folder)
        for file in (folder / name for name in sorted(names) if name not in KUSTOMIZATION_FILES):
            if file.suffix in MANIFEST_SUFFIXES and file.is_file() and (kinds := _kinds_in(file)):
                tree.kinds[file] = kinds
    return tree


def _can_be_named(folder: str) -> bool:
    """Not hidden, and text: policy.toml could not name another folder."""
    return not folder.startswith(".") and folder.isprintable()


def _kinds_in(file: Path) -> tuple[Kind, ...]:
    try:
        with file.open("rb") as stream:
            text = stream.read(_MAX_BYTES).decode("utf-8-sig", "replace")
    except OSError:
        return ()
    if "apiVersion" not in text:
        return ()
    found = (_kind_of(document) for document in _DOCUMENT.split(text))
    return tuple(kind for kind in found if kind and not _is_configuration(kind))


def _kind_of(document: str) -> Kind | None:
    version, name = _API_VERSION.search(document), _KIND.search(document)
    if version and name:
        return Kind(version[1], name[1], _defines(document) if name[1] == _DEFINITION else "")
    flow = _FLOW.match(document[:_MAX_HEAD])
    return Kind(flow[1], flow[2]) if flow else None


def _defines(document: str) -> str:
    group, kind = _GROUP.search(document), _DEFINED.search(document)
    return f"{group[1]}/{kind[1]}" if group and kind else ""


def _is_configuration(kind: Kind) -> bool:
    return kind[:2] == ("v1", "Config") or _NOT_DEPLOYED.match(kind.api_version) is not None


def _is_component(folder: Path) -> bool:
    for name in KUSTOMIZATION_FILES:
        file = folder / name
        if file.is_file():
            text = file.read_bytes()[:_MAX_BYTES].decode("utf-8", "replace")
            return re.search(r"^kind:\s*[\"']?Component\b", text, re.MULTILINE) is not None
    return False


def _definitions(tree: _Tree) -> Iterator[Path]:
    """The files that define custom kinds, each kind once: a bundle to install often holds them a second time."""
    defined: dict[Path, set[str]] = {}
    bundles: set[Path] = set()
    for file, kinds in tree.kinds.items():
        found = [kind for kind in kinds if kind.name == _DEFINITION]
        if found:
            defined[file] = {kind.defines or str(file) for kind in found}
            bundles.update({file} if len(found) < len(kinds) else ())
    known: set[str] = set()
    for file in sorted(defined, key=lambda file: (file in bundles, file)):
        if not defined[file] <= known:
            known |= defined[file]
            yield file


def _argocd(root: Path, tree: _Tree, built: Iterable[Path], plain: dict[Path, tuple[Kind, ...]]) -> Path | None:
    """The folder of Argo CD's own objects, with nothing that runs beside them; None where several could be it."""
    counts: dict[Path, int] = {}
    for folder in built:
        kinds = [kind for file, found in tree.kinds.items() if file.is_relative_to(folder) for kind in found]
        counts[folder] = _deployers(kinds)
    candidates = {file.parent for file, kinds in plain.items() if _deployers(kinds)}
    if candidates:
        folder = Path(os.path.commonpath(candidates))
        kinds = [kind for file, found in tree.kinds.items() if file.is_relative_to(folder) for kind in found]
        if folder != root and not any(other.is_relative_to(folder) for other in tree.kustomizations):
            counts[folder] = _deployers(kinds)
    found = [folder for folder, count in counts.items() if count]
    told = [folder for folder in found if "argo" in str(folder.relative_to(root)).lower()]
    return found[0] if len(found) == 1 else told[0] if len(told) == 1 else None


def _deployers(kinds: Iterable[Kind]) -> int:
    """How many objects say what Argo CD deploys; none where there are workloads among them."""
    found = list(kinds)
    if any(kind.name in _WORKLOADS for kind in found):
        return 0
    return sum(kind.api_version.startswith("argoproj.io/") and kind.name in _ARGOCD for kind in found)


def _plain_folders(root: Path, files: Iterable[Path]) -> list[Path]:
    """One folder for each environment that folders are named after; else the one folder that all files lie below."""
    by_environment: defaultdict[Path | None, list[Path]] = defaultdict(list)
    for file in files:
        steps = file.parent.relative_to(root).parts
        last = next((number for number, step in enumerate(steps) if environment_word(step)), None)
        by_environment[None if last is None else root.joinpath(*steps[: last + 1])].append(file.parent)
    others = by_environment.pop(None, [])
    found = [folder for folder in by_environment if folder is not None]
    common = Path(os.path.commonpath(others)) if others else None
    if common and not any(folder.is_relative_to(common) for folder in found):
        found.append(common)
    return sorted(found)


def _is_below(file: Path, folders: Iterable[Path]) -> bool:
    return any(file.is_relative_to(folder) for folder in folders)
