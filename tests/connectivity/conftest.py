"""The program as a person calls it."""

from __future__ import annotations

import pytest

from .clusters import Run, runner


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    return runner(capsys)
