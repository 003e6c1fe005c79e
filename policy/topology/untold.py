"""Workloads of which a draft states no flow, since no NetworkPolicy could be written for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from policy.manifests.index import Index
from policy.manifests.workloads import Workload
from policy.topology.picture import Arrow


def untold(index: Index, called: Callable[[Workload], str], arrows: Iterable[Arrow]) -> Mapping[str, str]:
    """The workloads that no policy can select, or not without others that have other flows: why, by their names."""
    flows: dict[str, set[tuple[bool, str, str]]] = {}
    for arrow in arrows:
        flows.setdefault(arrow.source, set()).add((True, arrow.destination, arrow.ports))
        flows.setdefault(arrow.destination, set()).add((False, arrow.source, arrow.ports))
    found: dict[str, str] = {}
    for item in index.workloads:
        name = called(item)
        if item.pod.host_network:
            found[name] = f"{name} is on the host's network, where no NetworkPolicy holds"
            continue
        alike = (other for other in index.selected(item.namespace, item.pod_labels) if not other.pod.host_network)
        for other in map(called, alike):
            if flows.get(other) != flows.get(name):
                found[name] = f"the labels of the pods of {name} do not tell them from those of {other}"
                break
    return found
