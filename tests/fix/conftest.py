"""An empty repository for each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fix.repository import Repository


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Repository:
    monkeypatch.chdir(tmp_path)
    return Repository(tmp_path, capsys)
