"""Volumes for the claims of pods: folders of the node, made beforehand; a claim gets one when its pod has a node.

https://kubernetes.io/docs/concepts/storage/volumes/#local
"""

from __future__ import annotations

from cluster.kubectl import Kubectl, Object
from cluster.node import NAME, Node

CLASS = "local"
_VOLUMES = 12
"""Enough for one environment three times: a volume whose claim was deleted is nobody's again."""


def make_storage(node: Node) -> None:
    """The default class, and the volumes of the real node. Raises ClusterError."""
    _apply_class(node.kubectl)
    for number in range(_VOLUMES):
        (node.folder / "volumes" / f"{number:02}").mkdir(parents=True, exist_ok=True)
    node.kubectl.apply(*(_volume(node, number) for number in range(_VOLUMES)))


def _apply_class(kubectl: Kubectl) -> None:
    annotations = {"storageclass.kubernetes.io/is-default-class": "true"}
    kubectl.apply(
        {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": {"name": CLASS, "annotations": annotations},
            "provisioner": "kubernetes.io/no-provisioner",
            "reclaimPolicy": "Retain",
            "volumeBindingMode": "WaitForFirstConsumer",
        }
    )


def _volume(node: Node, number: int) -> Object:
    here = {"key": "kubernetes.io/hostname", "operator": "In", "values": [NAME]}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": f"{NAME}-{number:02}"},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "capacity": {"storage": "10Gi"},
            "local": {"path": str(node.folder / "volumes" / f"{number:02}")},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [here]}]}},
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": CLASS,
        },
    }
