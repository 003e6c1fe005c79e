"""A node without a machine: kwok says that pods run which nobody starts, and that Jobs are done.

So everything that the API server, the controllers and Argo CD do is real, and nothing that happens inside a container.
https://kwok.sigs.k8s.io/docs/user/stages-configuration/
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from cluster.control_plane import PODS
from cluster.errors import ClusterError
from cluster.kubectl import Kubectl
from cluster.state import HOST, State
from cluster.waiting import until

NODE = "fake"
_ANNOTATION = "kwok.x-k8s.io/node"
_VOLUMES = 24
_CAPACITY = {"cpu": "32", "ephemeral-storage": "500Gi", "memory": "64Gi", "pods": "200"}


def start_fake_node(state: State, kubectl: Kubectl, tools: Path, *, storage_class: str = "") -> None:
    """Start kwok, one node, and volumes for the claims. Raises ClusterError if the node does not become ready.

    The volumes are of the storage class, and only for pods of this node.
    """
    stages = state.folder / "kwok-stages.yaml"
    stages.write_text(_render(tools / "bin" / "kustomize", tools / "kwok-stages" / "kustomize" / "stage" / "fast"))
    kwok = state.process("kwok")
    kwok.start(
        [
            tools / "bin" / "kwok",
            f"--kubeconfig={state.kubeconfig}",
            f"--config={stages}",
            f"--manage-nodes-with-annotation-selector={_ANNOTATION}=fake",
            f"--cidr={PODS}",
            f"--node-ip={HOST}",
            f"--server-address={HOST}:{state.port('kwok')}",
            "--node-lease-duration-seconds=40",
        ]
    )
    kubectl.apply(*(_volume(number, storage_class) for number in range(_VOLUMES)))
    if kubectl.get("node", NODE) is None:
        kubectl.apply(_node())
    until("the node is ready", lambda: _is_ready(kubectl.get("node", NODE)), seconds=30, by=kwok)


def _node() -> dict[str, object]:
    labels = {"kubernetes.io/hostname": NODE, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": NODE, "annotations": {_ANNOTATION: "fake"}, "labels": labels},
        "status": {"allocatable": _CAPACITY, "capacity": _CAPACITY},
    }


def _volume(number: int, storage_class: str) -> dict[str, object]:
    """For one claim of any size asked for here: a folder that nobody ever opens."""
    here = {"key": "kubernetes.io/hostname", "operator": "In", "values": [NODE]}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": f"fake-{number:02}"},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "capacity": {"storage": "100Gi"},
            "hostPath": {"path": "/nonexistent"},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [here]}]}},
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": storage_class,
        },
    }


def _is_ready(node: dict[str, object] | None) -> bool:
    status = node["status"] if node else {}
    assert isinstance(status, dict)
    return any(one["type"] == "Ready" and one["status"] == "True" for one in status.get("conditions", []))


def _render(kustomize: Path, folder: Path) -> str:
    done = subprocess.run([kustomize, "build", folder], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ClusterError(f"kustomize build {folder}: {done.stderr.strip()}")
    return done.stdout
