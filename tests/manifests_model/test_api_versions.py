"""The table of API versions against the schemas of every Kubernetes version that the pinned package carries."""

from __future__ import annotations

import pytest

from policy.manifests.api_versions import lifecycles
from policy.schema.schemas import Library, prepare

_CARRIED = range(25, 38)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    cache = tmp_path_factory.mktemp("schemas")
    return prepare([f"1.{minor}" for minor in _CARRIED], [], cache=cache, spare=cache)


def test_what_was_removed_has_a_schema_before_and_none_after(library: Library) -> None:
    wrong = []
    for (version, kind), lifecycle in lifecycles().items():
        for minor in _CARRIED:
            is_served = lifecycle.removed is None or minor < lifecycle.removed
            if minor >= lifecycle.deprecated and is_served != _is_known(library, minor, version, kind):
                wrong.append(f"{version} {kind} in 1.{minor}: {'served' if is_served else 'removed'} by the table")
    assert wrong == []


def test_what_is_to_be_used_instead_is_served_by_the_newest(library: Library) -> None:
    for (_, kind), lifecycle in lifecycles().items():
        version, _, other = lifecycle.instead.partition(" ")
        if version:
            assert _is_known(library, _CARRIED[-1], version, other or kind), f"{lifecycle.instead} of {kind}"


def _is_known(library: Library, minor: int, version: str, kind: str) -> bool:
    return library.file(f"1.{minor}", version, kind) is not None
