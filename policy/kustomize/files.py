"""Reading files once: names as places show them, bounds, and what a kustomization's paths may reach."""

from __future__ import annotations

import os
import re
from pathlib import Path

from policy.errors import SourceError
from policy.kustomize.kustomization import Kustomization, SourceFile
from policy.kustomize.marks import Node, Scalar, Source
from policy.kustomize.parse import MAX_BYTES, decode, parse

_REMOTE = re.compile(
    r"(?i)(?:[a-z][a-z0-9+.-]*::|[a-z][a-z0-9+.-]*://|[\w.-]+@[\w.-]+:|(?:www\.)?github\.com[/:])|^[^/]+\.git(?:[/?]|$)"
)

BOUNDARIES = (".git", "policy.toml")
"""What a folder holds that is a repository. Any other folder is only where somebody works: its bases may lie beside."""


def is_remote(path: str) -> bool:
    """Whether Kustomize would fetch this path: a URL, or one of the forms that git understands."""
    return _REMOTE.match(path) is not None


class SourceCache:
    """Files and kustomizations that were read, for trees that share them: give one cache to each ``load_sources``."""

    def __init__(self) -> None:
        self.data: dict[str, bytes] = {}
        self.texts: dict[str, str] = {}
        self.files: dict[tuple[str, str, str], SourceFile] = {}
        self.kustomizations: dict[str, Kustomization] = {}


class Files:
    """The files of one repository, as the kustomizations of a tree reach them."""

    def __init__(self, root: Path, cache: SourceCache, restrict: bool) -> None:
        self.root = os.path.realpath(root)
        self.is_bound = any(os.path.exists(os.path.join(self.root, name)) for name in BOUNDARIES)
        self.prefix = self.root.rstrip(os.sep) + os.sep
        self.cache = cache
        self.restrict = restrict

    def name(self, path: str) -> str:
        """The path as places show it: relative to the root, or absolute where it lies outside of it."""
        return path[len(self.prefix) :].replace(os.sep, "/") if path.startswith(self.prefix) else path

    def data(self, path: str) -> bytes:
        """The bytes of a file; raises ``SourceError`` if it cannot be read or is too large."""
        known = self.cache.data.get(path)
        if known is None:
            try:
                with open(path, "rb") as stream:
                    known = stream.read(MAX_BYTES + 1)
            except OSError as error:
                raise SourceError(f"cannot be read: {error.strerror}", file=self.name(path)) from None
            if len(known) > MAX_BYTES:
                raise SourceError(
                    f"is larger than {MAX_BYTES // 1024 // 1024} MiB",
                    file=self.name(path),
                )
            self.cache.data[path] = known
        return known

    def text(self, path: str) -> str:
        """The text of a file; raises ``SourceError`` if it is not UTF-8."""
        known = self.cache.texts.get(path)
        if known is None:
            known = self.cache.texts[path] = decode(self.data(path), self.name(path))
        return known

    def yaml(self, path: str, kustomization: str, entry: str, *, yaml_1_1: bool = False) -> SourceFile:
        """A YAML file, its marks in the name of the kustomization entry that lists it."""
        key = path, kustomization, entry + ("/1.1" if yaml_1_1 else "")
        known = self.cache.files.get(key)
        if known is None:
            name, text = self.name(path), self.text(path)
            parsed = parse(text, Source(name, kustomization, entry), yaml_1_1=yaml_1_1)
            known = self.cache.files[key] = SourceFile(Path(path), name, text, parsed)
        return known

    def find(self, kustomization: Kustomization, entry: str, stated: Scalar) -> str:
        """The absolute path that an entry states.

        Raises ``SourceError`` at the entry's line if the path is remote, does not exist, leads out of the repository
        or (for a file, unless that is allowed) out of the kustomization's own folder.
        """
        written = stated.text
        if is_remote(written):
            raise kustomization.error(
                f"{entry} {written!r} is remote: only files of this repository are read",
                stated,
            )
        path = os.path.realpath(os.path.join(kustomization.folder, written.replace("\0", "")))
        if not os.path.isfile(path) and any(".." in step and step != ".." for step in written.split("/")):
            raise kustomization.error(f"{entry} {written!r} is no path: two list items have run together", stated)
        if "\0" in written or not os.path.exists(path):
            raise kustomization.error(f"{entry} {written!r} does not exist", stated)
        folder = str(kustomization.folder).rstrip(os.sep) + os.sep
        if self.restrict and os.path.isfile(path) and not path.startswith(folder):
            raise kustomization.error(
                f"{entry} {written!r} is outside of {self.name(str(kustomization.folder))}/, "
                "and a kustomization may only name files in or below its own folder",
                stated,
            )
        if self.is_bound and path != self.root and not path.startswith(self.prefix):
            raise kustomization.error(f"{entry} {written!r} is outside of {self.root}", stated)
        return path

    def find_file(self, kustomization: Kustomization, entry: str, stated: Node | None) -> str:
        """``find`` for what must be a file."""
        if not isinstance(stated, Scalar) or not stated.text:
            raise kustomization.error(f"{entry} must be the path of a file", stated)
        path = self.find(kustomization, entry, stated)
        if not os.path.isfile(path):
            raise kustomization.error(f"{entry} {stated.text!r} is not a file", stated)
        return path
