"""Packages of a Debian release: which ones a program needs, and their files, without a change to this machine.

apt works in a folder of its own: it knows one release, no installed package, and none of this machine's hooks. Only
where the archive is, and how it is reached (proxies), is taken from this machine's settings. apt verifies the archive's
signature and through it the hash of every package.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from cluster.errors import ClusterError
from tools.commands import run_shown

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")

_PRINTED = re.compile(r"^'[^']+' (?P<name>[^_ ]+)_(?P<version>[^_ ]+)_[^_ ]+\.deb \d+ ", re.MULTILINE)
"""A line of ``apt-get --print-uris``: the address, the file's name (its version percent-encoded), size and hash."""


class NoArchiveError(ClusterError):
    """This machine knows no archive of Debian packages, or lacks a program that reads one."""


@dataclass(frozen=True, slots=True, order=True)
class Package:
    """A package of the archive at one version (``5:8.0.2-3+deb13u3``)."""

    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.name}={self.version}"


class Archive:
    """The packages of one release (``trixie``) for this machine's processor; what apt keeps goes into ``folder``."""

    def __init__(self, release: str, folder: Path) -> None:
        self._release = release
        self._folder = folder
        self._settings = folder / "apt.conf"

    def read(self) -> None:
        """Fetch the release's list of packages. Raises NoArchiveError, or ToolError with what apt says."""
        sources = self._sources()
        for name in ("lists/partial", "cache/archives/partial"):
            (self._folder / name).mkdir(parents=True, exist_ok=True)
        (self._folder / "sources.list").write_text(sources)
        self._settings.write_text(self._own_settings())
        self._assume(())
        self._apt_get("update", what=f"reading which packages Debian {self._release} has")

    def needed(self, names: Sequence[str], assumed: Iterable[str]) -> tuple[Package, ...]:
        """The named packages and all that they depend on, sorted.

        ``assumed`` are packages that apt believes to be there: neither they nor what only they need is in the answer.
        Raises ClusterError with what apt says if there is no such package.
        """
        self._assume(assumed)
        options = ("--print-uris", "--yes", "--no-install-recommends")
        printed = self._apt_get("install", *options, *names, what=f"resolving {names[-1]}", shown=False)
        found = (Package(match["name"], unquote(match["version"])) for match in _PRINTED.finditer(printed))
        return tuple(sorted(found))

    def fetch(self, packages: Sequence[Package], folder: Path, what: str) -> list[Path]:
        """Put the packages' files into an empty folder; in the order asked for. Raises ToolError."""
        folder.mkdir(parents=True)
        self._apt_get("download", *map(str, packages), what=f"fetching the packages of {what}", cwd=folder)
        files = {file.name.partition("_")[0]: file for file in folder.glob("*.deb")}
        return [files[package.name] for package in packages]

    def _sources(self) -> str:
        """The same archive that this machine is installed from, for another release of it."""
        if not KEYRING.exists():
            raise NoArchiveError(
                f"the images are made of Debian's packages: {KEYRING} verifies them (package debian-archive-keyring)"
            )
        asked = ("indextargets", "--format", "$(REPO_URI)", "Created-By: Packages")
        addresses = [line.rstrip("/") for line in _run("apt-get", *asked, env=None).splitlines()]
        lines = []
        for last, suite in (("debian", self._release), ("debian-security", f"{self._release}-security")):
            address = next((one for one in addresses if one.rpartition("/")[2] == last), None)
            if address is not None:
                lines.append(f"deb [signed-by={KEYRING}] {address} {suite} main\n")
        if not lines or lines[0].split()[-2] != self._release:
            raise NoArchiveError(
                "the images are made of Debian's packages, and this machine's apt knows no such archive"
            )
        return "".join(lines)

    def _own_settings(self) -> str:
        reached = [line for line in _run("apt-config", "dump", env=None).splitlines() if line.startswith("Acquire::")]
        folder = self._folder.absolute()
        own = {
            "Dir::Etc::SourceList": folder / "sources.list",
            "Dir::Etc::SourceParts": "/dev/null",
            "Dir::Etc::Parts": "/dev/null",
            "Dir::Etc::Main": "/dev/null",
            "Dir::Etc::Preferences": "/dev/null",
            "Dir::Etc::PreferencesParts": "/dev/null",
            "Dir::State": folder,
            "Dir::State::Lists": folder / "lists",
            "Dir::State::Status": folder / "status",
            "Dir::State::Extended_States": folder / "extended_states",
            "Dir::Cache": folder / "cache",
            "Dir::Log": folder,
            "APT::Sandbox::User": "root",
            "Acquire::AllowInsecureRepositories": "false",
            "Acquire::AllowWeakRepositories": "false",
            "Acquire::AllowDowngradeToInsecureRepositories": "false",
            "Acquire::Languages": "none",
            "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled": "false",
            "APT::Update::Error-Mode": "any",
        }
        return "\n".join([*reached, *(f'{name} "{value}";' for name, value in own.items())]) + "\n"

    def _assume(self, names: Iterable[str]) -> None:
        """Write the list of installed packages: each at a version that is later than any."""
        own = _run("dpkg", "--print-architecture", env=None).strip()
        (self._folder / "status").write_text(
            "".join(
                f"Package: {name}\nStatus: install ok installed\nArchitecture: {own}\nMulti-Arch: allowed\n"
                "Version: 99:0\nMaintainer: none\nDescription: assumed\n\n"
                for name in names
            )
        )

    def _apt_get(self, *arguments: str, what: str, shown: bool = True, cwd: Path | None = None) -> str:
        environment = {**os.environ, "APT_CONFIG": str(self._settings.absolute()), "LC_ALL": "C.UTF-8"}
        if shown:
            return run_shown(["apt-get", "--quiet", *arguments], what, cwd=cwd, env=environment)
        return _run("apt-get", *arguments, env=environment)


def _run(*command: str, env: dict[str, str] | None) -> str:
    if shutil.which(command[0]) is None:
        raise NoArchiveError(f"the images are made of Debian's packages, and there is no {command[0]} on this machine")
    done = subprocess.run(command, capture_output=True, text=True, env=env, check=False)
    if done.returncode != 0:
        raise ClusterError(f"{' '.join(command[:2])}: {done.stderr.strip()}")
    return done.stdout
