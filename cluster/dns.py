"""The cluster's DNS: CoreDNS as a pod, under the labels that NetworkPolicies know it by.

It knows the cluster's names and no other: what is not of the cluster does not exist.
https://coredns.io/plugins/kubernetes/
"""

from __future__ import annotations

from cluster.deployments import account, until_ready
from cluster.kubectl import Kubectl, Object
from cluster.node import DNS

IMAGE = "ecommerce.invalid/coredns:1"
NAMESPACE = "kube-system"
_NAME = "coredns"
_LABELS = {"k8s-app": "kube-dns"}
_READY_SECONDS = 120
_COREFILE = """\
.:53 {
    errors
    health
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {
        pods insecure
    }
    cache 5
    loadbalance
}
"""


def start_dns(kubectl: Kubectl) -> None:
    """Until its pod is ready. Raises ClusterError with its last words if it does not become so."""
    kubectl.apply(*_rights(), _settings(), _deployment(), _service())
    until_ready(kubectl, _NAME, NAMESPACE, seconds=_READY_SECONDS)


def _metadata(name: str, **more: object) -> Object:
    return {"name": name, "namespace": NAMESPACE, **more}


def _rights() -> list[Object]:
    rules = [
        {"apiGroups": [""], "resources": ["endpoints", "namespaces", "pods", "services"], "verbs": ["list", "watch"]},
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]},
    ]
    return account(_metadata(_NAME), f"system:{_NAME}", rules)


def _settings() -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": _metadata(_NAME), "data": {"Corefile": _COREFILE}}


def _deployment() -> Object:
    ports = [("dns", 53, "UDP"), ("dns-tcp", 53, "TCP")]
    container = {
        "name": _NAME,
        "image": IMAGE,
        "args": ["-conf", "/etc/coredns/Corefile"],
        "ports": [{"name": name, "containerPort": port, "protocol": protocol} for name, port, protocol in ports],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8181}, "periodSeconds": 1},
        "livenessProbe": {"httpGet": {"path": "/health", "port": 8080}},
        "volumeMounts": [{"name": "settings", "mountPath": "/etc/coredns", "readOnly": True}],
    }
    pod = {
        "serviceAccountName": _NAME,
        "dnsPolicy": "Default",
        "priorityClassName": "system-cluster-critical",
        "tolerations": [{"operator": "Exists"}],
        "containers": [container],
        "volumes": [{"name": "settings", "configMap": {"name": _NAME}}],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _metadata(_NAME, labels=_LABELS),
        "spec": {
            "selector": {"matchLabels": _LABELS},
            "template": {"metadata": {"labels": _LABELS}, "spec": pod},
        },
    }


def _service() -> Object:
    ports = [
        {"name": "dns", "port": 53, "protocol": "UDP"},
        {"name": "dns-tcp", "port": 53, "protocol": "TCP"},
    ]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _metadata("kube-dns", labels=_LABELS),
        "spec": {"clusterIP": DNS, "selector": _LABELS, "ports": ports},
    }
