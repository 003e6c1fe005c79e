"""The safeguards that an overlay has, by names that are the same in every environment, so that they can be compared."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import msgspec

from policy.findings import Field, ObjectRef
from policy.manifests.index import Index
from policy.manifests.pod_security import ENFORCE, LEVELS
from policy.manifests.resources import Namespace, PodDisruptionBudget
from policy.manifests.security import run_as_non_root, seccomp_profile
from policy.manifests.workloads import Container, Workload

NameOf = Callable[[ObjectRef], str]
"""The name of an object without what its environment puts before and behind it."""

Key = tuple[str, str, str, str]
"""Kind and name of what has it, the container, and what it is."""

_PROBES = (
    ("readinessProbe", "readiness probe"),
    ("livenessProbe", "liveness probe"),
    ("startupProbe", "startup probe"),
)
_RESOURCES = ("cpu", "memory", "ephemeral-storage")


class Safeguard(msgspec.Struct, frozen=True):
    """Something that protects what runs: whether it is there, and where it is or belongs.

    ``strength`` is 0 where it is not there; more is safer.
    """

    subject: str
    what: str
    strength: int
    at: Field


def safeguards(index: Index, name_of: NameOf) -> Mapping[Key, Safeguard]:
    """Every safeguard that the workloads and namespaces of an overlay have or could have."""
    found: dict[Key, Safeguard] = {}
    budgets = _budgeted(index)
    for workload in index.workloads:
        name = name_of(workload.ref)
        for what, strength, at in _of_workload(index, workload, budgets):
            found[workload.kind, name, "", what] = Safeguard(str(workload.ref), what, strength, at)
        for container in workload.containers:
            subject = f"{container} of {workload.ref}"
            for what, strength, at in _of_container(container):
                found[workload.kind, name, container.name, what] = Safeguard(subject, what, strength, at)
        for effective in run_as_non_root(workload):
            key = (workload.kind, name, effective.container.name, "runAsNonRoot")
            subject = f"{effective.container} of {workload.ref}"
            found[key] = Safeguard(subject, "runAsNonRoot", int(effective.value is True), effective.at)
        for profile in seccomp_profile(workload):
            key = (workload.kind, name, profile.container.name, "seccomp profile")
            subject = f"{profile.container} of {workload.ref}"
            found[key] = Safeguard(subject, "seccomp profile", int(profile.value is not None), profile.at)
    for what, guard in _of_namespaces(index):
        known = found.setdefault(("Namespace", "", "", what), guard)
        if guard.strength < known.strength:
            found["Namespace", "", "", what] = guard
    return found


def _of_container(container: Container) -> Iterator[tuple[str, int, Field]]:
    spec, context = container.spec, container.spec.security_context
    for (key, what), probe in zip(
        _PROBES, (spec.readiness_probe, spec.liveness_probe, spec.startup_probe), strict=True
    ):
        yield what, int(probe is not None), container.field(key)
    for key, stated in (
        ("requests", spec.resources.requests if spec.resources else None),
        ("limits", spec.resources.limits if spec.resources else None),
    ):
        for resource in _RESOURCES:
            is_there = resource in (stated or {})
            yield f"{key[:-1]} of {resource}", int(is_there), container.field("resources", key, resource)
    dropped = (context.capabilities.drop if context and context.capabilities else None) or ()
    settings = (
        ("allowPrivilegeEscalation", context is not None and context.allow_privilege_escalation is False),
        ("readOnlyRootFilesystem", context is not None and context.read_only_root_filesystem is True),
        ("capabilities", "ALL" in dropped),
    )
    words = {
        "allowPrivilegeEscalation": "allowPrivilegeEscalation: false",
        "readOnlyRootFilesystem": "read-only root filesystem",
        "capabilities": "drop of all capabilities",
    }
    for name, is_set in settings:
        yield words[name], int(is_set), container.field("securityContext", name)


def _of_workload(index: Index, workload: Workload, budgets: frozenset[ObjectRef]) -> Iterator[tuple[str, int, Field]]:
    replicas = index.replicas_of(workload)
    if replicas is not None:
        yield "replicas", replicas.floor, replicas.at
    yield "PodDisruptionBudget", int(workload.ref in budgets), workload.field()
    for direction in ("Ingress", "Egress"):
        selected = any(
            direction in policy.spec.directions
            and (policy.spec.pod_selector is None or policy.spec.pod_selector.matches(workload.pod_labels))
            for policy in index.network_policies_in(workload.namespace)
        )
        yield f"NetworkPolicy of {direction.lower()}", int(selected), workload.field()


def _budgeted(index: Index) -> frozenset[ObjectRef]:
    return frozenset(
        workload.ref
        for budget in index.all(PodDisruptionBudget)
        if budget.spec.selector is not None
        for workload in index.selected(budget.namespace, budget.spec.selector)
    )


def _of_namespaces(index: Index) -> Iterator[tuple[str, Safeguard]]:
    """What bounds the namespaces with workloads; of several the weakest counts."""
    for namespace in index.namespaces:
        at = index.place_of_namespace(namespace)
        yield from (
            (what, Safeguard(f"namespace {namespace}", what, int(bool(there)), at))
            for what, there in (
                ("ResourceQuota", index.quotas_in(namespace)),
                ("LimitRange", index.limit_ranges_in(namespace)),
            )
        )
        found = index.find(Namespace, "", namespace)
        level = found.resource.labels.get(ENFORCE) if found is not None else None
        strength = next((rank for rank, each in enumerate(LEVELS) if each.value == level), 0)
        at = found.field("metadata", "labels", ENFORCE) if found is not None else at
        yield "pod security level", Safeguard(f"namespace {namespace}", "pod security level", strength, at)
