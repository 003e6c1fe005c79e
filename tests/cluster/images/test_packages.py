"""Where the packages come from: this machine's own archive, read apart from this machine's packages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cluster.images import packages
from cluster.images.packages import Archive, NoArchiveError, Package

ARCHIVE = "http://archive.example.test/debian/\nhttp://archive.example.test/debian-security/"
PRINTED = """Reading package lists...
'http://archive.example.test/pool/libssl3t64.deb' libssl3t64_3.5.9-1~deb13u1_amd64.deb 2464736 SHA256:00
'http://archive.example.test/pool/libgmp10_6.3.0_amd64.deb' libgmp10_2%3a6.3.0+dfsg-3_amd64.deb 560220 SHA256:11
"""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Debian whose programs say what a test lets them say, and record how apt-get was called."""
    folder = tmp_path / "machine"
    folder.mkdir()
    says = {"indextargets": ARCHIVE, "install": PRINTED}
    for command, words in says.items():
        (folder / command).write_text(words)
    program(folder, "apt-get", f'echo "$APT_CONFIG $*" >>{folder}/called; cat {folder}/$1 2>/dev/null || true')
    program(
        folder, "apt-config", "echo 'Acquire::http::Proxy \"http://proxy.example.test\";'; echo 'DPkg::Hook \"x\";'"
    )
    program(folder, "dpkg", "echo amd64")
    (folder / "keyring").touch()
    monkeypatch.setattr(packages, "KEYRING", folder / "keyring")
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder


def program(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def test_archive_is_this_machines_for_another_release(machine: Path, tmp_path: Path) -> None:
    Archive("trixie", tmp_path / "apt").read()
    signed = f"deb [signed-by={machine / 'keyring'}] http://archive.example.test"
    assert (tmp_path / "apt" / "sources.list").read_text() == (
        f"{signed}/debian trixie main\n{signed}/debian-security trixie-security main\n"
    )


def test_apt_works_in_its_own_folder_and_is_reached_as_this_machine_reaches_it(machine: Path, tmp_path: Path) -> None:
    Archive("trixie", tmp_path / "apt").read()
    settings = (tmp_path / "apt" / "apt.conf").read_text()
    assert 'Acquire::http::Proxy "http://proxy.example.test";' in settings
    assert "Hook" not in settings
    folders = dict(re.findall(r'^(Dir::[\w:]+) "([^"]*)";$', settings, re.MULTILINE))
    assert {value for value in folders.values() if not value.startswith(str(tmp_path / "apt"))} == {"/dev/null"}
    assert {"Dir::State", "Dir::State::Status", "Dir::Cache", "Dir::Etc::SourceList"} < set(folders)
    assert f"{tmp_path / 'apt' / 'apt.conf'} --quiet update" in (machine / "called").read_text()


def test_needed_packages_are_read_with_their_versions(machine: Path, tmp_path: Path) -> None:
    archive = Archive("trixie", tmp_path / "apt")
    archive.read()
    found = archive.needed(["libgmp10"], ["debconf", "perl"])
    assert found == (Package("libgmp10", "2:6.3.0+dfsg-3"), Package("libssl3t64", "3.5.9-1~deb13u1"))
    status = (tmp_path / "apt" / "status").read_text()
    assert re.findall(r"^Package: (.*)$", status, re.MULTILINE) == ["debconf", "perl"]
    assert status.count("Status: install ok installed\nArchitecture: amd64\n") == 2
    assert "--no-install-recommends libgmp10" in (machine / "called").read_text()


def test_machine_with_another_archive_is_refused_in_one_sentence(machine: Path, tmp_path: Path) -> None:
    (machine / "indextargets").write_text("http://archive.example.test/ubuntu/\n")
    with pytest.raises(
        NoArchiveError, match=r"^the images are made of Debian's packages, and this machine's apt knows"
    ):
        Archive("trixie", tmp_path / "apt").read()
    (machine / "indextargets").write_text("http://archive.example.test/debian-security/\n")
    with pytest.raises(
        NoArchiveError, match=r"^the images are made of Debian's packages, and this machine's apt knows"
    ):
        Archive("trixie", tmp_path / "apt").read()


def test_machine_without_a_key_or_a_program_is_refused_in_one_sentence(
    machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoArchiveError, match=r"packages, and there is no apt-get on this machine$"):
        Archive("trixie", tmp_path / "apt").read()
    (machine / "keyring").unlink()
    with pytest.raises(NoArchiveError, match=r"keyring verifies them \(package debian-archive-keyring\)$"):
        Archive("trixie", tmp_path / "apt").read()
