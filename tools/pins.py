"""What is pinned: each tool by its tools/<name>/go.mod and go.sum, Python packages by tools/python/*.txt."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from policy.errors import ToolError

BUILD_FLAGS = ("-trimpath", "-buildvcs=false", "-mod=readonly")

VERSION_VARIABLES: Mapping[str, str] = {
    "argocd": "github.com/argoproj/argo-cd/v3/common.version",
    "kube-score": "main.version",
    "kubeconform": "main.version",
}
"""The Go variable that a tool prints as its version, where its release build sets one."""


@dataclass(frozen=True, slots=True)
class Pin:
    """What tools/<name>/go.mod asks for: a package of a module at a version (``5.8.1``), and the file's folder."""

    name: str
    package: str
    module: str
    version: str
    folder: Path

    @property
    def linker_flags(self) -> tuple[str, ...]:
        """No symbol tables, and the version where the tool cannot know it by itself."""
        variable = VERSION_VARIABLES.get(self.name)
        return ("-s", "-w", *(("-X", f"{variable}={self.version}") if variable else ()))

    def key(self, go: str) -> str:
        """The name of the built tool in the cache: it changes with everything that could change the binary."""
        machine = os.uname()
        parts = [go, machine.sysname, machine.machine, *BUILD_FLAGS, *self.linker_flags]
        digest = hashlib.sha256("\0".join(parts).encode())
        for file in (self.folder / "go.mod", self.folder / "go.sum", *sorted(self.folder.glob("*.go"))):
            digest.update(file.read_bytes())
        return f"{self.name}-{self.version}-{digest.hexdigest()[:16]}"


def read_pin(root: Path, name: str) -> Pin:
    """The pin of one tool. Raises ToolError if there is none, or if it names no tool."""
    folder = root / "tools" / name
    try:
        text = (folder / "go.mod").read_text(encoding="utf-8")
    except OSError as error:
        known = ", ".join(sorted(path.parent.name for path in root.glob("tools/*/go.mod")))
        raise ToolError(f"there is no pinned tool {name}: known are {known}") from error
    tool = re.search(r"^tool (\S+)$", text, re.MULTILINE)
    if tool is None:
        raise ToolError("has no line `tool <package>`", file=folder / "go.mod")
    package = tool[1]
    versions: dict[str, str] = dict(re.findall(r"^\s*(?:require )?(\S+) v(\S+)(?: // indirect)?$", text, re.MULTILINE))
    modules = [module for module in versions if f"{package}/".startswith(f"{module}/")]
    if f"\nmodule {package}\n" in f"\n{text}":  # a program of our own has the version of the library that it is about
        modules = re.findall(r"^require (\S+) v\S+$", text, re.MULTILINE)[:1]
    if not modules:
        raise ToolError(f"requires no module that holds {package}", file=folder / "go.mod")
    module = max(modules, key=len)
    return Pin(name, package, module, versions[module], folder)


@dataclass(frozen=True, slots=True)
class Lock:
    """A file of tools/python that pins one package by hash: the package's version, and the file."""

    package: str
    version: str
    file: Path

    @property
    def key(self) -> str:
        """The name of what is made from the package, in the cache."""
        return f"{self.package}-{self.version}-{hashlib.sha256(self.file.read_bytes()).hexdigest()[:16]}"


def read_lock(root: Path, name: str, package: str) -> Lock:
    """How tools/python/<name>.txt pins a package. Raises ToolError if it does not."""
    file = root / "tools" / "python" / f"{name}.txt"
    match = re.search(rf"^{re.escape(package)}==(\S+)", file.read_text(encoding="utf-8"), re.MULTILINE)
    if match is None:
        raise ToolError(f"pins no {package}", file=file)
    return Lock(package, match[1], file)
