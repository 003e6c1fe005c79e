"""A folder tree as a layer of an image holds it: taken out of packages, never written to this machine's disk.

Everything belongs to root, nothing is older or newer than the epoch, nothing is set-user-id, and the entries are
sorted: the same packages give the same bytes.
"""

from __future__ import annotations

import io
import stat
import subprocess
import tarfile
from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from cluster.errors import ClusterError

LINKED_FOLDERS = {
    "bin": "usr/bin",
    "lib": "usr/lib",
    "lib64": "usr/lib64",
    "sbin": "usr/sbin",
    "var/lock": "run/lock",
    "var/run": "run",
}
"""Folders that are links to others in every image, as on an installed Debian (hier(7), usr-merge)."""

UNUSED = (
    *("boot", "dev", "etc/init.d", "etc/skel", "home", "media", "mnt", "srv", "usr/games", "usr/include", "usr/src"),
    *("usr/lib/systemd", "usr/share/bash-completion", "usr/share/bug", "usr/share/common-licenses", "usr/share/dict"),
    *("usr/share/doc", "usr/share/doc-base", "usr/share/info", "usr/share/lintian", "usr/share/locale"),
    *("usr/share/man", "usr/share/menu", "usr/share/perl5", "usr/share/pixmaps", "usr/share/postgresql-common"),
    *("var/backups", "var/cache", "var/lib/dpkg", "var/log", "var/mail"),
)
"""What no server reads in a container; the licences of what is packed stand in the packages' sources."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One file (its content), folder or symbolic link (its target), with the permission bits."""

    kind: bytes
    mode: int
    content: bytes = b""
    target: str = ""


class Tree:
    """Entries by their path without a leading slash (``usr/bin/sh``)."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}

    def add_file(self, path: str, content: bytes | str, mode: int = 0o644) -> None:
        raw = content.encode() if isinstance(content, str) else content
        self.entries[path] = Entry(tarfile.REGTYPE, mode, raw)

    def add_folder(self, path: str, mode: int = 0o755) -> None:
        self.entries[path] = Entry(tarfile.DIRTYPE, mode)

    def add_link(self, path: str, target: str) -> None:
        self.entries[path] = Entry(tarfile.SYMTYPE, 0o777, target=target)

    def add_package(self, file: Path, without: Container[str]) -> None:
        """Add what a .deb unpacks, less the folders and files of ``without``. Raises ClusterError if it is damaged."""
        try:
            with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", file], stdout=subprocess.PIPE) as unpacking:
                assert unpacking.stdout is not None
                with tarfile.open(fileobj=unpacking.stdout, mode="r|") as archive:
                    self._add_archive(archive, without)
                unpacking.stdout.read()  # the padding behind the archive's end
        except (OSError, tarfile.TarError) as error:
            raise ClusterError(f"{file.name} cannot be unpacked: {error}") from error
        if unpacking.returncode != 0:
            raise ClusterError(f"{file.name} cannot be unpacked: dpkg-deb ended with {unpacking.returncode}")

    def _add_archive(self, archive: tarfile.TarFile, without: Container[str]) -> None:
        files: dict[str, Entry] = {}  # those too that are left out: another name may stand for the same file
        for member in archive:
            path = _path(member.name)
            mode = stat.S_IMODE(member.mode) & ~(stat.S_ISUID | stat.S_ISGID)
            if member.isdir():
                entry = self.entries.get(path, Entry(tarfile.DIRTYPE, mode))
            elif member.issym():
                entry = Entry(tarfile.SYMTYPE, 0o777, target=member.linkname)
            elif member.islnk():
                entry = files[_path(member.linkname)]
            elif (content := archive.extractfile(member)) is not None:
                entry = files[path] = Entry(tarfile.REGTYPE, mode, content.read())
            else:
                raise ClusterError(f"{member.name} is neither a file, a folder nor a link")
            if path not in ("", *LINKED_FOLDERS) and not _is_below(path, without):
                self.entries[path] = entry

    def write(self, output: BinaryIO) -> None:
        """Write it as a tar archive; a folder stands before what is in it."""
        with tarfile.open(fileobj=output, mode="w", format=tarfile.PAX_FORMAT) as archive:
            for path, entry in sorted(self.entries.items(), key=lambda item: PurePosixPath(item[0]).parts):
                member = tarfile.TarInfo(path)
                member.type, member.mode, member.linkname = entry.kind, entry.mode, entry.target
                member.size = len(entry.content)
                archive.addfile(member, io.BytesIO(entry.content))


def _path(name: str) -> str:
    """The path of a package's entry where it stands in the image: behind the links of LINKED_FOLDERS."""
    path = str(PurePosixPath(name)).removeprefix("/")
    path = "" if path == "." else path
    for link, folder in LINKED_FOLDERS.items():
        if path.startswith(f"{link}/"):
            return folder + path[len(link) :]
    return path


def _is_below(path: str, folders: Container[str]) -> bool:
    pure = PurePosixPath(path)
    return any(str(one) in folders for one in (pure, *pure.parents))
