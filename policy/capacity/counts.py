"""How many objects of a kind a namespace holds, for the keys ``count/<plural>.<group>`` and the older plain names.

Besides what is in the input, controllers make objects: those that follow from the input are counted (jobs of a
CronJob, replica sets of a Deployment, what every namespace has); for the rest the count is a gap.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from policy.capacity.peak import kept_runs
from policy.manifests.resources import Resource
from policy.manifests.workloads import Workload

PLAIN = frozenset({"configmaps", "secrets", "replicationcontrollers", "resourcequotas"})
"""Kinds that a quota may count by their plural alone, besides those that have their own meter."""

_MADE_BY_CONTROLLERS = frozenset(
    {
        "endpoints",
        "events",
        "events.events.k8s.io",
        "endpointslices.discovery.k8s.io",
        "controllerrevisions.apps",
        "leases.coordination.k8s.io",
        "volumeattachments.storage.k8s.io",
    }
)
_IN_EVERY_NAMESPACE = {"configmaps": "kube-root-ca.crt", "serviceaccounts": "default"}
_IRREGULAR = {"Endpoints": "endpoints"}


class Counted(msgspec.Struct, frozen=True):
    """Objects of one kind with a common cause."""

    name: str
    times: int
    note: str = ""


def counted_kind(key: str) -> str | None:
    """``plural`` or ``plural.group`` that a quota key counts; None where it counts no objects."""
    if key.startswith("count/"):
        return key.removeprefix("count/")
    return key if key in PLAIN else None


def is_made_by_controllers(kind: str) -> bool:
    return kind in _MADE_BY_CONTROLLERS


def plural(resource: Resource) -> str:
    """The name of a resource's kind in the API: lower case, plural, with its group."""
    kind = resource.ref.kind
    word = kind.lower()
    if kind in _IRREGULAR:
        word = _IRREGULAR[kind]
    elif word.endswith(("s", "x", "ch", "sh")):
        word += "es"
    elif word.endswith("y") and word[-2:-1] not in "aeiou":
        word = f"{word[:-1]}ies"
    else:
        word += "s"
    return f"{word}.{resource.group}" if resource.group else word


def counted(kind: str, resources: tuple[Resource, ...], workloads: tuple[Workload, ...]) -> Iterator[Counted]:
    """The objects of a kind (as ``plural`` writes it) in a namespace."""
    names = [resource.ref.name for resource in resources if plural(resource) == kind]
    yield from (Counted(name, 1) for name in names)
    always = _IN_EVERY_NAMESPACE.get(kind)
    if always and always not in names:
        yield Counted(always, 1, "in every namespace")
    for workload in workloads:
        if kind == "jobs.batch" and workload.kind == "CronJob" and not workload.spec.suspend:
            yield Counted(workload.name, kept_runs(workload) + 1, "of the CronJob, kept ones and one that runs")
        elif kind == "replicasets.apps" and workload.kind == "Deployment":
            written = (workload.resource.raw.get("spec") or {}).get("revisionHistoryLimit")
            kept = written if isinstance(written, int) else 10
            yield Counted(workload.name, kept + 2, "of the Deployment, kept ones and two in a rollout")
