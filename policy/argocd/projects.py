"""What an AppProject permits: https://argo-cd.readthedocs.io/en/stable/operator-manual/project-specification/."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase

import msgspec

from policy.argocd.objects import Destination, GroupKind, ProjectSpec
from policy.argocd.repositories import normalized_url
from policy.manifests.index import Index
from policy.manifests.resources import Resource

IN_CLUSTER = "https://kubernetes.default.svc"
_NEWER_CLUSTER_KINDS = frozenset(
    {
        ("admissionregistration.k8s.io", "MutatingAdmissionPolicy"),
        ("admissionregistration.k8s.io", "MutatingAdmissionPolicyBinding"),
        ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"),
        ("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding"),
        ("certificates.k8s.io", "ClusterTrustBundle"),
        ("flowcontrol.apiserver.k8s.io", "FlowSchema"),
        ("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration"),
        ("gateway.networking.k8s.io", "GatewayClass"),
        ("networking.k8s.io", "IPAddress"),
        ("networking.k8s.io", "ServiceCIDR"),
        ("resource.k8s.io", "DeviceClass"),
        ("storage.k8s.io", "VolumeAttributesClass"),
        ("cert-manager.io", "ClusterIssuer"),
    }
)
"""Kinds without a namespace that Kustomize's own table, of Kubernetes 1.21, does not have."""


class Deployed(msgspec.Struct, frozen=True, order=True):
    """A kind that an overlay renders; ``names`` are its objects', for kinds without a namespace."""

    group: str
    kind: str
    is_namespaced: bool
    names: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.group}/{self.kind}" if self.group else self.kind


class Scopes:
    """Which kinds have a namespace: by Kubernetes, and by the CustomResourceDefinitions among the objects."""

    def __init__(self, indexes: Iterable[Index]) -> None:
        self._defined: dict[tuple[str, str], bool] = {}
        for index in indexes:
            for resource in index.resources:
                if resource.ref.kind == "CustomResourceDefinition":
                    self._define(resource)

    def _define(self, resource: Resource) -> None:
        spec = resource.raw.get("spec")
        names = spec.get("names") if isinstance(spec, Mapping) else None
        if isinstance(spec, Mapping) and isinstance(names, Mapping):
            self._defined[str(spec.get("group")), str(names.get("kind"))] = spec.get("scope") != "Cluster"

    def is_namespaced(self, resource: Resource) -> bool:
        key = (resource.group, resource.ref.kind)
        if key in self._defined:
            return self._defined[key]
        from policy.kustomize.schema import is_cluster_scoped  # only who has projects asks

        return not is_cluster_scoped(resource.ref.api_version, resource.ref.kind) and key not in _NEWER_CLUSTER_KINDS


def deployed_kinds(resources: Iterable[Resource], scopes: Scopes) -> list[Deployed]:
    """The kinds among the resources, sorted."""
    found: dict[tuple[str, str, bool], dict[str, None]] = {}
    for resource in resources:
        names = found.setdefault((resource.group, resource.ref.kind, scopes.is_namespaced(resource)), {})
        names[resource.ref.name] = None
    return sorted(Deployed(*key, () if key[2] else tuple(sorted(names))) for key, names in found.items())


def matches(entry: GroupKind, kind: Deployed) -> bool:
    """Whether an entry of a list of kinds means this one; group and kind are globs."""
    return fnmatchcase(kind.group, entry.group) and fnmatchcase(kind.kind, entry.kind)


def refused(spec: ProjectSpec, kind: Deployed) -> str | None:
    """Why the project does not permit a kind, None if it does.

    An absent list of allowed kinds allows every kind that has a namespace, and none that has none.
    """
    denied = spec.namespace_resource_blacklist if kind.is_namespaced else spec.cluster_resource_blacklist
    if any(matches(entry, kind) for entry in denied or ()):
        return "forbids"
    if kind.is_namespaced:
        allowed = spec.namespace_resource_whitelist
        return None if allowed is None or any(matches(entry, kind) for entry in allowed) else "does not allow"
    entries = [entry for entry in spec.cluster_resource_whitelist or () if matches(entry, kind)]
    missing = [name for name in kind.names if not any(_allows_name(entry, name) for entry in entries)]
    return "does not allow" if missing else None


def _allows_name(entry: GroupKind, name: str) -> bool:
    return not entry.name or fnmatchcase(name, entry.name)


def permits_destination(spec: ProjectSpec, destination: Destination) -> bool:
    """Whether an Application of the project may have this destination; an entry with ``!`` takes back."""
    entries = list(spec.destinations or ())
    return any(_is_destination(entry, destination) for entry in entries) and not any(
        _denies(entry, destination) for entry in entries
    )


def _is_destination(entry: Destination, wanted: Destination) -> bool:
    return _is_cluster(entry, wanted) and fnmatchcase(wanted.namespace or "", entry.namespace or "")


def _is_cluster(entry: Destination, wanted: Destination) -> bool:
    servers, names = set(_addresses(wanted)), set(_names(wanted))
    return any(fnmatchcase(each, entry.server or "") for each in servers) or any(
        fnmatchcase(each, entry.name or "") for each in names
    )


def _denies(entry: Destination, wanted: Destination) -> bool:
    return any(
        pattern.startswith("!") and any(fnmatchcase(each, pattern[1:]) for each in values)
        for pattern, values in (
            (entry.server or "", list(_addresses(wanted))),
            (entry.name or "", list(_names(wanted))),
            (entry.namespace or "", [wanted.namespace or ""]),
        )
    )


def _addresses(destination: Destination) -> Iterator[str]:
    if destination.server:
        yield destination.server
    if destination.name == "in-cluster":
        yield IN_CLUSTER


def _names(destination: Destination) -> Iterator[str]:
    if destination.name:
        yield destination.name
    if destination.server == IN_CLUSTER:
        yield "in-cluster"


def permits_source(spec: ProjectSpec, url: str) -> bool:
    """Whether an Application of the project may deploy from this repository."""
    patterns = spec.source_repos or ()
    denied = any(pattern.startswith("!") and _is_source(pattern[1:], url) for pattern in patterns)
    return not denied and any(_is_source(pattern, url) for pattern in patterns if not pattern.startswith("!"))


def _is_source(pattern: str, url: str) -> bool:
    return pattern == "*" or fnmatchcase(url, pattern) or fnmatchcase(normalized_url(url), normalized_url(pattern))
