"""What else runs beside an environment: other environments may put their workloads into the same namespaces."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from policy.manifests.index import Index
from policy.manifests.selectors import LabelSelector
from policy.manifests.workloads import Workload

_EVERY_POD = LabelSelector()


class Neighbours(msgspec.Struct, frozen=True):
    """Environments that may be deployed beside one another, into one cluster."""

    indexes: Sequence[Index] = ()

    def have(self, namespaces: Iterable[str], pods: LabelSelector | None) -> bool:
        """Whether one of them puts a pod that a policy can select into one of the namespaces."""
        selector = pods or _EVERY_POD
        return any(
            not item.pod.host_network
            for namespace in namespaces
            for index in self.indexes
            for item in index.selected(namespace, selector)
        )


def neighbours_of(index: Index, others: Iterable[Index]) -> Neighbours:
    """The others without the variants of the same application, which have a workload in common with it.

    One cluster holds one object of a kind, namespace and name: who both have it, as the overlays dev and prod of an
    application do, are not deployed side by side.
    """
    own = set(map(_identity, index.workloads))
    return Neighbours(
        tuple(other for other in others if other is not index and own.isdisjoint(map(_identity, other.workloads)))
    )


def _identity(item: Workload) -> tuple[str, str, str]:
    return item.kind, item.namespace, item.name
