"""All objects of one overlay, found in constant time: by kind, by name, by label."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from policy.findings import Field, ObjectRef
from policy.lazy import cached_property
from policy.manifests.decode import NotDecodable, typed
from policy.manifests.replicas import Autoscaler, Replicas, autoscaler, replicas
from policy.manifests.requirements import Defaults, PodRequirements, defaults_of, pod_requirements
from policy.manifests.resources import (
    HorizontalPodAutoscaler,
    LimitRange,
    Namespace,
    NetworkPolicy,
    Object,
    PodDisruptionBudget,
    Resource,
    ResourceQuota,
    ScaledObject,
    Service,
)
from policy.manifests.selectors import LabelSelector
from policy.manifests.workloads import Workload, workload

AnyObject = TypeVar("AnyObject", bound=Object[Any])


_HOOK = "helm.sh/hook"


def _is_generated(resource: Resource) -> bool:
    """Whether the cluster makes its name, of ``generateName``."""
    metadata = resource.raw.get("metadata")
    return isinstance(metadata, dict) and not metadata.get("name")


class Index:
    """The objects of one overlay, decoded once.

    ``undecodable`` pairs resources with their fields of wrong types: no rule sees those, or, where nothing is left
    without them, the typed object.
    """

    def __init__(self, resources: Iterable[Resource]) -> None:
        self.resources = tuple(resources)
        self.undecodable: list[tuple[Resource, NotDecodable]] = []
        self._by_name: dict[tuple[str, str, str], Resource] = {}
        self._typed: dict[type[Object[Any]], list[Object[Any]]] = {}
        self._typed_by_name: dict[tuple[type[Object[Any]], str, str], Object[Any]] = {}
        workloads: list[Workload] = []
        for resource in self.resources:
            ref = resource.ref
            self._by_name.setdefault((ref.kind, ref.namespace, ref.name), resource)
            lost: list[NotDecodable] = []
            try:
                made = workload(resource, lost)
                if made is not None:
                    workloads.append(made)
                else:
                    self._add(typed(resource, lost))
            except NotDecodable as error:
                lost.append(error)
            self.undecodable.extend((resource, error) for error in lost)
        self.workloads = tuple(workloads)
        self._by_label: dict[str, dict[tuple[str, str], tuple[Workload, ...]]] = {}
        self._requirements: dict[int, PodRequirements] = {}
        self._defaults: dict[str, Defaults] = {}
        self._replicas: dict[int, Replicas | None] = {}

    def _add(self, item: Object[Any] | None) -> None:
        if item is not None:
            self._typed.setdefault(type(item), []).append(item)
            self._typed_by_name.setdefault((type(item), item.namespace, item.name), item)

    def all(self, kind: type[AnyObject]) -> tuple[AnyObject, ...]:
        """Every object of a typed kind, in the order of the stream."""
        return tuple(self._typed.get(kind, ()))  # type: ignore[arg-type]

    def find(self, kind: type[AnyObject], namespace: str, name: str) -> AnyObject | None:
        """The object of a typed kind by name."""
        return self._typed_by_name.get((kind, namespace, name))  # type: ignore[return-value]

    @cached_property
    def _workloads_by_name(self) -> Mapping[tuple[str, str, str], Workload]:
        return {(item.kind, item.namespace, item.name): item for item in reversed(self.workloads)}

    def workload(self, kind: str, namespace: str, name: str) -> Workload | None:
        """The workload by kind and name."""
        return self._workloads_by_name.get((kind, namespace, name))

    def resource(self, kind: str, namespace: str, name: str) -> Resource | None:
        """Any object by kind and name."""
        return self._by_name.get((kind, namespace, name))

    @cached_property
    def repeated(self) -> tuple[tuple[Resource, Resource], ...]:
        """Objects whose kind, API group, namespace and name an earlier one has too, each with the first of these.

        Of a name that the cluster generates there may be many, and hooks of Helm come one after the other.
        """
        firsts: dict[tuple[str, str, str, str], Resource] = {}
        found: list[tuple[Resource, Resource]] = []
        for resource in self.resources:
            ref = resource.ref
            if not ref.name or _is_generated(resource) or _HOOK in resource.annotations:
                continue
            first = firsts.setdefault((ref.kind, resource.group, ref.namespace, ref.name), resource)
            if first is not resource:
                found.append((resource, first))
        return tuple(found)

    @cached_property
    def _names(self) -> Mapping[tuple[str, str], tuple[str, ...]]:
        found: dict[tuple[str, str], list[str]] = {}
        for kind, namespace, name in self._by_name:
            found.setdefault((kind, namespace), []).append(name)
        return {key: tuple(names) for key, names in found.items()}

    def names(self, kind: str, namespace: str) -> tuple[str, ...]:
        """The names of all objects of a kind in a namespace."""
        return self._names.get((kind, namespace), ())

    @cached_property
    def namespaces(self) -> tuple[str, ...]:
        """The namespaces that workloads run in, sorted; "" where a manifest names none."""
        return tuple(sorted({item.namespace for item in self.workloads}))

    def _with_label(self, namespace: str, key: str, value: str) -> tuple[Workload, ...]:
        """The workloads whose pods have a label; each key that selectors ask for is looked up in all of them once."""
        by_value = self._by_label.get(key)
        if by_value is None:
            found: defaultdict[tuple[str, str], list[Workload]] = defaultdict(list)
            for item in self.workloads:
                if key in item.pod_labels:
                    found[item.namespace, item.pod_labels[key]].append(item)
            by_value = self._by_label[key] = {each: tuple(items) for each, items in found.items()}
        return by_value.get((namespace, value), ())

    @cached_property
    def _workloads_by_namespace(self) -> Mapping[str, tuple[Workload, ...]]:
        found: dict[str, list[Workload]] = {}
        for item in self.workloads:
            found.setdefault(item.namespace, []).append(item)
        return {key: tuple(items) for key, items in found.items()}

    @cached_property
    def _alike(self) -> Mapping[str, tuple[tuple[Workload, ...], ...]]:
        found: defaultdict[str, defaultdict[tuple[object, ...], list[Workload]]] = defaultdict(
            lambda: defaultdict(list)
        )
        for item in self.workloads:
            found[item.namespace][item.settings].append(item)
        return {name: tuple(map(tuple, groups.values())) for name, groups in found.items()}

    def workloads_where(self, holds: Callable[[Workload], bool], namespace: str | None = None) -> Sequence[Workload]:
        """The workloads (of one namespace) of which something holds, in the order of the stream.

        It must depend on nothing but their namespace, kind and ``settings``: of those that have them in common only the
        first is asked.
        """
        wanted = self._alike if namespace is None else (namespace,)
        found = [group for name in wanted for group in self._alike.get(name, ()) if holds(group[0])]
        if not found:
            return ()
        alike = {id(item) for group in found for item in group}
        among = self.workloads if namespace is None else self.workloads_in(namespace)
        return [item for item in among if id(item) in alike]

    def workloads_in(self, namespace: str) -> tuple[Workload, ...]:
        return self._workloads_by_namespace.get(namespace, ())

    def selected(self, namespace: str, selector: LabelSelector | Mapping[str, str]) -> tuple[Workload, ...]:
        """The workloads of a namespace whose pods a selector selects; the rarest label is looked up first."""
        if not isinstance(selector, LabelSelector):
            selector = LabelSelector(match_labels=dict(selector))
        labels = selector.match_labels or {}
        if len(labels) == 1 and not selector.match_expressions:
            return self._with_label(namespace, *next(iter(labels.items())))
        candidates = self.workloads_in(namespace)
        for key, value in labels.items():
            with_label = self._with_label(namespace, key, value)
            if len(with_label) < len(candidates):
                candidates = with_label
        return tuple(item for item in candidates if selector.matches(item.pod_labels))

    @cached_property
    def _pods_of_services(self) -> Mapping[int, tuple[Workload, ...]]:
        return {
            id(service): self.selected(service.namespace, service.spec.selector)
            for service in self.all(Service)
            if service.spec.selects and service.spec.selector
        }

    def pods_of(self, service: Service) -> tuple[Workload, ...]:
        """The workloads whose pods a Service selects; none where its endpoints come from elsewhere."""
        return self._pods_of_services.get(id(service), ())

    @cached_property
    def _autoscalers(self) -> Mapping[tuple[str, str, str], tuple[HorizontalPodAutoscaler, ...]]:
        found: dict[tuple[str, str, str], list[HorizontalPodAutoscaler]] = {}
        for item in self.all(HorizontalPodAutoscaler):
            target = item.spec.scale_target_ref
            found.setdefault((item.namespace, target.kind, target.name), []).append(item)
        return {key: tuple(items) for key, items in found.items()}

    def autoscalers_of(self, item: Workload) -> tuple[HorizontalPodAutoscaler, ...]:
        """The HorizontalPodAutoscalers that scale this workload."""
        return self._autoscalers.get((item.namespace, item.kind, item.name), ())

    @cached_property
    def autoscalers(self) -> tuple[Autoscaler, ...]:
        """Every HorizontalPodAutoscaler and every ScaledObject of KEDA."""
        own = [autoscaler(item) for item in self.all(HorizontalPodAutoscaler)]
        return (*own, *(autoscaler(item) for item in self.all(ScaledObject)))

    @cached_property
    def _autoscalers_by_target(self) -> Mapping[tuple[str, str, str], tuple[Autoscaler, ...]]:
        found: dict[tuple[str, str, str], list[Autoscaler]] = {}
        for item in self.autoscalers:
            found.setdefault((item.ref.namespace, item.target_kind, item.target_name), []).append(item)
        return {key: tuple(items) for key, items in found.items()}

    def scaled_by(self, item: Workload) -> tuple[Autoscaler, ...]:
        """The autoscalers of any kind that scale this workload."""
        return self._autoscalers_by_target.get((item.namespace, item.kind, item.name), ())

    def replicas_of(self, item: Workload) -> Replicas | None:
        """How many pods this workload has; None for kinds without ``spec.replicas``."""
        key = id(item)
        if key not in self._replicas:
            self._replicas[key] = replicas(item, self.scaled_by(item))
        return self._replicas[key]

    @cached_property
    def claims_of_stateful_sets(self) -> frozenset[tuple[str, str]]:
        """The claims that StatefulSets make for their pods, by namespace and name, without the pod's ordinal."""
        return frozenset(
            (item.namespace, f"{template.name}-{item.name}")
            for item in self.workloads
            if item.kind == "StatefulSet"
            for template in item.spec.volume_claim_templates or ()
        )

    @cached_property
    def _services_by_workload(self) -> Mapping[int, tuple[Service, ...]]:
        found: dict[int, list[Service]] = {}
        for service in self.all(Service):
            for item in self.pods_of(service):
                found.setdefault(id(item), []).append(service)
        return {key: tuple(items) for key, items in found.items()}

    def services_of(self, item: Workload) -> tuple[Service, ...]:
        """The Services that select this workload's pods."""
        return self._services_by_workload.get(id(item), ())

    @cached_property
    def _budgets_by_workload(self) -> Mapping[int, tuple[PodDisruptionBudget, ...]]:
        found: dict[int, list[PodDisruptionBudget]] = {}
        for budget in self.all(PodDisruptionBudget):
            if budget.spec.selector is not None:
                for item in self.selected(budget.namespace, budget.spec.selector):
                    found.setdefault(id(item), []).append(budget)
        return {key: tuple(items) for key, items in found.items()}

    def budgets_of(self, item: Workload) -> tuple[PodDisruptionBudget, ...]:
        """The PodDisruptionBudgets that select this workload's pods."""
        return self._budgets_by_workload.get(id(item), ())

    def network_policies_in(self, namespace: str) -> tuple[NetworkPolicy, ...]:
        return self.in_namespace(NetworkPolicy, namespace)

    def limit_ranges_in(self, namespace: str) -> tuple[LimitRange, ...]:
        return self.in_namespace(LimitRange, namespace)

    def quotas_in(self, namespace: str) -> tuple[ResourceQuota, ...]:
        return self.in_namespace(ResourceQuota, namespace)

    def place_of_namespace(self, namespace: str) -> Field:
        """Where to say that a namespace lacks something: its Namespace object, or else its first workload."""
        found = self.find(Namespace, "", namespace)
        if found is not None:
            return found.field()
        workloads = self.workloads_in(namespace)
        return workloads[0].field("metadata", "namespace") if workloads else Field(ObjectRef("Namespace", namespace))

    def requirements_of(self, item: Workload) -> PodRequirements:
        """The effective requests and limits of this workload's pods, under the LimitRanges of its namespace."""
        found = self._requirements.get(id(item))
        if found is None:
            defaults = self._defaults.get(item.namespace)
            if defaults is None:
                defaults = self._defaults[item.namespace] = defaults_of(self.limit_ranges_in(item.namespace))
            found = self._requirements[id(item)] = pod_requirements(item, defaults)
        return found

    def named_namespace(self, namespace: str) -> str:
        """How a message calls a namespace: by name only where there are several, since overlays differ in it."""
        return f"namespace {namespace}" if namespace and len(self.namespaces) > 1 else "the namespace"

    def resources_in(self, namespace: str) -> tuple[Resource, ...]:
        """Every object of a namespace, of whatever kind."""
        return self._resources_by_namespace.get(namespace, ())

    @cached_property
    def _resources_by_namespace(self) -> Mapping[str, tuple[Resource, ...]]:
        found: dict[str, list[Resource]] = {}
        for item in self.resources:
            found.setdefault(item.ref.namespace, []).append(item)
        return {key: tuple(items) for key, items in found.items()}

    def in_namespace(self, kind: type[AnyObject], namespace: str) -> tuple[AnyObject, ...]:
        """Every object of a typed kind in a namespace."""
        return self._grouped.get((kind, namespace), ())  # type: ignore[return-value]

    @cached_property
    def annotated(self) -> tuple[Resource, ...]:
        """The objects that have annotations, in the order of the stream."""
        return tuple(item for item in self.resources if item.annotations)

    @cached_property
    def _grouped(self) -> Mapping[tuple[type[Object[Any]], str], tuple[Object[Any], ...]]:
        found: dict[tuple[type[Object[Any]], str], list[Object[Any]]] = {}
        for kind, items in self._typed.items():
            for item in items:
                found.setdefault((kind, item.namespace), []).append(item)
        return {key: tuple(items) for key, items in found.items()}
