"""The real tools, found once: every test that renders or compares schemas runs the pinned binaries."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from policy.tools import find_tool

# No test is timed: a busy machine is no fault of the code.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

REPOSITORY = Path(__file__).parent.parent


@pytest.fixture(scope="session", autouse=True)
def pinned_tools() -> Iterator[None]:
    """Names the repository's own kustomize and kubeconform, for checks of folders that have no tools of their own."""
    versions = tomllib.loads((REPOSITORY / "policy.toml").read_text(encoding="utf-8"))["tools"]
    for name in ("kustomize", "kubeconform"):
        os.environ[f"POLICY_{name.upper()}"] = str(find_tool(name, wanted=versions[name], root=REPOSITORY))
    yield
    for name in ("kustomize", "kubeconform"):
        del os.environ[f"POLICY_{name.upper()}"]
