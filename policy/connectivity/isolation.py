"""What the isolation rules share of one overlay, worked out once: the matrix, the proof, and known mistakes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec

from policy.connectivity.matrix import Connectivity
from policy.connectivity.neighbours import Neighbours
from policy.connectivity.selections import NAMESPACE_NAME, matches
from policy.connectivity.topology import Topology
from policy.findings import ObjectRef
from policy.manifests.decode import NotDecodable, convert
from policy.manifests.index import Index
from policy.manifests.resources import Namespace, Resource
from policy.manifests.selectors import LabelSelector

if TYPE_CHECKING:
    from policy.connectivity.contract import Proof
    from policy.connectivity.faults import Faults

_CLUSTER_WIDE = frozenset(
    {
        "AdminNetworkPolicy",
        "BaselineAdminNetworkPolicy",
        "ClusterNetworkPolicy",
        "CiliumClusterwideNetworkPolicy",
        "GlobalNetworkPolicy",
    }
)
_NAMESPACED = frozenset({"CiliumNetworkPolicy", "NetworkPolicy"})
_KINDS = _CLUSTER_WIDE | _NAMESPACED
_GROUPS = ("policy.networking.k8s.io", "cilium.io", "projectcalico.org", "crd.projectcalico.org")


class Foreign(msgspec.Struct, frozen=True):
    """A policy of another kind, which the proof does not understand, and the namespaces that it touches."""

    resource: Resource
    namespaces: tuple[str, ...]


class Isolation:
    """An overlay's connectivity and, where there is a topology.yaml, the proof of it."""

    def __init__(
        self, index: Index, topology: Topology | None = None, neighbours: Callable[[], Neighbours] | None = None
    ) -> None:
        """``neighbours`` is asked only for what nobody of the overlay itself explains."""
        self.index, self.topology = index, topology
        self._neighbours = neighbours

    @cached_property
    def neighbours(self) -> Neighbours:
        """What else is deployed beside the overlay."""
        return self._neighbours() if self._neighbours else Neighbours()

    @cached_property
    def connectivity(self) -> Connectivity:
        topology = self.topology
        if topology is None:
            return Connectivity(self.index)
        return Connectivity(self.index, topology.outside.values(), topology.cluster)

    @cached_property
    def proof(self) -> Proof | None:
        if self.topology is None:
            return None
        from policy.connectivity.contract import Proof  # only a repository with a contract pays for it

        unproven = 0
        for foreign in self.foreign:
            for namespace in foreign.namespaces:
                unproven |= self.connectivity.population.in_namespace(namespace)
        return Proof(self.connectivity, self.topology, unproven)

    @cached_property
    def faults(self) -> Faults:
        from policy.connectivity.faults import Faults  # a stream without a NetworkPolicy has none

        return Faults(self)

    @cached_property
    def foreign(self) -> tuple[Foreign, ...]:
        """Policies of other kinds that touch namespaces with workloads."""
        found = (
            Foreign(resource, tuple(self._touched(resource)))
            for resource in self.index.resources
            if resource.ref.kind in _KINDS and resource.group in _GROUPS
        )
        return tuple(foreign for foreign in found if foreign.namespaces)

    @cached_property
    def unjudged(self) -> Mapping[tuple[ObjectRef, ...], tuple[str, ...]]:
        """The namespaces that policies of other kinds touch, by all the policies that touch them."""
        touching: dict[str, list[ObjectRef]] = {}
        for foreign in self.foreign:
            for namespace in foreign.namespaces:
                touching.setdefault(namespace, []).append(foreign.resource.ref)
        found: dict[tuple[ObjectRef, ...], list[str]] = {}
        for namespace, refs in sorted(touching.items()):
            found.setdefault(tuple(refs), []).append(namespace)
        return {refs: tuple(namespaces) for refs, namespaces in found.items()}

    def touching(self, namespace: str) -> Sequence[ObjectRef]:
        """The policies of other kinds that touch a namespace, where NetworkPolicies alone do not decide then."""
        return next((refs for refs, namespaces in self.unjudged.items() if namespace in namespaces), ())

    def _touched(self, resource: Resource) -> Iterator[str]:
        namespaces = self.index.namespaces
        if resource.ref.kind in _NAMESPACED:
            yield from (name for name in namespaces if name == resource.ref.namespace)
            return
        selector = _subject(resource.raw)
        for name in namespaces:
            stated = self.index.find(Namespace, "", name)
            labels = {**(stated.resource.labels if stated else {}), **({NAMESPACE_NAME: name} if name else {})}
            if selector is None or matches(selector, labels, is_known=stated is not None)[0]:
                yield name


def _subject(raw: Mapping[str, Any]) -> LabelSelector | None:
    """The namespaces that an AdminNetworkPolicy is about; None where that cannot be told: then all may be."""
    spec = raw.get("spec")
    subject = spec.get("subject") if isinstance(spec, dict) else None
    if not isinstance(subject, dict):
        return None
    pods = subject.get("pods")
    selector = pods.get("namespaceSelector") if isinstance(pods, dict) else subject.get("namespaces")
    try:
        return convert(selector, LabelSelector, ()) if isinstance(selector, dict) else None
    except NotDecodable:
        return None
