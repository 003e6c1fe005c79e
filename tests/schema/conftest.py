"""The real kubeconform, and one cache of converted schemas for all tests of this folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from policy.schema import SchemaProblem, validate
from policy.tools import find_tool
from tools.pins import read_pin

ROOT = Path(__file__).resolve().parents[2]
Validate = Callable[..., list[SchemaProblem]]


@pytest.fixture(scope="session")
def kubeconform() -> Path:
    return find_tool("kubeconform", wanted=read_pin(ROOT, "kubeconform").version, root=ROOT)


@pytest.fixture(scope="session")
def schema_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def check(kubeconform: Path, schema_cache: Path) -> Validate:
    """``validate`` with the real binary, against the versions 1.34 and 1.37 if nothing else is said."""

    def run(
        *documents: str,
        versions: Sequence[str] = ("1.34", "1.37"),
        crds: Sequence[Path] = (),
        cache: Path = schema_cache,
    ) -> list[SchemaProblem]:
        return validate(documents, versions=versions, crds=crds, kubeconform=kubeconform, cache=cache)

    return run
