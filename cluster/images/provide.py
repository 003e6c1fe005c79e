"""Making the images that the overlays use, unless the user's cache has them."""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from cluster.errors import ClusterError
from cluster.images.layout import Settings, architecture, write_layout
from cluster.images.packages import Archive, Package
from cluster.images.recipes import ASSUMED, BASE, FILES, RECIPES, Program, Recipe
from cluster.images.tree import LINKED_FOLDERS, UNUSED, Tree
from tools.build import cache_folder
from tools.commands import say

USER = 10001
"""As whom every pod of the overlays runs."""


def make_images(
    names: Iterable[str], tools: Path, recipes: Mapping[str, Recipe | Program] = RECIPES
) -> dict[str, Path]:
    """The folder with the image (OCI layout) of every name (``docker.io/library/redis``): from the cache, or made.

    ``tools`` is the folder of what tools/build.py provides: some consist of that. An image is in the cache until its
    recipe, or this package, changes; where its folder was deleted, it is made of the packages of that day.
    Raises ClusterError: no recipe, no Debian (NoArchiveError), a program that tools/build.py has not provided; and
    ToolError with what apt says.
    """
    wanted = list(names)
    unknown = sorted(set(wanted) - set(recipes))
    if unknown:
        raise ClusterError(f"there is no recipe for the image {unknown[0]}: known are {', '.join(recipes)}")
    cache = cache_folder() / "images"
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with (cache / "lock").open("w") as lock, tempfile.TemporaryDirectory(dir=cache, prefix=".making-") as scratch:
            fcntl.flock(lock, fcntl.LOCK_EX)
            maker = _Maker(cache, Path(scratch), tools)
            return {name: maker.make(name, recipes[name]) for name in wanted}
    except OSError as error:
        raise ClusterError(f"{error.filename or cache}: {error.strerror or error}") from error


def pack_program(program: Path, folder: Path) -> None:
    """Make the folder, with an image (OCI layout) of one static program in it, which is started without arguments."""
    layer = _foundation()
    layer.add_file(program.name, program.read_bytes(), 0o755)
    write_layout(folder, [layer], Settings(entrypoint=(f"/{program.name}",)))


class _Maker:
    """Makes images one after the other; what several of one release share is read once."""

    def __init__(self, cache: Path, scratch: Path, tools: Path) -> None:
        self._cache = cache
        self._scratch = scratch
        self._tools = tools
        self._archives: dict[str, Archive] = {}
        self._bases: dict[str, tuple[tuple[Package, ...], Tree]] = {}

    def make(self, name: str, recipe: Recipe | Program) -> Path:
        short = name.rpartition("/")[2]
        kept = self._cache / f"{short}-{self._key(recipe)}"
        if not kept.exists():
            part = self._scratch / short
            if isinstance(recipe, Program):
                pack_program(self._tools / "bin" / recipe.name, part)
            else:
                self._pack(recipe, short, part)
            os.replace(part, kept)
        return kept

    def _key(self, recipe: Recipe | Program) -> str:
        """Changes with all that an image is made of, but for the versions of the packages."""
        sources = [Path(__file__).with_name(name) for name in ("layout.py", "packages.py", "provide.py", "tree.py")]
        if isinstance(recipe, Program):
            sources.append(self._tools / "bin" / recipe.name)
        else:
            sources += (FILES / file for file in recipe.files.values())
            sources += (self._tools / file for file in recipe.tools.values())
        digest = hashlib.sha256(f"{recipe} {BASE} {ASSUMED} {architecture()}".encode())
        for file in sources:
            digest.update(file.read_bytes())
        return digest.hexdigest()[:16]

    def _pack(self, recipe: Recipe, name: str, folder: Path) -> None:
        in_base, base = self._base(recipe.release)
        packages = self._archive(recipe.release).needed((*BASE, *recipe.packages), (*ASSUMED, *recipe.assumed))
        own = self._unpack(recipe.release, [one for one in packages if one not in in_base], name, recipe.without)
        for path in recipe.folders:
            own.add_folder(path)
        for path, file in recipe.files.items():
            own.add_file(path, (FILES / file).read_bytes(), 0o755)
        for path, file in recipe.tools.items():
            own.add_file(path, (self._tools / file).read_bytes(), 0o755)
        for path, target in recipe.links.items():
            own.add_link(path, target)
        write_layout(folder, [base, own], recipe.settings, {"packages": " ".join(map(str, packages))})

    def _archive(self, release: str) -> Archive:
        if release not in self._archives:
            archive = Archive(release, self._scratch / f"apt-{release}")
            archive.read()
            self._archives[release] = archive
        return self._archives[release]

    def _base(self, release: str) -> tuple[tuple[Package, ...], Tree]:
        if release not in self._bases:
            packages = self._archive(release).needed(BASE, ASSUMED)
            tree = self._unpack(release, packages, f"a minimal {release}", ())
            tree.entries |= _foundation().entries
            self._bases[release] = packages, tree
        return self._bases[release]

    def _unpack(self, release: str, packages: Iterable[Package], name: str, without: Iterable[str]) -> Tree:
        tree = Tree()
        fetched = self._archive(release).fetch(list(packages), self._scratch / f"packages-{name}", name)
        say(f"unpacking {name}")
        for file in fetched:
            tree.add_package(file, {*UNUSED, *without})
            file.unlink()
        return tree


def _foundation() -> Tree:
    """What a program expects of any system: a name for its user, and the folders that a runtime mounts over."""
    tree = Tree()
    for link, folder in LINKED_FOLDERS.items():
        tree.add_folder(folder)
        tree.add_link(link, "/" + folder)
    for path in ("dev", "etc", "proc", "run", "sys", "usr", "usr/bin", "var"):
        tree.add_folder(path)
    for path in ("tmp", "var/tmp"):
        tree.add_folder(path, 0o1777)
    tree.add_file("etc/passwd", f"root:x:0:0::/root:/bin/sh\napp:x:{USER}:{USER}::/tmp:/bin/sh\n")
    tree.add_file("etc/group", f"root:x:0:\napp:x:{USER}:\n")
    tree.add_file("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n")
    return tree
