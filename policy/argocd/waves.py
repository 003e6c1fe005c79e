"""What an object needs before it, and whether Argo CD applies that no later.

Argo CD applies an Application in phases, and within a phase in waves; a wave begins when the one before is healthy:
https://argo-cd.readthedocs.io/en/stable/user-guide/sync-waves/. So an object that waits for one of a later wave waits
for ever.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cached_property, lru_cache
from typing import Any

import msgspec

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
from policy.patterns import Pattern

PHASES = ("PreSync", "Sync", "PostSync")
WAVE = "argocd.argoproj.io/sync-wave"
HOOK = "argocd.argoproj.io/hook"
_OUTSIDE = frozenset({"SyncFail", "PreDelete", "PostDelete", "Skip"})
"""Hooks of what is not applied by a sync that succeeds."""

_HOST = r"""(?:^|//|@|[\s"'=,]){name}(?::\d|\.[\w$]|["',;/]|$)"""
"""A name where a host stands: alone, after a scheme, before a port or the rest of a domain."""
_WORD = Pattern(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?")

_REFERENCES: Mapping[str, tuple[tuple[str, str], ...]] = {
    "configMap": (("ConfigMap", "name"),),
    "configMapRef": (("ConfigMap", "name"),),
    "configMapKeyRef": (("ConfigMap", "name"),),
    "secret": (("Secret", "secretName"), ("Secret", "name")),
    "secretRef": (("Secret", "name"),),
    "secretKeyRef": (("Secret", "name"),),
    "persistentVolumeClaim": (("PersistentVolumeClaim", "claimName"),),
    "service": (("Service", "name"),),
}
"""Fields that refer to another object of the namespace: of which kind, and where its name stands in them."""

Step = tuple[int, int]
"""When an object is applied: the phase, as a place in ``PHASES``, and the wave."""


class WaveError(ValueError):
    """A wave that is no number, or a hook that Argo CD does not know; ``annotation`` is the one that says so."""

    def __init__(self, annotation: str, message: str) -> None:
        super().__init__(message)
        self.annotation = annotation


class Need(msgspec.Struct, frozen=True):
    """``user`` does not become healthy, or does nothing, before ``needed`` is there."""

    user: Resource
    needed: Resource
    why: str

    def __str__(self) -> str:
        steps = " and ".join(f"{item.ref} in {when(item)}" for item in (self.user, self.needed))
        return f"{self.user.ref} needs {self.needed.ref} ({self.why}): {steps}"


def is_ordered(resource: Resource) -> bool:
    """Whether the object says when it is applied; else it is in wave 0 of the sync."""
    annotations = resource.annotations
    return WAVE in annotations or HOOK in annotations


def step_of(resource: Resource) -> Step | None:
    """When an object is applied, None if not by a sync. Raises WaveError if its annotations make no sense."""
    if not is_ordered(resource):
        return PHASES.index("Sync"), 0
    hooks = [hook.strip() for hook in str(resource.annotations.get(HOOK) or "Sync").split(",")]
    for hook in hooks:
        if hook not in PHASES and hook not in _OUTSIDE:
            raise WaveError(HOOK, f"there is no hook {hook}")
    phases = [PHASES.index(hook) for hook in hooks if hook in PHASES]
    wave = str(resource.annotations.get(WAVE, "0"))
    if not re.fullmatch(r"[+-]?\d{1,9}", wave):
        raise WaveError(WAVE, f"the wave {wave} is no number, so it counts as 0")
    return (min(phases), int(wave)) if phases else None


def when(resource: Resource) -> str:
    """When an object is applied, in words: ``wave 2``, ``wave 0 of PostSync``."""
    step = step_of(resource)
    if step is None:
        return "no sync"
    return f"wave {step[1]}" + ("" if PHASES[step[0]] == "Sync" else f" of {PHASES[step[0]]}")


def too_late(index: Index) -> list[Need]:
    """The needs that are applied after what needs them. Raises WaveError."""
    return [need for need in needs(index) if _is_later(need.needed, need.user)]


def _is_later(one: Resource, other: Resource) -> bool:
    first, second = step_of(one), step_of(other)
    return first is not None and second is not None and first > second


def needs(index: Index) -> Iterator[Need]:
    """Every need that the manifests show."""
    return _Needs(index).all()


class _Needs:
    def __init__(self, index: Index) -> None:
        self.index = index

    def all(self) -> Iterator[Need]:
        for resource in self.index.resources:
            space = self.index.resource("Namespace", "", resource.ref.namespace)
            if space is not None:
                yield Need(resource, space, "its namespace")
        for workload in self.index.workloads:
            yield from self.of_account(workload)
            yield from self.of_pod(workload)
            for service in self.called(workload):
                yield from self.of_call(workload.resource, service)
        for namespace in self.index.namespaces:
            yield from self.of_limits(namespace)
        yield from self.of_others()

    def of_others(self) -> Iterator[Need]:
        index = self.index
        for ingress in index.all(Ingress):
            for service in self.backends(ingress):
                yield from self.of_call(ingress.resource, service)
        for autoscaler in index.all(HorizontalPodAutoscaler):
            target = autoscaler.spec.scale_target_ref
            yield from self.one(autoscaler.resource, target.kind, target.name, "what it scales")
        for budget in index.all(PodDisruptionBudget):
            selector = budget.spec.selector
            for protected in index.selected(budget.namespace, selector) if selector else ():
                yield Need(budget.resource, protected.resource, "the pods it protects")

    def of_pod(self, workload: Workload) -> Iterator[Need]:
        user, named = workload.resource, _references(workload.pod_raw)
        yield from self.one(user, "Service", workload.spec.service_name or "", "its pods' names")
        for name in sorted(named.get("ConfigMap", ())):
            yield from self.one(user, "ConfigMap", name, "it reads it")
        for name in sorted(named.get("PersistentVolumeClaim", ())):
            yield from self.one(user, "PersistentVolumeClaim", name, "its volume")
        for name in sorted(named.get("Secret", ())):
            for producer in self.jobs_told.get((workload.namespace, name), ()):
                yield Need(user, producer, f"it makes the Secret {name}")

    def of_limits(self, namespace: str) -> Iterator[Need]:
        """What must be there before a pod is: else it starts without it."""
        index, workloads = self.index, self.index.workloads_in(namespace)
        bounds = [item.resource for item in index.quotas_in(namespace)]
        bounds += [item.resource for item in index.limit_ranges_in(namespace)]
        for bound in bounds:
            for workload in workloads:
                yield Need(workload.resource, bound, "what bounds its pods")
        for policy in index.network_policies_in(namespace):
            selector = policy.spec.pod_selector
            selected = workloads if selector is None else index.selected(namespace, selector)
            for workload in selected:
                yield Need(workload.resource, policy.resource, "the policy of its pods")

    def of_call(self, caller: Resource, service: Service) -> Iterator[Need]:
        yield Need(caller, service.resource, "it calls it")
        for workload in self.behind(service):
            yield Need(caller, workload.resource, f"it calls {service.name}")

    def of_account(self, workload: Workload) -> Iterator[Need]:
        account = workload.service_account
        yield from self.one(workload.resource, "ServiceAccount", account, "its account")
        for binding in self.bindings_of.get((workload.namespace, account), ()):
            role = binding.spec.role_ref
            yield Need(workload.resource, binding.resource, "what its account may do")
            yield from self.one(binding.resource, role.kind, role.name, "its role")

    def called(self, workload: Workload) -> Iterator[Service]:
        """The Services whose name stands as a host in the pods' arguments, environment or configuration."""
        texts = [value for container in workload.containers for value in _texts(container.spec)]
        for name in _references(workload.pod_raw).get("ConfigMap", ()):
            configuration = self.index.find(ConfigMap, workload.namespace, name)
            if configuration is not None:
                texts += (configuration.spec.data or {}).values()
        for name in sorted({word for text in texts for word in _WORD.findall(text)}):
            service = self.index.find(Service, workload.namespace, name)
            if service is None or not any(_host(name).search(text) for text in texts):
                continue
            if not any(workload is each for each in self.behind(service)):
                yield service

    def backends(self, ingress: Ingress) -> Iterator[Service]:
        for name in sorted(_references(ingress.resource.raw.get("spec")).get("Service", ())):
            service = self.index.find(Service, ingress.namespace, name)
            if service is not None:
                yield service

    def behind(self, service: Service) -> tuple[Workload, ...]:
        selector = service.spec.selector
        return self.index.selected(service.namespace, selector) if selector else ()

    def one(self, user: Resource, kind: str, name: str, why: str) -> Iterator[Need]:
        found = self.index.resource(kind, user.ref.namespace, name) or self.index.resource(kind, "", name)
        if found is not None:
            yield Need(user, found, why)

    @cached_property
    def jobs_told(self) -> Mapping[tuple[str, str], list[Resource]]:
        """The Jobs whose containers are told a word, such as the name of a Secret to make."""
        found: dict[tuple[str, str], list[Resource]] = {}
        for job in self.index.workloads:
            words = {word for container in job.containers for word in container.spec.args or ()}
            for word in words if job.kind == "Job" else ():
                found.setdefault((job.namespace, word), []).append(job.resource)
        return found

    @cached_property
    def bindings_of(self) -> Mapping[tuple[str, str], list[RoleBinding]]:
        found: dict[tuple[str, str], list[RoleBinding]] = {}
        for binding in self.index.all(RoleBinding):
            for subject in binding.spec.subjects or ():
                if subject.kind == "ServiceAccount":
                    found.setdefault((subject.namespace or binding.namespace, subject.name), []).append(binding)
        return found


@lru_cache(maxsize=4096)
def _host(name: str) -> re.Pattern[str]:
    return re.compile(_HOST.format(name=re.escape(name)))


def _texts(container: Any) -> Iterator[str]:
    yield from container.args or ()
    yield from container.command or ()
    yield from (variable.value for variable in container.env or () if variable.value)


def _references(node: object) -> Mapping[str, set[str]]:
    """The names that a part of an object refers to, by what they are names of."""
    found: dict[str, set[str]] = {}
    _collect(node, found)
    return found


def _collect(node: object, found: dict[str, set[str]]) -> None:
    if isinstance(node, dict):
        for key, value in node.items():
            if isinstance(value, dict):
                for kind, name in _REFERENCES.get(key, ()):
                    if isinstance(value.get(name), str):
                        found.setdefault(kind, set()).add(value[name])
                _collect(value, found)
            elif isinstance(value, list):
                _collect(value, found)
    elif isinstance(node, list):
        for item in node:
            _collect(item, found)
