"""The ends of a connection: pods in Git, pods and addresses that topology.yaml declares, and all other addresses."""

from __future__ import annotations

import enum
from collections.abc import Mapping

import msgspec

from policy.connectivity.addresses import AddressSet
from policy.connectivity.topology import Outside
from policy.findings import ObjectRef
from policy.manifests.workloads import Workload


class EndpointKind(enum.Enum):
    """What an endpoint is."""

    WORKLOAD = "workload"
    OUTSIDE_PODS = "pods that are not in Git"
    UNLISTED = "other pods of a namespace"
    STRANGER = "pods of other namespaces"
    ADDRESSES = "addresses"


class Endpoint(msgspec.Struct, frozen=True, eq=False):
    """One end: the pods of a workload, declared pods outside, pods that nothing declares, or addresses.

    ``namespace`` is "" for addresses and for the stranger, and where a manifest names none. ``kind`` is the workload's
    kind, else "". ``addresses`` are for addresses only; such an endpoint is named like the outside that holds exactly
    them, else by its ranges.
    """

    name: str
    namespace: str
    kind: str
    type: EndpointKind
    workload: Workload | None = None
    outside: Outside | None = None
    host_network: bool = False
    addresses: AddressSet = ()
    labels: Mapping[str, str] = msgspec.field(default_factory=dict)

    @property
    def is_in_git(self) -> bool:
        return self.workload is not None

    @property
    def is_pod(self) -> bool:
        """Whether it can be selected by labels: addresses and pods on the host's network cannot."""
        return self.type is not EndpointKind.ADDRESSES and not self.host_network

    @property
    def key(self) -> int:
        """The identity of what it stands for, by which a population finds its number."""
        return id(self.workload or self.outside) if self.workload or self.outside else hash(self)

    @property
    def ref(self) -> ObjectRef | None:
        return self.workload.ref if self.workload else None

    def __eq__(self, other: object) -> bool:
        """Whatever their labels are."""
        return isinstance(other, Endpoint) and self._is == other._is

    @property
    def _is(self) -> tuple[object, ...]:
        ends = self.type, self.workload, self.outside, self.host_network
        return self.name, self.namespace, self.kind, self.addresses, ends

    def __hash__(self) -> int:
        return hash((self.name, self.namespace, self.kind, self.addresses))

    def __str__(self) -> str:
        return self.name


STRANGER = Endpoint("pods of other namespaces", "", "", EndpointKind.STRANGER)
"""Any pod of a namespace of which nothing is known; it may have whatever labels let it through."""


def unlisted(namespace: str) -> Endpoint:
    """A pod that somebody runs by hand in a known namespace, without any label."""
    name = f"other pods of namespace {namespace}" if namespace else "other pods of the namespace"
    return Endpoint(name, namespace, "", EndpointKind.UNLISTED)
