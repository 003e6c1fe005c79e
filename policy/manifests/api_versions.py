"""API versions, fields and annotations that Kubernetes has deprecated or removed, and since when.

Sources: the lifecycle markers in the source of ``k8s.io/api``, ``k8s.io/apiextensions-apiserver`` and
``k8s.io/kube-aggregator`` (``k8s:prerelease-lifecycle-gen``) of Kubernetes 1.37; for versions that are no longer in it,
the deprecated API migration guide (https://kubernetes.io/docs/reference/using-api/deprecation-guide/); for fields, the
API reference; KEP-135 (seccomp annotations), KEP-24 (AppArmor annotations), KEP-5040 (gitRepo volumes).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import msgspec

_TABLE = """
apps/v1beta1 1.8 1.16 apps/v1 ControllerRevision Deployment StatefulSet
apps/v1beta2 1.9 1.16 apps/v1 ControllerRevision DaemonSet Deployment ReplicaSet StatefulSet
extensions/v1beta1 1.8 1.16 apps/v1 DaemonSet Deployment ReplicaSet
extensions/v1beta1 1.9 1.16 networking.k8s.io/v1 NetworkPolicy
extensions/v1beta1 1.11 1.16 - PodSecurityPolicy
batch/v2alpha1 1.8 1.21 batch/v1 CronJob
extensions/v1beta1 1.14 1.22 networking.k8s.io/v1 Ingress
networking.k8s.io/v1beta1 1.19 1.22 networking.k8s.io/v1 Ingress IngressClass
scheduling.k8s.io/v1beta1 1.14 1.22 scheduling.k8s.io/v1 PriorityClass
admissionregistration.k8s.io/v1beta1 1.16 1.22 admissionregistration.k8s.io/v1 MutatingWebhookConfiguration
admissionregistration.k8s.io/v1beta1 1.16 1.22 admissionregistration.k8s.io/v1 ValidatingWebhookConfiguration
apiextensions.k8s.io/v1beta1 1.16 1.22 apiextensions.k8s.io/v1 CustomResourceDefinition
rbac.authorization.k8s.io/v1beta1 1.17 1.22 rbac.authorization.k8s.io/v1 ClusterRole ClusterRoleBinding Role RoleBinding
storage.k8s.io/v1beta1 1.17 1.22 storage.k8s.io/v1 CSINode
storage.k8s.io/v1beta1 1.19 1.22 storage.k8s.io/v1 CSIDriver StorageClass VolumeAttachment
apiregistration.k8s.io/v1beta1 1.19 1.22 apiregistration.k8s.io/v1 APIService
certificates.k8s.io/v1beta1 1.19 1.22 certificates.k8s.io/v1 CertificateSigningRequest
coordination.k8s.io/v1beta1 1.19 1.22 coordination.k8s.io/v1 Lease
storage.k8s.io/v1alpha1 1.21 1.24 storage.k8s.io/v1 CSIStorageCapacity VolumeAttachment
batch/v1beta1 1.21 1.25 batch/v1 CronJob
discovery.k8s.io/v1beta1 1.21 1.25 discovery.k8s.io/v1 EndpointSlice
policy/v1beta1 1.21 1.25 policy/v1 PodDisruptionBudget
policy/v1beta1 1.21 1.25 - PodSecurityPolicy
autoscaling/v2beta1 1.22 1.25 autoscaling/v2 HorizontalPodAutoscaler
events.k8s.io/v1beta1 1.22 1.25 events.k8s.io/v1 Event
node.k8s.io/v1beta1 1.22 1.25 node.k8s.io/v1 RuntimeClass
autoscaling/v2beta2 1.23 1.26 autoscaling/v2 HorizontalPodAutoscaler
flowcontrol.apiserver.k8s.io/v1beta1 1.23 1.26 flowcontrol.apiserver.k8s.io/v1 FlowSchema PriorityLevelConfiguration
storage.k8s.io/v1beta1 1.24 1.27 storage.k8s.io/v1 CSIStorageCapacity
flowcontrol.apiserver.k8s.io/v1beta2 1.26 1.29 flowcontrol.apiserver.k8s.io/v1 FlowSchema PriorityLevelConfiguration
admissionregistration.k8s.io/v1alpha1 1.29 1.32 admissionregistration.k8s.io/v1 ValidatingAdmissionPolicy
admissionregistration.k8s.io/v1alpha1 1.29 1.32 admissionregistration.k8s.io/v1 ValidatingAdmissionPolicyBinding
flowcontrol.apiserver.k8s.io/v1beta3 1.29 1.32 flowcontrol.apiserver.k8s.io/v1 FlowSchema PriorityLevelConfiguration
admissionregistration.k8s.io/v1beta1 1.31 1.34 admissionregistration.k8s.io/v1 ValidatingAdmissionPolicy
admissionregistration.k8s.io/v1beta1 1.31 1.34 admissionregistration.k8s.io/v1 ValidatingAdmissionPolicyBinding
storage.k8s.io/v1alpha1 1.32 1.35 storage.k8s.io/v1 VolumeAttributesClass
v1 1.33 - discovery.k8s.io/v1,EndpointSlice Endpoints
networking.k8s.io/v1beta1 1.34 1.37 networking.k8s.io/v1 IPAddress ServiceCIDR
certificates.k8s.io/v1alpha1 1.34 1.37 certificates.k8s.io/v1 ClusterTrustBundle
storage.k8s.io/v1beta1 1.34 1.37 storage.k8s.io/v1 VolumeAttributesClass
admissionregistration.k8s.io/v1alpha1 1.35 1.38 admissionregistration.k8s.io/v1 MutatingAdmissionPolicy
admissionregistration.k8s.io/v1alpha1 1.35 1.38 admissionregistration.k8s.io/v1 MutatingAdmissionPolicyBinding
coordination.k8s.io/v1alpha2 1.35 1.38 coordination.k8s.io/v1beta1 LeaseCandidate
resource.k8s.io/v1beta1 1.35 1.38 resource.k8s.io/v1 DeviceClass ResourceClaim ResourceClaimTemplate ResourceSlice
coordination.k8s.io/v1beta1 1.36 1.39 - LeaseCandidate
resource.k8s.io/v1alpha3 1.36 1.39 resource.k8s.io/v1beta2 DeviceTaintRule
resource.k8s.io/v1beta2 1.36 1.39 resource.k8s.io/v1 DeviceClass ResourceClaim ResourceClaimTemplate ResourceSlice
admissionregistration.k8s.io/v1beta1 1.37 1.40 admissionregistration.k8s.io/v1 MutatingAdmissionPolicy
admissionregistration.k8s.io/v1beta1 1.37 1.40 admissionregistration.k8s.io/v1 MutatingAdmissionPolicyBinding
certificates.k8s.io/v1beta1 1.37 1.40 certificates.k8s.io/v1 ClusterTrustBundle PodCertificateRequest
storagemigration.k8s.io/v1beta1 1.37 1.40 storagemigration.k8s.io/v1 StorageVersionMigration
"""
"""A line: the version, deprecated since, removed in ("-" is not at all), what to use instead, the kinds.

What to use is the version that the newest Kubernetes serves, even where the removed one was first followed by another.
"""


class Lifecycle(msgspec.Struct, frozen=True):
    """When something was deprecated and removed, as minor versions (34 is 1.34), and what to use instead."""

    deprecated: int
    removed: int | None
    instead: str


UNSUPPORTED_VOLUMES: Mapping[str, Lifecycle] = {
    **dict.fromkeys(("flocker", "quobyte", "storageos"), Lifecycle(22, 25, "a CSI driver")),
    "glusterfs": Lifecycle(25, 26, "a CSI driver"),
    **dict.fromkeys(("cephfs", "rbd"), Lifecycle(28, 31, "a CSI driver")),
    "gitRepo": Lifecycle(11, 36, "an init container that clones into an emptyDir"),
}
"""Volume types that the kubelet mounts no more, by their field."""

ANNOTATIONS: Mapping[str, Lifecycle] = {
    "kubernetes.io/ingress.class": Lifecycle(18, None, "spec.ingressClassName"),
    "volume.beta.kubernetes.io/storage-class": Lifecycle(6, None, "spec.storageClassName"),
    "service.alpha.kubernetes.io/tolerate-unready-endpoints": Lifecycle(11, 25, "spec.publishNotReadyAddresses"),
}
"""Annotations of the object itself."""

POD_ANNOTATIONS: Mapping[str, Lifecycle] = {
    "seccomp.security.alpha.kubernetes.io/pod": Lifecycle(19, 27, "securityContext.seccompProfile"),
    "container.seccomp.security.alpha.kubernetes.io/": Lifecycle(19, 27, "securityContext.seccompProfile"),
    "container.apparmor.security.beta.kubernetes.io/": Lifecycle(30, None, "securityContext.appArmorProfile"),
    "scheduler.alpha.kubernetes.io/critical-pod": Lifecycle(13, 16, "priorityClassName"),
}
"""Annotations of pods; one that ends in a slash stands for all that begin so."""


@cache
def lifecycles() -> Mapping[tuple[str, str], Lifecycle]:
    """The versions of kinds that are deprecated or removed, by apiVersion and kind."""
    found = {}
    for line in _TABLE.strip().splitlines():
        version, deprecated, removed, instead, *kinds = line.split()
        until = None if removed == "-" else _minor(removed)
        words = "" if instead == "-" else instead.replace(",", " ")
        for kind in kinds:
            found[version, kind] = Lifecycle(_minor(deprecated), until, words)
    return found


def _minor(version: str) -> int:
    return int(version.partition(".")[2])
