"""What Kustomize knows of the built-in kinds: which lists it merges by key, and which kinds have no namespace.

Kustomize 5.8 carries the OpenAPI schema of Kubernetes 1.21 (``x-kubernetes-patch-strategy``,
``x-kubernetes-list-map-keys``). A kind that is not in it, e.g. ``autoscaling/v2`` HorizontalPodAutoscaler or any custom
resource, has no merge keys: a patch replaces its lists whole.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

PRIMITIVE = ("",)
"""The merge key of a list of texts: the text itself."""


@dataclass(frozen=True, slots=True, eq=False)
class Schema:
    """What is known of a field: its own fields, and (for a list that is merged) its merge keys and its items."""

    fields: dict[str, Schema] = field(default_factory=dict)
    keys: tuple[str, ...] = ()
    items: Schema | None = None

    def field(self, name: str) -> Schema | None:
        return self.fields.get(name)


def _merged(keys: str, items: dict[str, Schema] | None = None) -> Schema:
    return Schema(keys=tuple(keys.split()) or PRIMITIVE, items=Schema(items or {}))


def _of(**fields: Schema) -> Schema:
    return Schema(fields)


_METADATA = _of(finalizers=_merged(""), ownerReferences=_merged("uid"))
_CONDITIONS = _of(conditions=_merged("type"))
_IN_CONTAINER = {
    "env": _merged("name"),
    "volumeDevices": _merged("devicePath"),
    "volumeMounts": _merged("mountPath"),
}
_CONTAINERS = _merged("name", {**_IN_CONTAINER, "ports": _merged("containerPort protocol")})
_POD_SPEC = _of(
    containers=_CONTAINERS,
    initContainers=_CONTAINERS,
    ephemeralContainers=_merged("name", _IN_CONTAINER),
    hostAliases=_merged("ip"),
    imagePullSecrets=_merged("name"),
    topologySpreadConstraints=_merged("topologyKey whenUnsatisfiable"),
    volumes=_merged("name", {"ephemeral": _of(volumeClaimTemplate=_of(metadata=_METADATA))}),
)
_POD_TEMPLATE = _of(metadata=_METADATA, spec=_POD_SPEC)
_WORKLOAD = {"spec": _of(template=_POD_TEMPLATE), "status": _CONDITIONS}
_CRON_JOB = {"spec": _of(jobTemplate=_of(metadata=_METADATA, spec=_of(template=_POD_TEMPLATE)))}
_WEBHOOKS = {"webhooks": _merged("name")}
_DRIVERS = {"spec": _of(drivers=_merged("name"))}
_STATUS = {"status": _CONDITIONS}

_OWN_FIELDS: dict[tuple[str, str], dict[str, Schema]] = {
    **{("apps/v1", kind): _WORKLOAD for kind in ("DaemonSet", "Deployment", "ReplicaSet", "StatefulSet")},
    ("batch/v1", "Job"): _WORKLOAD,
    ("v1", "ReplicationController"): _WORKLOAD,
    ("batch/v1", "CronJob"): _CRON_JOB,
    ("batch/v1beta1", "CronJob"): _CRON_JOB,
    ("v1", "Pod"): {
        "spec": _POD_SPEC,
        "status": _of(conditions=_merged("type"), podIPs=_merged("ip")),
    },
    ("v1", "PodTemplate"): {"template": _POD_TEMPLATE},
    ("v1", "Service"): {"spec": _of(ports=_merged("port protocol")), **_STATUS},
    ("v1", "ServiceAccount"): {"secrets": _merged("name")},
    ("v1", "ComponentStatus"): {"conditions": _merged("type")},
    ("v1", "Node"): {
        "spec": _of(podCIDRs=_merged("")),
        "status": _of(addresses=_merged("type"), conditions=_merged("type")),
    },
    ("v1", "Namespace"): _STATUS,
    ("v1", "PersistentVolumeClaim"): _STATUS,
    **{
        (f"admissionregistration.k8s.io/{version}", f"{kind}WebhookConfiguration"): _WEBHOOKS
        for version in ("v1", "v1beta1")
        for kind in ("Mutating", "Validating")
    },
    **{(f"apiregistration.k8s.io/{version}", "APIService"): _STATUS for version in ("v1", "v1beta1")},
    **{(f"policy/{version}", "PodDisruptionBudget"): _STATUS for version in ("v1", "v1beta1")},
    **{(f"storage.k8s.io/{version}", "CSINode"): _DRIVERS for version in ("v1", "v1beta1")},
}

_KINDS = {
    "admissionregistration.k8s.io/v1 admissionregistration.k8s.io/v1beta1": (
        "MutatingWebhookConfiguration* ValidatingWebhookConfiguration*"
    ),
    "apiextensions.k8s.io/v1 apiextensions.k8s.io/v1beta1": "CustomResourceDefinition*",
    "apiregistration.k8s.io/v1 apiregistration.k8s.io/v1beta1": "APIService*",
    "apps/v1": "ControllerRevision DaemonSet Deployment ReplicaSet StatefulSet",
    "authentication.k8s.io/v1": "TokenRequest TokenReview",
    "authentication.k8s.io/v1beta1": "TokenReview",
    "authorization.k8s.io/v1 authorization.k8s.io/v1beta1": (
        "LocalSubjectAccessReview SelfSubjectAccessReview SelfSubjectRulesReview SubjectAccessReview"
    ),
    "autoscaling/v1": "HorizontalPodAutoscaler Scale",
    "autoscaling/v2beta1 autoscaling/v2beta2": "HorizontalPodAutoscaler",
    "batch/v1": "CronJob Job",
    "batch/v1beta1": "CronJob",
    "certificates.k8s.io/v1 certificates.k8s.io/v1beta1": "CertificateSigningRequest*",
    "coordination.k8s.io/v1 coordination.k8s.io/v1beta1": "Lease",
    "discovery.k8s.io/v1 discovery.k8s.io/v1beta1": "EndpointSlice",
    "events.k8s.io/v1 events.k8s.io/v1beta1": "Event",
    "extensions/v1beta1": "Ingress",
    "flowcontrol.apiserver.k8s.io/v1beta1": "FlowSchema* PriorityLevelConfiguration*",
    "networking.k8s.io/v1": "Ingress IngressClass* NetworkPolicy",
    "networking.k8s.io/v1beta1": "Ingress IngressClass*",
    "node.k8s.io/v1 node.k8s.io/v1beta1": "RuntimeClass*",
    "policy/v1": "PodDisruptionBudget",
    "policy/v1beta1": "Eviction PodDisruptionBudget PodSecurityPolicy*",
    "rbac.authorization.k8s.io/v1 rbac.authorization.k8s.io/v1beta1": (
        "ClusterRole* ClusterRoleBinding* Role RoleBinding"
    ),
    "scheduling.k8s.io/v1 scheduling.k8s.io/v1beta1": "PriorityClass*",
    "storage.k8s.io/v1": "CSIDriver* CSINode* StorageClass* VolumeAttachment*",
    "storage.k8s.io/v1beta1": "CSIDriver* CSINode* CSIStorageCapacity StorageClass* VolumeAttachment*",
    "v1": (
        "Binding ComponentStatus* ConfigMap Endpoints Event LimitRange Namespace* Node* PersistentVolume* "
        "PersistentVolumeClaim Pod PodTemplate ReplicationController ResourceQuota Secret Service ServiceAccount"
    ),
}
"""Every kind of the schema that has metadata; a star marks those without a namespace."""


@cache
def _known_kinds() -> dict[tuple[str, str], bool]:
    return {
        (version, kind.rstrip("*")): kind.endswith("*")
        for versions, kinds in _KINDS.items()
        for version in versions.split()
        for kind in kinds.split()
    }


@cache
def schema_of(api_version: str, kind: str) -> Schema | None:
    """The schema of a kind; None if Kustomize has none, and merges no list of it."""
    if (api_version, kind) not in _known_kinds():
        return None
    return Schema({"metadata": _METADATA, **_OWN_FIELDS.get((api_version, kind), {})})


def is_cluster_scoped(api_version: str, kind: str) -> bool:
    """Whether Kustomize is certain that objects of this kind have no namespace."""
    return _known_kinds().get((api_version, kind), False)
