"""Whether the scheduler is told to put the pods of a workload on different nodes.

Sources: API references of PodAntiAffinity and TopologySpreadConstraint. An absent selector selects no pod, an empty one
every pod. A term looks at its own namespace where it names none. ``mismatchLabelKeys`` leaves out the pods that have
the same value, and so the workload's own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from policy.findings import Field
from policy.manifests.decode import NotDecodable, convert
from policy.manifests.selectors import LabelSelector
from policy.manifests.workloads import Workload

HOSTNAME = "kubernetes.io/hostname"
_APART = frozenset(
    {
        HOSTNAME,
        "topology.kubernetes.io/zone",
        "topology.kubernetes.io/region",
        "failure-domain.beta.kubernetes.io/zone",
        "failure-domain.beta.kubernetes.io/region",
    }
)
"""Pods that differ in one of these run on different nodes; spreading evenly over zones alone does not say so."""
_NAMESPACE_NAME = "kubernetes.io/metadata.name"


class Spread(msgspec.Struct, frozen=True):
    """A term that is about nodes: where it stands, and why it does not concern the workload's own pods, if so."""

    at: Field
    problem: str | None = None


def spreads(workload: Workload, namespace_labels: Mapping[str, str]) -> Iterator[Spread]:
    """The anti-affinity terms and spread constraints that are about nodes."""
    if workload.pod.affinity is None and not workload.pod.topology_spread_constraints:
        return
    affinity = _mapping(_mapping(workload.pod.affinity).get("podAntiAffinity"))
    at = workload.pod_field("affinity", "podAntiAffinity")
    for number, term in _items(affinity.get("requiredDuringSchedulingIgnoredDuringExecution")):
        field = at["requiredDuringSchedulingIgnoredDuringExecution"][number]
        yield from _term(workload, term, field, namespace_labels)
    for number, weighted in _items(affinity.get("preferredDuringSchedulingIgnoredDuringExecution")):
        field = at["preferredDuringSchedulingIgnoredDuringExecution"][number]["podAffinityTerm"]
        yield from _term(workload, _mapping(weighted.get("podAffinityTerm")), field, namespace_labels)
    for number, constraint in enumerate(workload.pod.topology_spread_constraints or ()):
        if constraint.get("topologyKey") == HOSTNAME:
            at = workload.pod_field("topologySpreadConstraints", number, "labelSelector")
            yield Spread(at, _not_own(workload, constraint))


def _term(workload: Workload, term: Mapping[str, Any], at: Field, namespace: Mapping[str, str]) -> Iterator[Spread]:
    if str(term.get("topologyKey")) not in _APART:
        return
    names = _list(term.get("namespaces"))
    by_labels = _selector(term.get("namespaceSelector"))
    if (names or by_labels is not None) and workload.namespace not in names:
        labels = {_NAMESPACE_NAME: workload.namespace, **namespace}
        if by_labels is None or not by_labels.matches(labels):
            field = at["namespaces" if names else "namespaceSelector"]
            others = ", ".join(map(str, names)) or f"with {by_labels}"
            yield Spread(field, f"looks at pods of the namespace {others}")
            return
    yield Spread(at["labelSelector"], _not_own(workload, term))


def _not_own(workload: Workload, term: Mapping[str, Any]) -> str | None:
    selector = _selector(term.get("labelSelector"))
    if selector is None:
        return "has no labelSelector, and so selects no pod"
    if not selector.matches(workload.pod_labels):
        return f"selects {selector}, which is not these pods"
    same = [key for key in map(str, _list(term.get("mismatchLabelKeys"))) if key in workload.pod_labels]
    return f"leaves out pods with the same {same[0]} (mismatchLabelKeys), which these pods are" if same else None


def _selector(raw: object) -> LabelSelector | None:
    try:
        return None if raw is None else convert(raw, LabelSelector, ())
    except NotDecodable:
        return None


def _list(raw: object) -> list[Any]:
    return raw if isinstance(raw, list) else []


def _items(raw: object) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for number, item in enumerate(_list(raw)):
        yield number, _mapping(item)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
