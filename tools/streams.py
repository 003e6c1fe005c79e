"""Streams of manifests to measure with: `python3 tools/streams.py SERVICES [--varied] > stream.yaml`.

So many services, spread over ten namespaces: four objects each (ServiceAccount, workload, Service or ConfigMap,
NetworkPolicy), and two for each namespace, so SERVICES * 4 + 20 objects. A service is called by two of its namespace.
Without ``--varied`` all are Deployments and written as kustomize writes them. With it, kinds of workloads, containers
and the ways to write YAML take turns. The same arguments always give the same bytes.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
if not __package__:
    sys.path[0] = str(ROOT)  # run as a file: imports are looked up from the project's root, not from this folder

from tools.yaml_styles import PLAIN, STYLES, written  # noqa: E402

NAMESPACES = 10
Manifest = dict[str, Any]

NGINX = """worker_processes auto;
events { worker_connections 1024; }

http {
  server {
    listen 8080;  # plain: the mesh encrypts
    location / { proxy_pass "http://127.0.0.1:9000"; }
  }
}
"""
SCRIPT = """set -eu
for table in orders customers; do
  pg_dump --table "$table" > "/backup/$table.sql"
done"""


def stream(services: int, *, varied: bool = False) -> str:
    """The YAML text, documents parted by ``---``."""
    texts = (
        written(manifest, STYLES[number % len(STYLES)] if varied else PLAIN)
        for number, manifest in enumerate(manifests(services, varied=varied))
    )
    return "---\n".join(texts)


def manifests(services: int, *, varied: bool = False) -> Iterator[Manifest]:
    """The objects, in the order of the stream."""
    for number in range(NAMESPACES):
        yield _namespace(number)
        yield _default_deny(number)
    for number in range(services):
        shape = number % 5 if varied else 0
        yield _object("v1", "ServiceAccount", number, automountServiceAccountToken=False)
        yield _workload(number, shape)
        yield _config(number) if shape == 2 else _service(number, headless=shape == 1)
        yield _network_policy(number, services)


def _workload(number: int, shape: int) -> Manifest:
    pod = _pod(number, shape)
    template = {"metadata": {"labels": _labels(number)}, "spec": pod}
    selector = {"matchLabels": _selector(number)}
    if shape == 1:
        claim = {
            "metadata": {"name": "data"},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
        }
        spec = {"replicas": 3, "selector": selector, "serviceName": _name(number), "template": template}
        return _object("apps/v1", "StatefulSet", number, spec={**spec, "volumeClaimTemplates": [claim]})
    if shape == 2:
        job = {"activeDeadlineSeconds": 600, "backoffLimit": 1, "template": template}
        schedule = f"{number % 60} 3 * * *"
        spec = {"concurrencyPolicy": "Forbid", "jobTemplate": {"spec": job}, "schedule": schedule}
        return _object("batch/v1", "CronJob", number, spec=spec)
    strategy = {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 1}, "type": "RollingUpdate"}
    spec = {"replicas": 3, "revisionHistoryLimit": 3, "selector": selector, "strategy": strategy, "template": template}
    return _object("apps/v1", "Deployment", number, spec=spec)


def _pod(number: int, shape: int) -> Manifest:
    containers = [_container("server", f"shop/{_name(number)}:1.{number % 7}.{number % 30}", 8080)]
    pod: Manifest = {
        "automountServiceAccountToken": False,
        "containers": containers,
        "securityContext": {
            "fsGroup": 10001,
            "runAsGroup": 10001,
            "runAsNonRoot": True,
            "runAsUser": 10001,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "serviceAccountName": _name(number),
    }
    if shape == 1:
        containers[0]["volumeMounts"] = [{"mountPath": "/data", "name": "data"}]
    elif shape == 2:
        pod["restartPolicy"] = "Never"
        containers[0]["command"] = ["/bin/sh", "-c", SCRIPT]
        for name in ("livenessProbe", "ports", "readinessProbe", "startupProbe"):
            del containers[0][name]
        containers[0]["envFrom"] = [{"configMapRef": {"name": _name(number)}}]
    elif shape == 3:
        containers.append(_container("metrics", "shop/exporter:2.1.0", 9090))
        pod["volumes"] = [{"emptyDir": {"sizeLimit": "64Mi"}, "name": "scratch"}]
        for container in containers:
            container["volumeMounts"] = [{"mountPath": "/tmp", "name": "scratch"}]
    elif shape == 4:
        sidecar = _container("proxy", "mesh/proxy:3.2.1", 15001)
        pod["initContainers"] = [{**sidecar, "restartPolicy": "Always"}]
        containers[0]["args"] = ["--listen=:8080", "--log-format", "json", "--", "on", "0644", "1e3", "~", "a: b", "#1"]
    return pod


def _container(name: str, image: str, port: int) -> Manifest:
    return {
        "name": name,
        "image": f"registry.example.com/{image}",
        "imagePullPolicy": "IfNotPresent",
        "env": [{"name": "PORT", "value": str(port)}, {"name": "FEATURES", "value": "yes"}],
        "livenessProbe": {"httpGet": {"path": "/healthz", "port": name}, "periodSeconds": 10},
        "ports": [{"containerPort": port, "name": name, "protocol": "TCP"}],
        "readinessProbe": {"httpGet": {"path": "/readyz", "port": name}, "periodSeconds": 5},
        "resources": {
            "limits": {"cpu": "500m", "ephemeral-storage": "128Mi", "memory": "256Mi"},
            "requests": {"cpu": "100m", "ephemeral-storage": "64Mi", "memory": "128Mi"},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "privileged": False,
            "readOnlyRootFilesystem": True,
        },
        "startupProbe": {"failureThreshold": 30, "httpGet": {"path": "/healthz", "port": name}},
    }


def _service(number: int, *, headless: bool) -> Manifest:
    ports = [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": "server"}]
    spec = {"ports": ports, "selector": _selector(number), **({"clusterIP": "None"} if headless else {})}
    return _object("v1", "Service", number, spec=spec)


def _config(number: int) -> Manifest:
    data = {"PORT": "8080", "nginx.conf": NGINX, "settings.json": json.dumps({"service": _name(number), "on": True})}
    return _object("v1", "ConfigMap", number, data=data)


def _network_policy(number: int, services: int) -> Manifest:
    def peers(*distances: int) -> list[Manifest]:
        others = dict.fromkeys((number + distance * NAMESPACES) % services for distance in distances)
        return [{"podSelector": {"matchLabels": _selector(other)}} for other in others]

    to_dns = {
        "ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}],
        "to": [
            {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
                "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
            }
        ],
    }
    ports = [{"port": 8080, "protocol": "TCP"}]
    spec = {
        "egress": [to_dns, {"ports": ports, "to": peers(1, 2)}],
        "ingress": [{"from": peers(-1, -2), "ports": ports}],
        "podSelector": {"matchLabels": _selector(number)},
        "policyTypes": ["Ingress", "Egress"],
    }
    return _object("networking.k8s.io/v1", "NetworkPolicy", number, spec=spec)


def _namespace(number: int) -> Manifest:
    name = f"shop-{number}"
    labels = {"kubernetes.io/metadata.name": name, "pod-security.kubernetes.io/enforce": "restricted"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"labels": labels, "name": name}}


def _default_deny(number: int) -> Manifest:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "default-deny", "namespace": f"shop-{number}"},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]},
    }


def _object(api_version: str, kind: str, number: int, **fields: Any) -> Manifest:
    metadata = {"labels": _labels(number), "name": _name(number), "namespace": f"shop-{number % NAMESPACES}"}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **fields}


def _name(number: int) -> str:
    return f"svc-{number:05d}"


def _selector(number: int) -> dict[str, str]:
    return {"app.kubernetes.io/name": _name(number)}


def _labels(number: int) -> dict[str, str]:
    return {**_selector(number), "app.kubernetes.io/part-of": "shop", "owner": f"team-{number % 7}"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Write a stream to stdout."""
    parser = argparse.ArgumentParser(prog="tools/streams.py", description="Write a stream of manifests.")
    parser.add_argument("services", type=int, metavar="SERVICES", help="how many services, four objects each")
    parser.add_argument("--varied", action="store_true", help="workloads of several kinds, YAML in several styles")
    parsed = parser.parse_args(arguments)
    sys.stdout.write(stream(parsed.services, varied=parsed.varied))
    return 0


if __name__ == "__main__":
    sys.exit(main())
