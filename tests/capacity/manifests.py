"""Builds an index from manifests, for the tests of capacity."""

from __future__ import annotations

from typing import Any

from policy.capacity.namespace import Demand, NamespacePeak
from policy.manifests.decode import resources_of
from policy.manifests.index import Index
from policy.manifests.load import load_documents
from policy.manifests.resources import ResourceQuota


def index_of(manifests: str | list[dict[str, Any]]) -> Index:
    documents = manifests
    if isinstance(documents, str):
        documents = [document for _, document in load_documents(documents, "test")]
    index = Index(resource for number, document in enumerate(documents) for resource in resources_of(document, number))
    assert not index.undecodable, [str(error) for _, error in index.undecodable]
    return index


def demand_of(index: Index, key: str, nodes: int | None = None) -> Demand:
    """What a key of the only quota comes to."""
    (quota,) = index.all(ResourceQuota)
    return NamespacePeak(quota.namespace, index, nodes).demand(quota, key)
