"""What packages unpack becomes a layer: the same bytes each time, in the places of an installed Debian."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from cluster.errors import ClusterError
from cluster.images.tree import UNUSED, Tree

CONTROL = (
    "Package: {name}\nVersion: 1\nArchitecture: all\nMaintainer: nobody <nobody@example.test>\nDescription: of a test\n"
)


def package(folder: Path, name: str = "one") -> Path:
    """A .deb with one entry of every kind, in today's and in yesterday's places."""
    root = folder / name
    (root / "DEBIAN").mkdir(parents=True)
    (root / "DEBIAN" / "control").write_text(CONTROL.format(name=name))
    for folder_of_it in ("usr/bin", "lib/deep", "usr/share/doc/one", "var/run/one", "etc"):
        (root / folder_of_it).mkdir(parents=True)
    (root / "usr/bin/program").write_text("program")
    (root / "usr/bin/program").chmod(0o4755)
    os.link(root / "usr/bin/program", root / "usr/bin/another-name")
    (root / "lib/deep/library.so").write_text("library")
    (root / "usr/share/doc/one/copyright").write_text("words")
    (root / "etc/link").symlink_to("../usr/bin/program")
    for path in root.rglob("*"):
        if not path.is_symlink():
            os.utime(path, (1_700_000_000, 1_700_000_000))
    file = folder / f"{name}.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "--build", root, file], check=True, capture_output=True)
    return file


pytestmark = pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="packages are made and read by dpkg-deb")


def written(tree: Tree) -> bytes:
    output = io.BytesIO()
    tree.write(output)
    return output.getvalue()


def listed(tree: Tree) -> list[tuple[str, str, str, str]]:
    """Path, kind and mode, link target, and what is in it."""
    lines = []
    with tarfile.open(fileobj=io.BytesIO(written(tree))) as archive:
        for member in archive:
            content = archive.extractfile(member) if member.isreg() else None
            kind = {tarfile.DIRTYPE: "d", tarfile.SYMTYPE: "l", tarfile.REGTYPE: "-"}[member.type]
            text = content.read().decode() if content else ""
            lines.append((member.name, f"{kind}{member.mode:04o}", member.linkname, text))
            assert (member.uid, member.gid, member.mtime) == (0, 0, 0)
    return lines


def test_package_stands_where_an_installed_system_has_it(tmp_path: Path) -> None:
    tree = Tree()
    tree.add_package(package(tmp_path), UNUSED)
    assert listed(tree) == [
        ("etc", "d0755", "", ""),
        ("etc/link", "l0777", "../usr/bin/program", ""),
        ("run/one", "d0755", "", ""),
        ("usr", "d0755", "", ""),
        ("usr/bin", "d0755", "", ""),
        ("usr/bin/another-name", "-0755", "", "program"),
        ("usr/bin/program", "-0755", "", "program"),
        ("usr/lib/deep", "d0755", "", ""),
        ("usr/lib/deep/library.so", "-0644", "", "library"),
        ("usr/share", "d0755", "", ""),
        ("var", "d0755", "", ""),
    ]


@pytest.mark.parametrize("left_out", ["usr/bin/program", "usr/bin/another-name"])
def test_what_is_left_out_is_named_by_folder_or_file(tmp_path: Path, left_out: str) -> None:
    tree = Tree()
    tree.add_package(package(tmp_path), {*UNUSED, "usr/lib/deep", left_out})
    (other,) = {"usr/bin/program", "usr/bin/another-name"} - {left_out}
    found = {path: text for path, _, _, text in listed(tree)}
    assert {path: found[path] for path in found if path.startswith(("usr/bin/", "usr/lib"))} == {other: "program"}


def test_order_of_packages_changes_nothing(tmp_path: Path) -> None:
    files = [package(tmp_path, "one"), package(tmp_path, "two")]
    trees = [Tree(), Tree()]
    for tree, order in zip(trees, (files, files[::-1]), strict=True):
        for file in order:
            tree.add_package(file, UNUSED)
    assert written(trees[0]) == written(trees[1])


def test_damaged_package_is_named(tmp_path: Path) -> None:
    file = package(tmp_path)
    file.write_bytes(file.read_bytes()[:-200])
    with pytest.raises(ClusterError, match=r"^one\.deb cannot be unpacked: "):
        Tree().add_package(file, ())
    file.write_bytes(b"no package")
    with pytest.raises(ClusterError, match=r"^one\.deb cannot be unpacked: "):
        Tree().add_package(file, ())
