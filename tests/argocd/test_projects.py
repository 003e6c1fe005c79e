"""What a project permits, as Argo CD decides it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from policy.argocd.objects import Destination, ProjectSpec
from policy.argocd.projects import Deployed, permits_destination, permits_source, refused

SERVER = "https://kubernetes.default.svc"
SHOP = {"server": SERVER, "namespace": "shop"}

DESTINATIONS: dict[str, tuple[list[dict[str, str]], dict[str, str], bool]] = {
    "the same": ([SHOP], SHOP, True),
    "none": ([], SHOP, False),
    "another namespace": ([{**SHOP, "namespace": "other"}], SHOP, False),
    "another cluster": ([{"server": "https://other", "namespace": "shop"}], SHOP, False),
    "the second of two": ([{**SHOP, "namespace": "other"}, SHOP], SHOP, True),
    "by patterns": ([{"server": "https://kubernetes.*", "namespace": "sh*"}], SHOP, True),
    "this cluster by its name, asked by its address": ([{"name": "in-cluster", "namespace": "shop"}], SHOP, True),
    "this cluster by its address, asked by its name": ([SHOP], {"name": "in-cluster", "namespace": "shop"}, True),
    "another cluster by its name": ([{"name": "far", "namespace": "shop"}], {"name": "far", "namespace": "shop"}, True),
    "a namespace that is taken back": ([{**SHOP, "namespace": "*"}, {**SHOP, "namespace": "!sh*"}], SHOP, False),
    "a server that is taken back": ([{**SHOP, "server": "*"}, {"server": f"!{SERVER}", "namespace": "*"}], SHOP, False),
    "a name that is taken back": (
        [{"name": "*", "namespace": "*"}, {"name": "!far", "namespace": "*"}],
        {"name": "far", "namespace": "shop"},
        False,
    ),
    "something else is taken back": ([{**SHOP, "namespace": "*"}, {**SHOP, "namespace": "!kube-*"}], SHOP, True),
}


@pytest.mark.parametrize("case", DESTINATIONS)
def test_destinations(case: str) -> None:
    entries, wanted, is_permitted = DESTINATIONS[case]
    spec = msgspec.convert({"destinations": entries}, ProjectSpec)
    assert permits_destination(spec, msgspec.convert(wanted, Destination)) is is_permitted


SOURCES: dict[str, tuple[list[str], bool]] = {
    "the same": (["https://github.com/example/shop.git"], True),
    "the same by another protocol": (["git@github.com:example/shop"], True),
    "none": ([], False),
    "another": (["https://github.com/example/other.git"], False),
    "everything": (["*"], True),
    "a pattern": (["https://github.com/example/*"], True),
    "everything but this": (["*", "!https://github.com/example/*"], False),
    "everything but another": (["*", "!https://github.com/other/*"], True),
    "only what is taken back": (["!https://github.com/other/*"], False),
}


@pytest.mark.parametrize("case", SOURCES)
def test_sources(case: str) -> None:
    patterns, is_permitted = SOURCES[case]
    assert (
        permits_source(ProjectSpec(source_repos=tuple(patterns)), "https://github.com/example/shop.git") is is_permitted
    )


DEPLOYMENT, ROLE = (
    Deployed("apps", "Deployment", True),
    Deployed("rbac.authorization.k8s.io", "ClusterRole", False, ("a", "b")),
)
ANY = [{"group": "*", "kind": "*"}]
KINDS: dict[str, tuple[dict[str, Any], Deployed, str | None]] = {
    "an absent list allows what has a namespace": ({}, DEPLOYMENT, None),
    "an absent list allows nothing else": ({}, ROLE, "does not allow"),
    "an empty list allows nothing": ({"namespaceResourceWhitelist": []}, DEPLOYMENT, "does not allow"),
    "the list of the other sort does not count": ({"namespaceResourceWhitelist": ANY}, ROLE, "does not allow"),
    "everything": ({"clusterResourceWhitelist": ANY}, ROLE, None),
    "the kind in another group": (
        {"namespaceResourceWhitelist": [{"group": "extensions", "kind": "Deployment"}]},
        DEPLOYMENT,
        "does not allow",
    ),
    "another kind of the group": (
        {"namespaceResourceWhitelist": [{"group": "apps", "kind": "StatefulSet"}]},
        DEPLOYMENT,
        "does not allow",
    ),
    "one name of two": (
        {"clusterResourceWhitelist": [{"group": "rbac.*", "kind": "ClusterRole", "name": "a"}]},
        ROLE,
        "does not allow",
    ),
    "each name by an entry of its own": (
        {"clusterResourceWhitelist": [{"group": "rbac.*", "kind": "*", "name": name} for name in "ab"]},
        ROLE,
        None,
    ),
    "forbidden though allowed": (
        {"namespaceResourceWhitelist": ANY, "namespaceResourceBlacklist": [{"group": "apps", "kind": "*"}]},
        DEPLOYMENT,
        "forbids",
    ),
    "forbidden where there is no namespace": (
        {"clusterResourceWhitelist": ANY, "clusterResourceBlacklist": [{"group": "*", "kind": "ClusterRole"}]},
        ROLE,
        "forbids",
    ),
}


@pytest.mark.parametrize("case", KINDS)
def test_kinds(case: str) -> None:
    spec, kind, verdict = KINDS[case]
    assert refused(msgspec.convert(spec, ProjectSpec), kind) == verdict
