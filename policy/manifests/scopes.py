"""Which kinds of objects are in a namespace.

Source: the markers ``genclient:nonNamespaced`` of ``k8s.io/api``, ``k8s.io/apiextensions-apiserver`` and
``k8s.io/kube-aggregator`` of Kubernetes 1.37; removed kinds from the versions that had them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from policy.manifests.resources import Resource

_CLUSTER_SCOPED = """
- ComponentStatus Namespace Node PersistentVolume
admissionregistration.k8s.io MutatingAdmissionPolicy MutatingAdmissionPolicyBinding MutatingWebhookConfiguration
admissionregistration.k8s.io ValidatingAdmissionPolicy ValidatingAdmissionPolicyBinding ValidatingWebhookConfiguration
apiextensions.k8s.io CustomResourceDefinition
apiregistration.k8s.io APIService
authentication.k8s.io SelfSubjectReview TokenReview
authorization.k8s.io SelfSubjectAccessReview SelfSubjectRulesReview SubjectAccessReview
certificates.k8s.io CertificateSigningRequest ClusterTrustBundle
extensions PodSecurityPolicy
flowcontrol.apiserver.k8s.io FlowSchema PriorityLevelConfiguration
internal.apiserver.k8s.io StorageVersion
networking.k8s.io IPAddress IngressClass ServiceCIDR
node.k8s.io RuntimeClass
policy PodSecurityPolicy
rbac.authorization.k8s.io ClusterRole ClusterRoleBinding
resource.k8s.io DeviceClass DeviceTaintRule ResourcePoolStatusRequest ResourceSlice
scheduling.k8s.io PriorityClass
storage.k8s.io CSIDriver CSINode StorageClass VolumeAttachment VolumeAttributesClass
storagemigration.k8s.io StorageVersionMigration
"""
_OTHER_GROUPS = frozenset(
    {"apps", "autoscaling", "batch", "coordination.k8s.io", "discovery.k8s.io", "events.k8s.io", "lifecycle.k8s.io"}
)


def _table() -> Mapping[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for line in _CLUSTER_SCOPED.strip().splitlines():
        group, *kinds = line.split()
        found.setdefault("" if group == "-" else group, set()).update(kinds)
    return {group: frozenset(kinds) for group, kinds in found.items()}


class Scopes:
    """Kubernetes' own kinds, and those whose CustomResourceDefinition is among the given resources."""

    def __init__(self, resources: Iterable[Resource]) -> None:
        self._own = {**dict.fromkeys(_OTHER_GROUPS, frozenset[str]()), **_table()}
        self._custom: dict[tuple[str, str], bool] = {}
        for resource in resources:
            if resource.ref.kind == "CustomResourceDefinition":
                spec = _mapping(resource.raw.get("spec"))
                key = str(spec.get("group")), str(_mapping(spec.get("names")).get("kind"))
                self._custom[key] = spec.get("scope") == "Namespaced"

    def is_namespaced(self, group: str, kind: str) -> bool | None:
        """Whether objects of a kind are in a namespace; None where that is not known."""
        cluster_scoped = self._own.get(group)
        if cluster_scoped is not None:
            return kind not in cluster_scoped
        return self._custom.get((group, kind))


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
