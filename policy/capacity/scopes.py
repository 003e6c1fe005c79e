"""Which pods a ResourceQuota is about: its scopes and scopeSelector, all of which must match.

Source: ``podMatchesScopeFunc`` of the quota's pod evaluator. A pod is Terminating when the POD has
activeDeadlineSeconds; that of its Job does not count. The priority class of a pod that names none is the one of the
input that is the global default.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from policy.manifests.index import Index
from policy.manifests.requirements import PodRequirements
from policy.manifests.resources import ResourceQuota
from policy.manifests.workloads import Workload

_KNOWN = frozenset(
    {"Terminating", "NotTerminating", "BestEffort", "NotBestEffort", "PriorityClass", "CrossNamespacePodAffinity"}
)


def unknown_scope(quota: ResourceQuota) -> str | None:
    """The first scope of a quota that cannot be judged here."""
    return next((name for name, _, _ in _scopes(quota) if name not in _KNOWN), None)


def is_scoped(quota: ResourceQuota) -> bool:
    return next(_scopes(quota), None) is not None


def is_charged(quota: ResourceQuota, workload: Workload, requirements: PodRequirements, index: Index) -> bool:
    """Whether a workload's pods are charged to a quota."""
    return all(
        _matches(name, operator, values, workload, requirements, index) for name, operator, values in _scopes(quota)
    )


def _scopes(quota: ResourceQuota) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    for scope in quota.spec.scopes or ():
        yield scope, "Exists", ()
    expressions = (quota.spec.scope_selector or {}).get("matchExpressions")
    for expression in expressions if isinstance(expressions, list) else ():
        if isinstance(expression, Mapping):
            values = expression.get("values")
            yield (
                str(expression.get("scopeName")),
                str(expression.get("operator", "Exists")),
                tuple(str(value) for value in values) if isinstance(values, list) else (),
            )


def _matches(
    name: str,
    operator: str,
    values: tuple[str, ...],
    workload: Workload,
    requirements: PodRequirements,
    index: Index,
) -> bool:
    if name in ("Terminating", "NotTerminating"):
        deadline = workload.pod_raw.get("activeDeadlineSeconds")
        return (isinstance(deadline, int) and deadline >= 0) == (name == "Terminating")
    if name in ("BestEffort", "NotBestEffort"):
        return requirements.is_best_effort == (name == "BestEffort")
    if name == "CrossNamespacePodAffinity":
        return _looks_into_other_namespaces(workload.pod.affinity or {})
    given = workload.pod.priority_class_name or _default_priority_class(index)
    if operator == "In":
        return given in values
    if operator == "NotIn":
        return given not in values
    return bool(given) == (operator == "Exists")


def _default_priority_class(index: Index) -> str | None:
    for resource in index.resources_in(""):
        if resource.ref.kind == "PriorityClass" and resource.raw.get("globalDefault") is True:
            return resource.ref.name
    return None


def _looks_into_other_namespaces(affinity: Mapping[str, Any]) -> bool:
    for kind in ("podAffinity", "podAntiAffinity"):
        part = affinity.get(kind)
        if not isinstance(part, Mapping):
            continue
        required = part.get("requiredDuringSchedulingIgnoredDuringExecution") or ()
        preferred = part.get("preferredDuringSchedulingIgnoredDuringExecution") or ()
        terms = [*required, *(item.get("podAffinityTerm") or {} for item in preferred)]
        if any(term.get("namespaces") or term.get("namespaceSelector") is not None for term in terms):
            return True
    return False
