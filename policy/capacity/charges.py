"""What one object is charged under which key of a ResourceQuota, in nano-units.

Source: the quota evaluators of ``kubernetes/pkg/quota/v1/evaluator/core`` (pods, services, persistent volume claims).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from policy.manifests.claims import Claim
from policy.manifests.quantities import NANO
from policy.manifests.requirements import Amounts, PodRequirements, can_be_overcommitted
from policy.manifests.resources import Service

COMPUTE = ("cpu", "memory", "ephemeral-storage")
STORAGE_CLASS_SUFFIX = ".storageclass.storage.k8s.io/"
POD_KEYS = frozenset(
    {"pods", "count/pods", *COMPUTE, *(f"{side}.{name}" for side in ("requests", "limits") for name in COMPUTE)}
)
CLAIM_KEYS = frozenset({"persistentvolumeclaims", "count/persistentvolumeclaims", "requests.storage"})
SERVICE_KEYS = frozenset({"services", "count/services", "services.loadbalancers", "services.nodeports"})


def is_pod_key(key: str) -> bool:
    """Whether pods are charged under this key: compute, pods, huge pages, extended resources."""
    resource = key.removeprefix("requests.")
    return (
        key in POD_KEYS
        or resource.startswith("hugepages-")
        or (key.startswith("requests.") and not is_claim_key(key) and not can_be_overcommitted(resource))
    )


def is_claim_key(key: str) -> bool:
    return key in CLAIM_KEYS or STORAGE_CLASS_SUFFIX in key


def pod_charges(requirements: PodRequirements) -> Amounts:
    """What a quota is charged for one pod."""
    charged = {"pods": NANO, "count/pods": NANO}
    for resource, value in requirements.charged_requests.items():
        if resource in COMPUTE or resource.startswith("hugepages-"):
            charged[resource] = charged[f"requests.{resource}"] = value
        elif not can_be_overcommitted(resource):
            charged[f"requests.{resource}"] = value
    for resource, value in requirements.charged_limits.items():
        if resource in COMPUTE:
            charged[f"limits.{resource}"] = value
    return charged


def claim_charges(claims: Iterable[Claim]) -> Amounts:
    """What a quota is charged for claims; bytes are rounded up to whole ones."""
    charged: Counter[str] = Counter()
    for claim in claims:
        storage = -(-(claim.amount or 0) // NANO) * NANO
        prefixes = [""] if claim.storage_class is None else ["", claim.storage_class + STORAGE_CLASS_SUFFIX]
        for prefix in prefixes:
            charged[f"{prefix}persistentvolumeclaims"] += NANO
            charged[f"{prefix}requests.storage"] += storage
        charged["count/persistentvolumeclaims"] += NANO
    return charged


def service_charges(service: Service) -> Amounts:
    """What a quota is charged for a Service; a load balancer takes node ports too, unless it says that it does not."""
    charged = {"services": NANO, "count/services": NANO}
    ports = service.spec.ports or ()
    if service.spec.type == "NodePort":
        charged["services.nodeports"] = len(ports) * NANO
    elif service.spec.type == "LoadBalancer":
        charged["services.loadbalancers"] = NANO
        if service.spec.allocate_load_balancer_node_ports is False:
            ports = tuple(port for port in ports if port.node_port)
        charged["services.nodeports"] = len(ports) * NANO
    return charged
