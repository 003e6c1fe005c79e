"""What an object needs before it, and whether Argo CD applies that no later.

Argo CD applies an Application in phases, and within a phase in waves; a wave begins when the one before is healthy:
https://argo-cd.readthedocs.io/en/stable/user-guide/sync-waves/. So an object that waits for one of a later wave waits
for ever.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from policy.manifests.index import Index
from policy.manifests.resources import (
    ConfigMap,
    HorizontalPodAutoscaler,
    Ingress,
    PodDisruptionBudget,
    Resource,
    RoleBinding,
    Service,
)
from policy.manifests.workloads import Workload

PHASES = ("PreSync", "Sync", "PostSync")

_HOST = r"""(?:^|//|@|[\s"'=,]){name}(?::\d|\.[\w$]|["',;/]|$)"""
"""A name where a host stands: alone, after a scheme, before a port or the rest of a domain."""

_CONFIG_MAPS = (("configMap", "name"), ("configMapRef", "name"), ("configMapKeyRef", "name"))
_SECRETS = (("secret", "secretName"), ("secret", "name"), ("secretRef", "name"), ("secretKeyRef", "name"))

Step = tuple[int, int]
"""When an object is applied: the phase, as a place in ``PHASES``, and the wave."""


@dataclass(frozen=True, slots=True)
class Need:
    """``user`` does not become healthy, or does nothing, before ``needed`` is there."""

    user: Resource
    needed: Resource
    why: str

    def __str__(self) -> str:
        steps = " and ".join(f"{item.ref} in wave {step_of(item)[1]}" for item in (self.user, self.needed))
        return f"{self.user.ref} needs {self.needed.ref} ({self.why}): {steps}"


def step_of(resource: Resource) -> Step:
    """When an object is applied. Raises ValueError if its wave is no number or its hook is no phase of a sync."""
    hook = resource.annotations.get("argocd.argoproj.io/hook", "Sync")
    return PHASES.index(hook), int(resource.annotations.get("argocd.argoproj.io/sync-wave", "0"))


def too_late(index: Index) -> list[Need]:
    """The needs that are applied after what needs them."""
    return [need for need in needs(index) if step_of(need.needed) > step_of(need.user)]


def needs(index: Index) -> Iterator[Need]:
    """Every need that the manifests show."""
    for resource in index.resources:
        space = index.resource("Namespace", "", resource.ref.namespace)
        if space is not None:
            yield Need(resource, space, "its namespace")
    for workload in index.workloads:
        yield from _of_account(index, workload, workload.pod.service_account_name or "default")
        yield from _of_pod(index, workload)
        yield from _of_limits(index, workload)
        for service in _called(index, workload):
            yield from _of_call(index, workload.resource, service)
    for ingress in index.all(Ingress):
        for service in _backends(index, ingress):
            yield from _of_call(index, ingress.resource, service)
    for autoscaler in index.all(HorizontalPodAutoscaler):
        target = autoscaler.spec.scale_target_ref
        yield from _need(index, autoscaler.resource, target.kind, target.name, "what it scales")
    for budget in index.all(PodDisruptionBudget):
        for protected in index.selected(budget.namespace, budget.spec.selector) if budget.spec.selector else ():
            yield Need(budget.resource, protected.resource, "the pods it protects")


def _of_pod(index: Index, workload: Workload) -> Iterator[Need]:
    user, pod = workload.resource, workload.pod_raw
    yield from _need(index, user, "Service", workload.spec.service_name or "", "its pods' names")
    for name in sorted(_values_of(pod, *_CONFIG_MAPS)):
        yield from _need(index, user, "ConfigMap", name, "it reads it")
    for name in sorted(_values_of(pod, ("persistentVolumeClaim", "claimName"))):
        yield from _need(index, user, "PersistentVolumeClaim", name, "its volume")
    for name in sorted(_values_of(pod, *_SECRETS)):
        for producer in _producers(index, workload.namespace, name):
            yield Need(user, producer, f"it makes the Secret {name}")


def _of_limits(index: Index, workload: Workload) -> Iterator[Need]:
    """What must be there before a pod is: else it starts without it."""
    space = workload.namespace
    for quota in index.quotas_in(space):
        yield Need(workload.resource, quota.resource, "what bounds its pods")
    for limits in index.limit_ranges_in(space):
        yield Need(workload.resource, limits.resource, "what bounds its pods")
    for policy in index.network_policies_in(space):
        if policy.spec.pod_selector is None or policy.spec.pod_selector.matches(workload.pod_labels):
            yield Need(workload.resource, policy.resource, "the policy of its pods")


def _of_call(index: Index, caller: Resource, service: Service) -> Iterator[Need]:
    yield Need(caller, service.resource, "it calls it")
    for workload in _behind(index, service):
        yield Need(caller, workload.resource, f"it calls {service.name}")


def _of_account(index: Index, workload: Workload, account: str) -> Iterator[Need]:
    yield from _need(index, workload.resource, "ServiceAccount", account, "its account")
    for binding in index.all(RoleBinding):
        role = binding.spec.role_ref
        if any(subject.kind == "ServiceAccount" and subject.name == account for subject in binding.spec.subjects or ()):
            yield Need(workload.resource, binding.resource, "what its account may do")
            yield from _need(index, binding.resource, role.kind, role.name, "its role")


def _producers(index: Index, space: str, secret: str) -> Iterator[Resource]:
    """The Jobs that are told the name of a Secret."""
    for job in index.workloads_in(space):
        if job.kind == "Job" and any(secret in (container.spec.args or ()) for container in job.containers):
            yield job.resource


def _called(index: Index, workload: Workload) -> Iterator[Service]:
    """The Services whose name stands as a host in the pods' arguments, environment or configuration."""
    texts = [value for container in workload.containers for value in _texts(container.spec)]
    for name in _values_of(workload.pod_raw, *_CONFIG_MAPS):
        configuration = index.find(ConfigMap, workload.namespace, name)
        if configuration is not None:
            texts += (configuration.spec.data or {}).values()
    for service in index.all(Service):
        host = re.compile(_HOST.format(name=re.escape(service.name)))
        own = workload in _behind(index, service)
        if service.namespace == workload.namespace and not own and any(host.search(text) for text in texts):
            yield service


def _backends(index: Index, ingress: Ingress) -> Iterator[Service]:
    for name in sorted(_values_of(ingress.resource.raw.get("spec"), ("backend", "service", "name"))):
        service = index.find(Service, ingress.namespace, name)
        if service is not None:
            yield service


def _texts(container: Any) -> Iterator[str]:
    yield from container.args or ()
    yield from container.command or ()
    yield from (variable.value for variable in container.env or () if variable.value)


def _behind(index: Index, service: Service) -> tuple[Workload, ...]:
    return index.selected(service.namespace, service.spec.selector) if service.spec.selector else ()


def _need(index: Index, user: Resource, kind: str, name: str, why: str) -> Iterator[Need]:
    found = index.resource(kind, user.ref.namespace, name)
    if found is not None:
        yield Need(user, found, why)


def _values_of(node: object, *paths: tuple[str, ...]) -> set[str]:
    """Every text that stands at the end of one of the paths of keys, at any depth."""
    found: set[str] = set()
    if isinstance(node, Mapping):
        for path in paths:
            value: object = node
            for key in path:
                value = value.get(key) if isinstance(value, Mapping) else None
            if isinstance(value, str):
                found.add(value)
        for child in node.values():
            found |= _values_of(child, *paths)
    elif isinstance(node, (list, tuple)):
        for child in node:
            found |= _values_of(child, *paths)
    return found
