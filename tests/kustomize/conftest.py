"""The pinned kustomize, for tests that compare with it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def kustomize(pinned_tools: None) -> Path:  # noqa: ARG001 - it sets the variable
    return Path(os.environ["POLICY_KUSTOMIZE"])
