"""Volumes for the claims of pods: folders of the node, made beforehand; a claim gets one when its pod has a node.

https://kubernetes.io/docs/concepts/storage/volumes/#local
"""

from __future__ import annotations

from cluster.kubectl import Kubectl
from cluster.node import NAME, Node
from cluster.volumes import volume

CLASS = "local"
_VOLUMES = 12
"""Enough for one environment three times: a volume whose claim was deleted is nobody's again."""


def make_storage(node: Node) -> None:
    """The default class, and the volumes of the real node. Raises ClusterError."""
    _apply_class(node.kubectl)
    folders = [node.folder / "volumes" / f"{number:02}" for number in range(_VOLUMES)]
    for one in folders:
        one.mkdir(parents=True, exist_ok=True)
    node.kubectl.apply(
        *(volume(f"{NAME}-{one.name}", NAME, "10Gi", {"local": {"path": str(one)}}, CLASS) for one in folders)
    )


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
