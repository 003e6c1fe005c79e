"""A tool is found where it should be, and only in exactly the wanted version."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from policy.errors import ToolError
from policy.tools import cache_folder, find_tool, tool_version, write_atomically
from tools.pins import read_pin

ROOT = Path(__file__).resolve().parents[2]


def program(path: Path, version: str, log: Path | None = None) -> Path:
    """A program that says its version, and writes down that it was asked."""
    path.parent.mkdir(parents=True, exist_ok=True)
    note = f'echo "$0" >> "{log}"\n' if log else ""
    path.write_text(f'#!/bin/sh\n{note}echo "{version}"\n')
    path.chmod(0o755)
    return path


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", os.pathsep.join(["", str(tmp_path / "path"), "/usr/bin", "/bin"]))
    monkeypatch.setattr("sys.executable", str(tmp_path / "venv" / "bin" / "python"))
    monkeypatch.delenv("POLICY_KUSTOMIZE", raising=False)


def test_places_are_looked_at_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "root"
    on_path = program(tmp_path / "path" / "kustomize", "v5.8.1")
    assert find_tool("kustomize", wanted="5.8.1", root=root) == on_path
    beside = program(tmp_path / "venv" / "bin" / "kustomize", "v5.8.1")
    assert find_tool("kustomize", wanted="5.8.1", root=root) == beside
    own = program(root / ".tools" / "bin" / "kustomize", "v5.8.1")
    assert find_tool("kustomize", wanted="5.8.1", root=root) == own
    named = program(tmp_path / "elsewhere" / "any name", "v5.8.1")
    monkeypatch.setenv("POLICY_KUSTOMIZE", str(named))
    assert find_tool("kustomize", wanted="5.8.1", root=root) == named


def test_wrong_version_is_passed_over_for_the_right_one(tmp_path: Path) -> None:
    program(tmp_path / "root" / ".tools" / "bin" / "kustomize", "v5.4.0")
    right = program(tmp_path / "path" / "kustomize", "v5.8.1")
    assert find_tool("kustomize", wanted="5.8.1", root=tmp_path / "root") == right


def test_only_wrong_versions_name_what_was_found_and_what_is_wanted(tmp_path: Path) -> None:
    wrong = program(tmp_path / "path" / "kustomize", "v5.8.1-rc.1")
    with pytest.raises(ToolError) as raised:
        find_tool("kustomize", wanted="5.8.1", root=tmp_path)
    message = str(raised.value)
    assert message.startswith(f"found kustomize 5.8.1-rc.1 at {wrong}, want 5.8.1: install kustomize 5.8.1 ")
    assert "POLICY_KUSTOMIZE" in message


def test_missing_tool_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(
        ToolError, match=r"^kube-score is not installed: install kube-score 1\.20\.0 on PATH, or name its "
    ):
        find_tool("kube-score", wanted="1.20.0", root=tmp_path)


def test_named_tool_is_the_only_one_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path / "path" / "kustomize", "v5.8.1")
    monkeypatch.setenv("POLICY_KUSTOMIZE", str(program(tmp_path / "mine", "v5.0.0")))
    with pytest.raises(ToolError, match=r"found kustomize 5\.0\.0 at .*named by POLICY_KUSTOMIZE.*want 5\.8\.1"):
        find_tool("kustomize", wanted="5.8.1", root=tmp_path)
    monkeypatch.setenv("POLICY_KUSTOMIZE", str(tmp_path / "none"))
    with pytest.raises(ToolError, match="which is not an executable file"):
        find_tool("kustomize", wanted="5.8.1", root=tmp_path)


def test_current_folder_is_never_searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path / "here" / "kustomize", "v5.8.1")
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(ToolError, match="is not installed"):
        find_tool("kustomize", wanted="5.8.1", root=tmp_path)


def test_any_version_will_do_and_is_not_asked_for(tmp_path: Path) -> None:
    log = tmp_path / "log"
    found = program(tmp_path / "path" / "kustomize", "v1.0.0", log)
    assert find_tool("kustomize", wanted=None, root=tmp_path) == found
    assert not log.exists()


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("v5.8.1", "5.8.1"),
        ("{kustomize/v4.5.7  2022-08-02T16:35:54Z  linux/amd64  }", "4.5.7"),
        ("argocd: v3.6.1+abc1234", "3.6.1"),
        ("v5.8.1-0.20250101000000-0123456789ab", "5.8.1-0.20250101000000-0123456789ab"),
        ("kube-score version: 1.20.0, commit: 0e8a1c2, built: 2024-01-01T00:00:00Z", "1.20.0"),
        ("go version go1.27.3 linux/amd64", "1.27.3"),
        ("nginx version: nginx/1.29.1", "1.29.1"),
    ],
)
def test_version_is_read_from_what_tools_say(tmp_path: Path, said: str, version: str) -> None:
    assert tool_version("kustomize", program(tmp_path / "kustomize", said)) == version


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("echo development", "ended with 0 and says no version: development"),
        ("echo v1.2.3; exit 4", "ended with 4"),
        ("true", "says no version: nothing"),
    ],
)
def test_program_that_says_no_version_is_an_error(tmp_path: Path, script: str, expected: str) -> None:
    path = tmp_path / "kustomize"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    with pytest.raises(ToolError, match=expected):
        tool_version("kustomize", path)


def test_file_that_is_no_program_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "kustomize"
    path.write_bytes(b"\x7fELF")
    path.chmod(0o755)
    with pytest.raises(ToolError, match="cannot be run"):
        tool_version("kustomize", path)
    with pytest.raises(ToolError, match="cannot be read"):
        tool_version("kustomize", tmp_path / "none")


def test_version_is_asked_once_until_the_file_changes(tmp_path: Path) -> None:
    log = tmp_path / "log"
    path = program(tmp_path / "path" / "kustomize", "v5.8.1", log)
    for _ in range(3):
        assert find_tool("kustomize", wanted="5.8.1", root=tmp_path) == path
    assert len(log.read_text().splitlines()) == 1
    program(path, "v5.9.0", log)  # of the same length
    assert tool_version("kustomize", path) == "5.9.0"
    assert len(log.read_text().splitlines()) == 2


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"a": 1}', b"\xff"])
def test_broken_memory_is_no_hindrance(tmp_path: Path, content: bytes) -> None:
    path = program(tmp_path / "kustomize", "v5.8.1")
    write_atomically(cache_folder() / "tool-versions.json", content)
    assert tool_version("kustomize", path) == "5.8.1"


def test_cache_that_cannot_be_written_is_no_hindrance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "blocked").write_text("a file where a folder should be")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "blocked"))
    assert tool_version("kustomize", program(tmp_path / "kustomize", "v5.8.1")) == "5.8.1"


def test_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    file = tmp_path / "folder" / "file"
    write_atomically(file, b"one")
    write_atomically(file, b"two")
    assert file.read_bytes() == b"two"
    assert [path.name for path in file.parent.iterdir()] == ["file"]
    file.unlink()
    file.mkdir()
    with pytest.raises(OSError, match="file"):
        write_atomically(file, b"three")
    assert [path.name for path in file.parent.iterdir()] == ["file"]


@pytest.mark.parametrize("name", ["kustomize", "kubeconform", "argocd"])
def test_pinned_tools_say_their_pinned_version(name: str) -> None:
    path = ROOT / ".tools" / "bin" / name
    assert path.stat().st_mode & stat.S_IXUSR
    assert tool_version(name, path) == read_pin(ROOT, name).version
