"""A stand-in for metrics-server: says of every pod what it was told to say, since pods of a fake node use nothing.

``python -m cluster.metrics FOLDER`` serves the resource metrics API to the API server's aggregation layer. What a
workload uses stands in ``usage.json`` of the cluster's folder, CPU by ``<namespace>/<app.kubernetes.io/name>``; without
an entry it is 1m. https://kubernetes.io/docs/tasks/debug/debug-cluster/resource-metrics-pipeline/
"""

from __future__ import annotations

import base64
import datetime
import json
import ssl
import sys
import urllib.parse
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cluster.errors import ClusterError
from cluster.kubectl import Kubectl, Object
from cluster.processes import Process
from cluster.repository import ROOT
from cluster.state import HOST, State
from cluster.waiting import until

GROUP = "metrics.k8s.io"
VERSION = f"{GROUP}/v1beta1"
IDLE = "1m"
_MEMORY = "32Mi"
_RESOURCES = {
    "kind": "APIResourceList",
    "apiVersion": "v1",
    "groupVersion": VERSION,
    "resources": [
        {"name": "pods", "singularName": "", "namespaced": True, "kind": "PodMetrics", "verbs": ["get", "list"]}
    ],
}


def start_metrics(state: State, kubectl: Kubectl) -> None:
    """Serve it, and register it with the API server. Raises ClusterError if it does not become available."""
    server = state.process("metrics")
    server.start([sys.executable, "-m", "cluster.metrics", str(state.folder)], cwd=ROOT)
    register(state, kubectl, server)


def register(state: State, kubectl: Kubectl, server: Process) -> None:
    """Have the API server ask what listens on the port ``metrics``. Raises ClusterError if that does not answer."""
    kubectl.apply(*_registration(state))
    until(
        "the metrics API is available", lambda: kubectl.run("get", "--raw", f"/apis/{VERSION}"), seconds=60, by=server
    )


def set_usage(state: State, namespace: str, name: str, cpu: str) -> None:
    """From now on every pod of this workload uses so much (``150m``)."""
    file = state.folder / "usage.json"
    part = file.with_suffix(".part")
    part.write_text(json.dumps(_usage(state) | {f"{namespace}/{name}": cpu}))
    part.replace(file)


def pod_metrics(pod: Object, usage: dict[str, str], now: str) -> Object:
    """What the metrics API says of one pod: each container uses its part of what the workload was told to use."""
    metadata = pod["metadata"]
    workload = f"{metadata['namespace']}/{metadata.get('labels', {}).get('app.kubernetes.io/name', '')}"
    used = {"cpu": usage.get(workload, IDLE), "memory": _MEMORY}
    return {
        "metadata": {
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "labels": metadata.get("labels", {}),
        },
        "timestamp": now,
        "window": "10s",
        "containers": [{"name": one["name"], "usage": used} for one in pod["spec"]["containers"]],
    }


class Handler(BaseHTTPRequestHandler):
    """Discovery, and the pods of one namespace by label selector: what the autoscaler's controller asks for."""

    def __init__(self, state: State, kubectl: Kubectl, *connection: Any) -> None:
        self._state = state
        self._kubectl = kubectl
        super().__init__(*connection)

    def do_GET(self) -> None:
        url = urllib.parse.urlsplit(self.path)
        match url.path.strip("/").split("/"):
            case ["apis", "metrics.k8s.io", "v1beta1"]:
                self._answer(200, _RESOURCES)
            case ["apis", "metrics.k8s.io", "v1beta1", "namespaces", namespace, "pods"]:
                self._answer_pods(namespace, urllib.parse.parse_qs(url.query).get("labelSelector", [""])[0])
            case _:
                self._answer(404, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 404})

    def log_message(self, *_: object) -> None:
        """Nothing: the API server asks every few seconds."""

    def _answer_pods(self, namespace: str, selector: str) -> None:
        try:
            pods = self._kubectl.list("pods", namespace, selector)
        except ClusterError as error:
            self._answer(
                503, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": str(error), "code": 503}
            )
            return
        now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        usage = _usage(self._state)
        items = [pod_metrics(pod, usage, now) for pod in pods if pod["status"].get("phase") == "Running"]
        self._answer(200, {"kind": "PodMetricsList", "apiVersion": VERSION, "metadata": {}, "items": items})

    def _answer(self, status: int, body: Object) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def main(folder: str) -> None:
    """Serve until ended."""
    state = State(Path(folder))
    kubectl = Kubectl(ROOT / ".tools" / "bin" / "kubectl", state.kubeconfig)
    server = ThreadingHTTPServer((HOST, state.port("metrics")), partial(Handler, state, kubectl))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(state.pki / "metrics.crt", state.pki / "metrics.key")
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.serve_forever()


def _registration(state: State) -> list[Object]:
    name = {"name": "metrics", "namespace": "kube-system"}
    authority = base64.b64encode((state.pki / "ca.crt").read_bytes()).decode()
    service = {"type": "ExternalName", "externalName": "localhost"}
    registered = {
        "group": GROUP,
        "version": "v1beta1",
        "groupPriorityMinimum": 100,
        "versionPriority": 100,
        "caBundle": authority,
        "service": {**name, "port": state.port("metrics")},
    }
    return [
        {"apiVersion": "v1", "kind": "Service", "metadata": name, "spec": service},
        {
            "apiVersion": "apiregistration.k8s.io/v1",
            "kind": "APIService",
            "metadata": {"name": f"v1beta1.{GROUP}"},
            "spec": registered,
        },
    ]


def _usage(state: State) -> dict[str, str]:
    try:
        usage: dict[str, str] = json.loads((state.folder / "usage.json").read_bytes())
    except FileNotFoundError:
        return {}
    return usage


if __name__ == "__main__":
    main(*sys.argv[1:])
