"""The Ingress controller: Traefik as a pod, in the namespace and under the label that NetworkPolicies know one by.

It takes the class and the annotations of ingress-nginx for its own. Its Service has the node's address, as one of a
cloud's load balancer; every Ingress that it serves gets that address as its own.
https://doc.traefik.io/traefik/providers/kubernetes/kubernetes-ingress-nginx/
"""

from __future__ import annotations

import json

from cluster.deployments import account, until_ready
from cluster.kubectl import Kubectl, Object
from cluster.machine import ADDRESS

IMAGE = "ecommerce.invalid/traefik:1"
NAMESPACE = "ingress-nginx"
CLASS = "nginx"
_NAME = "traefik"
_LABELS = {"app.kubernetes.io/name": "ingress-nginx"}
_CONTROLLER = "k8s.io/ingress-nginx"
_SERVICE = "ingress-nginx-controller"
_READY_SECONDS = 120
_PING = 8081
_ENTRIES = {"http": (80, 8080), "https": (443, 8443)}
"""What it listens on: the Service's port, and the pod's, for which no privilege is needed."""


def start_ingress(kubectl: Kubectl) -> None:
    """Until its pod is ready. Raises ClusterError with its last words if it does not become so."""
    restricted = {"pod-security.kubernetes.io/enforce": "restricted"}
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": restricted}}
    kubectl.apply(namespace, *_rights(), _class(), _deployment(), _service())
    _give_address(kubectl)
    until_ready(kubectl, _NAME, NAMESPACE, seconds=_READY_SECONDS)


def _metadata(name: str, **more: object) -> Object:
    return {"name": name, "namespace": NAMESPACE, **more}


def _rights() -> list[Object]:
    """To read what Ingresses are made of, and to say their address."""
    reads, networking = ["list", "watch"], "networking.k8s.io"
    rules = [
        {"apiGroups": [""], "resources": ["configmaps", "secrets", "services"], "verbs": reads},
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": reads},
        {"apiGroups": [networking], "resources": ["ingressclasses", "ingresses"], "verbs": reads},
        {"apiGroups": [networking], "resources": ["ingresses/status"], "verbs": ["update"]},
    ]
    return account(_metadata(_NAME), _NAME, rules)


def _class() -> Object:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "IngressClass",
        "metadata": {"name": CLASS},
        "spec": {"controller": _CONTROLLER},
    }


def _arguments() -> list[str]:
    provider = "--providers.kubernetesingressnginx"
    return [
        *(f"--entrypoints.{name}.address=:{port}" for name, (_, port) in _ENTRIES.items()),
        f"--entrypoints.ping.address=:{_PING}",
        "--ping.entrypoint=ping",
        "--global.checknewversion=false",
        "--global.sendanonymoususage=false",
        f"{provider}=true",
        f"{provider}.httpentrypoint=http",
        f"{provider}.httpsentrypoint=https",
        f"{provider}.proxyrequestbuffering=true",  # as ingress-nginx does where nothing else is said
        f"{provider}.publishservice={NAMESPACE}/{_SERVICE}",
    ]


def _deployment() -> Object:
    ping = {"path": "/ping", "port": _PING}
    container = {
        "name": _NAME,
        "image": IMAGE,
        "args": _arguments(),
        "ports": [{"name": name, "containerPort": port} for name, (_, port) in _ENTRIES.items()],
        "readinessProbe": {"httpGet": ping, "periodSeconds": 1},
        "livenessProbe": {"httpGet": ping},
        "resources": {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
        # Where the body of a request is kept while it is read.
        "volumeMounts": [{"name": "bodies", "mountPath": "/tmp"}],
    }
    pod = {
        "serviceAccountName": _NAME,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
        "volumes": [{"name": "bodies", "emptyDir": {"sizeLimit": "64Mi"}}],
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
    ports = [{"name": name, "port": port, "targetPort": name} for name, (port, _) in _ENTRIES.items()]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _metadata(_SERVICE, labels=_LABELS),
        "spec": {
            "type": "LoadBalancer",
            "allocateLoadBalancerNodePorts": False,
            "selector": _LABELS,
            "ports": ports,
        },
    }


def _give_address(kubectl: Kubectl) -> None:
    """In place of a cloud, which would say the address of its balancer; kube-proxy takes what is sent there."""
    status = json.dumps({"status": {"loadBalancer": {"ingress": [{"ip": ADDRESS, "ipMode": "VIP"}]}}})
    where = ("service", _SERVICE, "--namespace", NAMESPACE, "--subresource=status")
    kubectl.run("patch", *where, "--type=merge", f"--patch={status}")
