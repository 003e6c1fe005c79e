"""A node without a machine: kwok says that pods run which nobody starts, and that Jobs are done.

So everything that the API server, the controllers and Argo CD do is real, and nothing that happens inside a container.
https://kwok.sigs.k8s.io/docs/user/stages-configuration/
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from cluster.control_plane import PODS
from cluster.errors import ClusterError
from cluster.kubectl import Kubectl, is_ready
from cluster.state import HOST, State
from cluster.volumes import volume
from cluster.waiting import until

NODE = "fake"
ANNOTATION = "kwok.x-k8s.io/node"
"""A node that bears it is kwok's: whatever image its pods name, nobody pulls it."""
_METRICS = "/metrics/nodes/{nodeName}/metrics/resource"
_VOLUMES = 24
_CAPACITY = {"cpu": "32", "ephemeral-storage": "500Gi", "memory": "64Gi", "pods": "200"}


def start_fake_node(state: State, kubectl: Kubectl, tools: Path, *, storage_class: str = "") -> None:
    """Start kwok, one node, and volumes for the claims. Raises ClusterError if the node does not become ready.

    The volumes are of the storage class, and only for pods of this node.
    """
    stages = state.folder / "kwok-stages.yaml"
    rendered = _render(tools / "bin" / "kustomize", tools / "kwok-stages" / "kustomize" / "stage" / "fast")
    stages.write_text("\n---\n".join([rendered, *map(json.dumps, _usage())]))
    kwok = state.process("kwok")
    kwok.start(
        [
            tools / "bin" / "kwok",
            f"--kubeconfig={state.kubeconfig}",
            f"--config={stages}",
            f"--manage-nodes-with-annotation-selector={ANNOTATION}=fake",
            f"--cidr={PODS}",
            f"--node-ip={HOST}",
            f"--server-address={HOST}:{state.port('kwok')}",
            f"--node-port={state.port('kwok')}",
            f"--tls-cert-file={state.pki / 'metrics.crt'}",
            f"--tls-private-key-file={state.pki / 'metrics.key'}",
            "--node-lease-duration-seconds=40",
        ]
    )
    # For one claim of any size asked for here: a folder that nobody ever opens.
    nowhere = {"hostPath": {"path": "/nonexistent"}}
    kubectl.apply(*(volume(f"fake-{one:02}", NODE, "100Gi", nowhere, storage_class) for one in range(_VOLUMES)))
    if kubectl.get("node", NODE) is None:
        kubectl.apply(_node())
    until("the node is ready", lambda: is_ready(kubectl.get("node", NODE)), seconds=90, by=kwok)


def _node() -> dict[str, object]:
    annotations = {ANNOTATION: "fake", "metrics.k8s.io/resource-metrics-path": _METRICS.format(nodeName=NODE)}
    labels = {"kubernetes.io/hostname": NODE, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": NODE, "annotations": annotations, "labels": labels},
        "status": {"allocatable": _CAPACITY, "capacity": _CAPACITY},
    }


def _usage() -> list[dict[str, object]]:
    """What metrics-server is told when it asks this node: every container uses next to nothing.

    https://kwok.sigs.k8s.io/docs/user/metrics-configuration/ https://kwok.sigs.k8s.io/docs/user/resource-usage-configuration/
    """
    pod = {"namespace": "pod.metadata.namespace", "pod": "pod.metadata.name"}
    container = {**pod, "container": "container.name"}
    cpu, memory = "cpu_usage_seconds_total", "memory_working_set_bytes"
    metrics = [
        _metric(f"container_{cpu}", "container", 'pod.CumulativeUsage("cpu", container.name)', container),
        _metric(f"container_{memory}", "container", 'pod.Usage("memory", container.name)', container),
        _metric("container_start_time_seconds", "container", "pod.SinceSecond()", container),
        _metric(f"pod_{cpu}", "pod", 'pod.CumulativeUsage("cpu")', pod),
        _metric(f"pod_{memory}", "pod", 'pod.Usage("memory")', pod),
        _metric(f"node_{cpu}", "node", 'node.CumulativeUsage("cpu")', {}),
        _metric(f"node_{memory}", "node", 'node.Usage("memory")', {}),
    ]
    version = "kwok.x-k8s.io/v1alpha1"
    used = {"usage": {"cpu": {"value": "1m"}, "memory": {"value": "32Mi"}}}
    return [
        {
            "apiVersion": version,
            "kind": "Metric",
            "metadata": {"name": "resource"},
            "spec": {"path": _METRICS, "metrics": metrics},
        },
        {
            "apiVersion": version,
            "kind": "ClusterResourceUsage",
            "metadata": {"name": "idle"},
            "spec": {"usages": [used]},
        },
    ]


def _metric(name: str, dimension: str, value: str, labels: dict[str, str]) -> dict[str, object]:
    kind = "counter" if name.endswith("_total") else "gauge"
    named = [{"name": key, "value": where} for key, where in labels.items()]
    return {"name": name, "dimension": dimension, "kind": kind, "help": name, "labels": named, "value": value}


def _render(kustomize: Path, folder: Path) -> str:
    done = subprocess.run([kustomize, "build", folder], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ClusterError(f"kustomize build {folder}: {done.stderr.strip()}")
    return done.stdout
