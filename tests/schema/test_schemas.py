"""The converted schemas of the pinned package: all of them, and readable by kubeconform."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from policy.errors import ToolError
from policy.schema import schemas
from tests.schema.conftest import Validate

EVERYWHERE = {"v1/pod_v1", "v1/configmap_v1", "apps/deployment_v1", "networking.k8s.io/networkpolicy_v1"}


def test_every_carried_version_is_converted(tmp_path: Path) -> None:
    versions = [f"1.{minor}" for minor in range(25, 38)]
    library = schemas.prepare(versions, [], cache=tmp_path, spare=tmp_path)
    for (folder,) in library.folders.values():
        place = library.root / folder
        names = {str(path.relative_to(place).with_suffix("")) for path in place.rglob("*.json")}
        assert names >= EVERYWHERE


def test_every_kind_can_be_read_by_kubeconform(check: Validate, schema_cache: Path) -> None:
    library = schemas.prepare(["1.37"], [], cache=schema_cache, spare=schema_cache)
    (folder,) = library.folders["1.37"]
    documents = []
    for path in sorted((library.root / folder).rglob("*.json")):
        properties = json.loads(path.read_bytes())["properties"]
        (api_version,), (kind,) = properties["apiVersion"]["enum"], properties["kind"]["enum"]
        documents.append(json.dumps({"apiVersion": api_version, "kind": kind, "extra": 1}))
    assert len(documents) > 150
    unknown = {problem.index for problem in check(*documents, versions=["1.37"]) if problem.path == ("extra",)}
    assert unknown == set(range(len(documents)))


def test_folder_is_made_once(tmp_path: Path) -> None:
    library = schemas.prepare(["1.34"], [], cache=tmp_path, spare=tmp_path)
    file = library.file("1.34", "v1", "Pod")
    assert file is not None
    file.write_text("{}")
    again = schemas.prepare(["1.34"], [], cache=tmp_path, spare=tmp_path)
    assert again == library
    assert file.read_text() == "{}"


def test_package_that_is_not_installed_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("sys.path", [])
    with pytest.raises(ToolError, match="kubernetes-validate, which carries the Kubernetes schemas, is not installed"):
        schemas.prepare(["1.34"], [], cache=tmp_path, spare=tmp_path)
