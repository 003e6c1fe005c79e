"""Files are put in place whole, all of them or none, and only over what was read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from policy.errors import PolicyError
from policy.fix.apply import apply
from policy.fix.run import FileChange


def changes(folder: Path, *names: str) -> list[FileChange]:
    result = []
    for name in names:
        (folder / name).write_bytes(b"before\r\n")
        result.append(FileChange(folder / name, name, b"before\r\n", b"before\r\nafter"))
    return result


def test_each_file_is_replaced_and_keeps_its_mode(tmp_path: Path) -> None:
    wanted = changes(tmp_path, "a.yaml", "b.yaml")
    (tmp_path / "a.yaml").chmod(0o640)
    open_before = (tmp_path / "a.yaml").open("rb")

    apply(wanted)

    assert [change.path.read_bytes() for change in wanted] == [b"before\r\nafter"] * 2
    assert (tmp_path / "a.yaml").stat().st_mode & 0o777 == 0o640
    assert sorted(os.listdir(tmp_path)) == ["a.yaml", "b.yaml"]
    with open_before:
        assert open_before.read() == b"before\r\n"  # who reads the old file still has all of it


def test_a_file_that_somebody_else_changed_stays_and_so_do_the_others(tmp_path: Path) -> None:
    wanted = changes(tmp_path, "a.yaml", "b.yaml", "c.yaml")
    (tmp_path / "b.yaml").write_bytes(b"theirs")

    with pytest.raises(PolicyError, match=r"^b\.yaml: was changed by somebody else meanwhile, so no file is mended$"):
        apply(wanted)

    assert [change.path.read_bytes() for change in wanted] == [b"before\r\n", b"theirs", b"before\r\n"]
    assert sorted(os.listdir(tmp_path)) == ["a.yaml", "b.yaml", "c.yaml"]


def test_a_file_that_cannot_be_written_keeps_all_as_they_were(tmp_path: Path) -> None:
    wanted = changes(tmp_path, "a.yaml", "b.yaml")
    (tmp_path / "b.yaml").unlink()
    (tmp_path / "b.yaml").mkdir()

    with pytest.raises(PolicyError, match=r"^b\.yaml: cannot be written: Is a directory; no file is mended$"):
        apply(wanted)

    assert (tmp_path / "a.yaml").read_bytes() == b"before\r\n"
    assert sorted(os.listdir(tmp_path)) == ["a.yaml", "b.yaml"]


def test_a_folder_that_is_gone_keeps_all_as_they_were(tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    wanted = changes(tmp_path, "a.yaml", "gone/b.yaml")
    (tmp_path / "gone/b.yaml").unlink()
    (tmp_path / "gone").rmdir()

    with pytest.raises(PolicyError, match=r"^gone/b\.yaml: cannot be written: No such file or directory; no file"):
        apply(wanted)

    assert (tmp_path / "a.yaml").read_bytes() == b"before\r\n"
    assert os.listdir(tmp_path) == ["a.yaml"]
