"""What is pinned: each tool by its tools/<name>/go.mod and go.sum, Python packages by tools/python/*.txt."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from policy.errors import ToolError

BUILD_FLAGS = ("-trimpath", "-buildvcs=false", "-mod=readonly")

VERSION_VARIABLES: Mapping[str, str] = {
    "github.com/argoproj/argo-cd/v3": "github.com/argoproj/argo-cd/v3/common.version=",
    "github.com/containernetworking/plugins": (
        "github.com/containernetworking/plugins/pkg/utils/buildversion.BuildVersion=v"
    ),
    "github.com/google/go-containerregistry": "github.com/google/go-containerregistry/cmd/crane/cmd.Version=v",
    "github.com/projectcalico/calico": "github.com/projectcalico/calico/felix/buildinfo.GitVersion=v",
    "github.com/projectcalico/calico/cni-plugin/cmd/calico": "main.VERSION=v",
    "github.com/traefik/traefik/v3": "github.com/traefik/traefik/v3/pkg/version.Version=",
    "github.com/yannh/kubeconform": "main.version=",
    "github.com/zegl/kube-score": "main.version=",
    "k8s.io/kubernetes": "k8s.io/component-base/version.gitVersion=v",
    "sigs.k8s.io/kwok": "sigs.k8s.io/kwok/pkg/consts.Version=v",
    "sigs.k8s.io/metrics-server": "k8s.io/client-go/pkg/version.gitVersion=v",
}
"""By module, or by package for one that differs: the Go variable that is printed as the version, where a release build
sets one, and how."""

CNI_PLUGINS = frozenset({"bridge", "calico", "host-local", "loopback", "portmap", "ptp"})
"""Programs that stand in a folder of their own, ``.tools/cni``, and are never looked for on PATH: a container runtime
runs them by name out of one folder, and other programs have the same names (``bridge`` of iproute2)."""


@dataclass(frozen=True, slots=True)
class Pin:
    """A program that a tools/*/go.mod asks for: a package of a module at a version (``5.8.1``), the file's folder."""

    name: str
    package: str
    module: str
    version: str
    folder: Path

    @property
    def is_own(self) -> bool:
        """Whether it is a program of this project that no library is behind: its source is here, and all of it."""
        return self.module == f"gitops/tools/{self.folder.name}"

    @property
    def place(self) -> str:
        """The folder below ``.tools`` that the program is linked into."""
        return "cni" if self.name in CNI_PLUGINS else "bin"

    @property
    def may_be_installed(self) -> bool:
        """Whether a program of that name on PATH can be the same one: it is asked for its version, so it is run."""
        return self.place == "bin" and not self.is_own

    @property
    def linker_flags(self) -> tuple[str, ...]:
        """No symbol tables, and the version where the tool cannot know it by itself."""
        known = VERSION_VARIABLES.get(self.package) or VERSION_VARIABLES.get(self.module)
        setting = "main.version=" if self.is_own else known
        return ("-s", "-w", *(("-X", f"{setting}{self.version}") if setting else ()))

    def key(self, go: str) -> str:
        """The name of the built tool in the cache: it changes with everything that could change the binary."""
        machine = os.uname()
        parts = [go, machine.sysname, machine.machine, *BUILD_FLAGS, *self.linker_flags]
        return f"{self.name}-{self.version}-{_digest(_sources(self.folder), *parts)[:16]}"


@dataclass(frozen=True, slots=True)
class Files:
    """Files of a tool's own module that are used beside it: ``patterns`` of paths, copied to ``.tools/<place>``.

    Their folders are kept below it, unless the copy is ``flat``. They are the module's bytes, verified by go.sum.
    """

    tool: str
    place: str
    patterns: tuple[str, ...]
    flat: bool = False

    def key(self, name: str, tool_key: str) -> str:
        """The name of the copy in the cache: that of the tool, and of which files are taken."""
        if self.flat:
            return f"{name}-and-tools-{tool_key}"
        return f"{name}-{hashlib.sha256(repr(self.patterns).encode()).hexdigest()[:8]}-{tool_key}"


FILES: Mapping[str, Files] = {
    # Which kustomize Argo CD bundles stands in the second file, and only there.
    "crds": Files("argocd", "crds/argo-cd", ("manifests/crds/*-crd.yaml", "hack/tool-versions.sh"), flat=True),
    # What a running Argo CD is made of, besides its one program: its settings, and the scripts that it calls by name.
    "argocd-installation": Files(
        "argocd",
        "argocd-installation",
        (
            *("manifests/base/**/*.yaml", "manifests/cluster-rbac/**/*.yaml", "manifests/crds/*.yaml"),
            *("manifests/cluster-install/*.yaml", "manifests/namespace-install/*.yaml"),
            *("hack/git-verify-wrapper.sh", "hack/gpg-wrapper.sh"),
        ),
    ),
    # The kinds that Calico keeps its state in.
    "calico-crds": Files("calico", "calico-crds", ("manifests/crds.yaml",)),
    # How the pods and nodes of kwok go from one phase to the next.
    "kwok-stages": Files("kwok", "kwok-stages", ("kustomize/stage/**/*.yaml",)),
}


def read_pin(root: Path, name: str) -> Pin:
    """The pin of one program: that of tools/<name>, or one of several that another folder's go.mod names.

    Raises ToolError if there is none, or if a go.mod names no program.
    """
    own = root / "tools" / name
    files = [own / "go.mod"] if (own / "go.mod").exists() else sorted(root.glob("tools/*/go.mod"))
    known: list[str] = []
    for file in files:
        packages = programs(file)
        if name in packages:
            return _pin(name, packages[name], file)
        known += packages
    raise ToolError(f"there is no pinned tool {name}: known are {', '.join(sorted(known))}")


def programs(file: Path) -> dict[str, str]:
    """The packages that the `tool` directives of a go.mod name, by program (https://go.dev/ref/mod#go-mod-file-tool).

    A folder's only program is called like the folder; of several, each is called like the last part of its package.
    Raises ToolError if there is none.
    """
    text = file.read_text(encoding="utf-8")
    blocks = re.findall(r"^tool \(\n(.*?)^\)$", text, re.MULTILINE | re.DOTALL)
    packages = re.findall(r"^tool ([^\s(]+)$", text, re.MULTILINE) + [
        line for block in blocks for line in block.split()
    ]
    if not packages:
        raise ToolError("has no line `tool <package>`", file=file)
    if len(packages) == 1:
        return {file.parent.name: packages[0]}
    return {package.rpartition("/")[2]: package for package in packages}


def _pin(name: str, package: str, file: Path) -> Pin:
    text = file.read_text(encoding="utf-8")
    versions: dict[str, str] = dict(re.findall(r"^\s*(?:require )?(\S+) v(\S+)(?: // indirect)?$", text, re.MULTILINE))
    modules = [module for module in versions if f"{package}/".startswith(f"{module}/")]
    if f"\nmodule {package}\n" in f"\n{text}":  # a program of our own has the version of the library that it is about
        modules = re.findall(r"^require (\S+) v\S+$", text, re.MULTILINE)[:1]
        if not modules:  # nor is there one: its source is its version
            return Pin(name, package, package, f"0.0.0-{_digest(_sources(file.parent))[:12]}", file.parent)
    if not modules:
        raise ToolError(f"requires no module that holds {package}", file=file)
    module = max(modules, key=len)
    return Pin(name, package, module, versions[module], file.parent)


def _sources(folder: Path) -> list[Path]:
    """What decides over the programs of a folder: the modules below it too, which stand in for others there. A module
    that requires nothing has no go.sum.
    """
    sums = folder / "go.sum"
    modules, sources = sorted(folder.glob("*/go.mod")), sorted(folder.rglob("*.go"))
    return [folder / "go.mod", *([sums] if sums.exists() else []), *modules, *sources]


def _digest(files: Sequence[Path], *parts: str) -> str:
    digest = hashlib.sha256("\0".join(parts).encode())
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()


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
