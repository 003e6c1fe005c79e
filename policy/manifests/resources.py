"""Kubernetes objects, typed by kind; the one place where raw mappings become objects."""

# Not `from __future__ import annotations`: msgspec would have to evaluate the text of each type when it first decodes.

from collections.abc import Mapping
from typing import Any, Generic, TypeVar

import msgspec

from policy.findings import Field, FieldPath, ObjectRef
from policy.manifests.pod_spec import HostPathVolume, IntOrString, Quantity, Raw, Struct
from policy.manifests.selectors import LabelSelector

S = TypeVar("S", bound=Struct)


class Resource(msgspec.Struct, frozen=True):
    """One object as rendered.

    ``document`` counts the documents of its stream from 0; ``prefix`` is where the object sits inside its document
    (``("items", 2)`` for the third item of a List).
    """

    ref: ObjectRef
    raw: Mapping[str, Any]
    document: int = 0
    prefix: FieldPath = ()

    @property
    def group(self) -> str:
        """The API group, "" for the core group."""
        return self.ref.api_version.rpartition("/")[0]

    @property
    def labels(self) -> Mapping[str, str]:
        return _mapping(_mapping(self.raw.get("metadata")).get("labels"))

    @property
    def annotations(self) -> Mapping[str, str]:
        metadata = self.raw.get("metadata")
        found = metadata.get("annotations") if isinstance(metadata, dict) else None
        return found if isinstance(found, dict) else _NONE

    def field(self, *path: str | int) -> Field:
        return Field(self.ref, path)


class Object(msgspec.Struct, Generic[S], frozen=True):
    """A resource with its typed ``spec`` (the whole object, for kinds that have no spec)."""

    resource: Resource
    spec: S

    @property
    def ref(self) -> ObjectRef:
        return self.resource.ref

    @property
    def name(self) -> str:
        return self.resource.ref.name

    @property
    def namespace(self) -> str:
        return self.resource.ref.namespace

    def field(self, *path: str | int) -> Field:
        return Field(self.resource.ref, path)


class ServicePort(Struct, frozen=True):
    port: int = 0
    name: str | None = None
    protocol: str | None = None
    target_port: IntOrString | None = None
    node_port: int | None = None

    @property
    def transport(self) -> str:
        """The protocol, TCP where none is given."""
        return self.protocol or "TCP"

    @property
    def target(self) -> IntOrString:
        """The target port: the port itself where none is given."""
        return self.port if self.target_port in (None, 0, "") else self.target_port or self.port


class ServiceSpec(Struct, frozen=True):
    type: str | None = None
    selector: dict[str, str] | None = None
    ports: tuple[ServicePort, ...] | None = None
    cluster_ip: str | None = msgspec.field(default=None, name="clusterIP")
    external_name: str | None = None
    external_ips: tuple[str, ...] | None = msgspec.field(default=None, name="externalIPs")
    allocate_load_balancer_node_ports: bool | None = None

    @property
    def is_headless(self) -> bool:
        """Whether its name resolves to the pods themselves, without an address and a proxy of its own."""
        return self.cluster_ip == "None"

    @property
    def selects(self) -> bool:
        """Whether its endpoints are the pods that a selector finds; without one they come from elsewhere."""
        return bool(self.selector) and self.type != "ExternalName"


class ConfigMapBody(Struct, frozen=True):
    data: dict[str, str] | None = None
    binary_data: dict[str, str] | None = None
    immutable: bool | None = None


class SecretBody(Struct, frozen=True):
    type: str | None = None
    data: dict[str, str] | None = None
    string_data: dict[str, str] | None = None


class ServiceAccountBody(Struct, frozen=True):
    automount_service_account_token: bool | None = None


class ResourceQuotaSpec(Struct, frozen=True):
    hard: dict[str, Quantity] | None = None
    scopes: tuple[str, ...] | None = None
    scope_selector: Raw | None = None


class LimitRangeItem(Struct, frozen=True):
    type: str = ""
    default: dict[str, Quantity] | None = None
    default_request: dict[str, Quantity] | None = None
    min: dict[str, Quantity] | None = None
    max: dict[str, Quantity] | None = None
    max_limit_request_ratio: dict[str, Quantity] | None = None


class LimitRangeSpec(Struct, frozen=True):
    limits: tuple[LimitRangeItem, ...] | None = None


class ScaleTarget(Struct, frozen=True):
    kind: str = ""
    name: str = ""
    api_version: str | None = None


class HorizontalPodAutoscalerSpec(Struct, frozen=True):
    scale_target_ref: ScaleTarget
    max_replicas: int = 0
    min_replicas: int | None = None
    metrics: tuple[Raw, ...] | None = None
    target_cpu_utilization_percentage: int | None = None

    @property
    def minimum(self) -> int:
        """minReplicas, 1 where it is absent."""
        return 1 if self.min_replicas is None else self.min_replicas


class KedaTarget(Struct, frozen=True):
    """What a ScaledObject scales: a Deployment, where it does not say."""

    name: str = ""
    kind: str | None = None
    api_version: str | None = None


class ScaledObjectSpec(Struct, frozen=True):
    scale_target_ref: KedaTarget
    min_replica_count: int | None = None
    max_replica_count: int | None = None
    triggers: tuple[Raw, ...] | None = None


class PodDisruptionBudgetSpec(Struct, frozen=True):
    selector: LabelSelector | None = None
    min_available: IntOrString | None = None
    max_unavailable: IntOrString | None = None
    unhealthy_pod_eviction_policy: str | None = None


class NetworkPolicyPort(Struct, frozen=True):
    protocol: str | None = None
    port: IntOrString | None = None
    end_port: int | None = None


class NetworkPolicyPeer(Struct, frozen=True):
    ip_block: Raw | None = None
    pod_selector: LabelSelector | None = None
    namespace_selector: LabelSelector | None = None


class NetworkPolicyIngressRule(Struct, frozen=True, rename={"peers": "from"}):
    peers: tuple[NetworkPolicyPeer, ...] | None = None
    ports: tuple[NetworkPolicyPort, ...] | None = None


class NetworkPolicyEgressRule(Struct, frozen=True, rename={"peers": "to"}):
    peers: tuple[NetworkPolicyPeer, ...] | None = None
    ports: tuple[NetworkPolicyPort, ...] | None = None


class NetworkPolicySpec(Struct, frozen=True):
    pod_selector: LabelSelector | None = None
    policy_types: tuple[str, ...] | None = None
    ingress: tuple[NetworkPolicyIngressRule, ...] | None = None
    egress: tuple[NetworkPolicyEgressRule, ...] | None = None

    @property
    def selects_every_pod(self) -> bool:
        """Whether its podSelector is empty or absent."""
        return self.pod_selector is None or self.pod_selector.is_empty

    @property
    def directions(self) -> frozenset[str]:
        """The policy types; absent means Ingress, and Egress where there is an egress rule (API reference)."""
        if self.policy_types:
            return frozenset(self.policy_types)
        return frozenset({"Ingress", "Egress"} if self.egress else {"Ingress"})


class PolicyRule(Struct, frozen=True):
    """A rule of a Role or ClusterRole."""

    verbs: tuple[str, ...] | None = None
    api_groups: tuple[str, ...] | None = None
    resources: tuple[str, ...] | None = None
    resource_names: tuple[str, ...] | None = None
    non_resource_urls: tuple[str, ...] | None = msgspec.field(default=None, name="nonResourceURLs")


class AggregationRule(Struct, frozen=True):
    cluster_role_selectors: tuple[LabelSelector, ...] | None = None


class RoleBody(Struct, frozen=True):
    rules: tuple[PolicyRule, ...] | None = None
    aggregation_rule: AggregationRule | None = None

    @property
    def selectors(self) -> tuple[LabelSelector, ...] | None:
        """The ClusterRoles whose rules the API server puts in place of its own; None where it has its own."""
        return None if self.aggregation_rule is None else self.aggregation_rule.cluster_role_selectors or ()


class RoleRef(Struct, frozen=True):
    kind: str = ""
    name: str = ""


class Subject(Struct, frozen=True):
    kind: str = ""
    name: str = ""
    namespace: str | None = None


class RoleBindingBody(Struct, frozen=True):
    role_ref: RoleRef
    subjects: tuple[Subject, ...] | None = None


class ClaimSpec(Struct, frozen=True):
    access_modes: tuple[str, ...] | None = None
    resources: Raw | None = None
    storage_class_name: str | None = None
    volume_name: str | None = None


class PersistentVolumeSpec(Struct, frozen=True):
    host_path: HostPathVolume | None = None


class NamespaceBody(Struct, frozen=True):
    pass


class IngressSpec(Struct, frozen=True):
    ingress_class_name: str | None = None
    default_backend: Raw | None = None
    rules: tuple[Raw, ...] | None = None
    tls: tuple[Raw, ...] | None = None


class RollingUpdate(Struct, frozen=True):
    max_surge: IntOrString | None = None
    max_unavailable: IntOrString | None = None
    partition: int | None = None


class Strategy(Struct, frozen=True):
    type: str | None = None
    rolling_update: RollingUpdate | None = None


class ClaimTemplate(Struct, frozen=True):
    metadata: Raw | None = None
    spec: ClaimSpec | None = None

    @property
    def name(self) -> str:
        name = (self.metadata or {}).get("name")
        return name if isinstance(name, str) else ""


class WorkloadSpec(Struct, frozen=True):
    """The specs of all kinds that make pods, taken together, without the pod itself; absent fields are None."""

    replicas: int | None = None
    selector: Raw | None = None
    strategy: Strategy | None = None
    update_strategy: Strategy | None = None
    volume_claim_templates: tuple[ClaimTemplate, ...] | None = None
    persistent_volume_claim_retention_policy: Raw | None = None
    service_name: str | None = None
    parallelism: int | None = None
    completions: int | None = None
    backoff_limit: int | None = None
    active_deadline_seconds: int | None = None
    ttl_seconds_after_finished: int | None = None
    concurrency_policy: str | None = None
    schedule: str | None = None
    suspend: bool | None = None
    manual_selector: bool | None = None


class Service(Object[ServiceSpec], frozen=True):
    """``core/v1`` Service."""


class ConfigMap(Object[ConfigMapBody], frozen=True):
    """``core/v1`` ConfigMap."""


class Secret(Object[SecretBody], frozen=True):
    """``core/v1`` Secret."""


class ServiceAccount(Object[ServiceAccountBody], frozen=True):
    """``core/v1`` ServiceAccount."""


class ResourceQuota(Object[ResourceQuotaSpec], frozen=True):
    """``core/v1`` ResourceQuota."""


class LimitRange(Object[LimitRangeSpec], frozen=True):
    """``core/v1`` LimitRange."""


class HorizontalPodAutoscaler(Object[HorizontalPodAutoscalerSpec], frozen=True):
    """``autoscaling`` HorizontalPodAutoscaler, v1 or v2."""


class ScaledObject(Object[ScaledObjectSpec], frozen=True):
    """``keda.sh`` ScaledObject: KEDA makes a HorizontalPodAutoscaler of it."""


class PodDisruptionBudget(Object[PodDisruptionBudgetSpec], frozen=True):
    """``policy/v1`` PodDisruptionBudget."""


class NetworkPolicy(Object[NetworkPolicySpec], frozen=True):
    """``networking.k8s.io/v1`` NetworkPolicy."""


class Role(Object[RoleBody], frozen=True):
    """``rbac.authorization.k8s.io/v1`` Role or ClusterRole."""


class RoleBinding(Object[RoleBindingBody], frozen=True):
    """``rbac.authorization.k8s.io/v1`` RoleBinding or ClusterRoleBinding."""


class PersistentVolumeClaim(Object[ClaimSpec], frozen=True):
    """``core/v1`` PersistentVolumeClaim."""


class PersistentVolume(Object[PersistentVolumeSpec], frozen=True):
    """``core/v1`` PersistentVolume."""


class Namespace(Object[NamespaceBody], frozen=True):
    """``core/v1`` Namespace."""


class Ingress(Object[IngressSpec], frozen=True):
    """``networking.k8s.io/v1`` Ingress."""


_NONE: Mapping[str, Any] = {}


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}  # asked hundreds of thousands of times; Mapping would be slow
