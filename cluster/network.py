"""The pods' network, and what enforces NetworkPolicies in it: Calico's CNI plugin, and its agent Felix as a process.

Addresses come from the node's own range (host-local). None of Calico's other parts is needed on a single node.
https://docs.tigera.io/calico/latest/reference/configure-cni-plugins
https://docs.tigera.io/calico/latest/reference/felix/configuration
"""

from __future__ import annotations

import json
import os
import urllib.request

from cluster.machine import ADDRESS, Machine
from cluster.node import NAME, Node
from cluster.processes import Process
from cluster.state import HOST
from cluster.waiting import until

FELIX = "calico-felix"
_HEALTH_PORT = 9099
_READY_SECONDS = 90


def start_network(node: Node) -> None:
    """Until Felix is ready and the node, having a network, is too. Raises ClusterError with the last log lines."""
    kubectl = node.kubectl
    definitions = node.tools / "calico-crds" / "manifests"
    # Client-side apply would copy each definition into an annotation, for which some are too long.
    kubectl.run("apply", "--server-side", "--field-manager=cluster", f"--filename={definitions}")
    until("Calico's datastore is set up", lambda: _set_up_datastore(node), seconds=_READY_SECONDS)
    kubectl.run("annotate", "node", NAME, "--overwrite", f"projectcalico.org/IPv4Address={ADDRESS}/32")
    (node.networks / "10-calico.conflist").write_text(json.dumps(_plugins(node), indent=1))
    felix = start_felix(node)
    until("Felix is ready", _is_ready, seconds=_READY_SECONDS, by=felix)
    until("the node is ready", node.is_ready, seconds=_READY_SECONDS, by=node.state.process("kubelet"))


def start_felix(node: Node) -> Process:
    """Its settings are environment variables."""
    settings = {
        "BPFENABLED": "false",
        "DATASTORETYPE": "kubernetes",
        "DEFAULTENDPOINTTOHOSTACTION": "ACCEPT",  # a pod reaches its node unless a policy of the pod forbids it
        "FELIXHOSTNAME": NAME,
        "HEALTHENABLED": "true",
        "HEALTHHOST": HOST,
        "HEALTHPORT": str(_HEALTH_PORT),
        "INTERFACEPREFIX": "cali",
        "IPINIPENABLED": "false",
        "IPV6SUPPORT": "false",
        "LOGFILEPATH": "none",
        "LOGSEVERITYSCREEN": "Info",
        "LOGSEVERITYSYS": "none",
        "USAGEREPORTINGENABLED": "false",
        "VXLANENABLED": "false",
    }
    environment = {f"FELIX_{name}": value for name, value in settings.items()}
    environment |= {"CALICO_NETWORKING_BACKEND": "none", "KUBECONFIG": str(node.state.kubeconfig)}
    felix = node.state.process(FELIX)
    felix.start([node.tools / "bin" / FELIX], env=os.environ | environment, machine=Machine(node.state).inside)
    return felix


def _set_up_datastore(node: Node) -> bool:
    """Asked again: the API server serves a new definition's objects only a moment later."""
    node.kubectl.apply(
        {
            "apiVersion": "crd.projectcalico.org/v1",
            "kind": "ClusterInformation",
            "metadata": {"name": "default"},
            "spec": {"clusterGUID": "0" * 32, "clusterType": "k8s", "datastoreReady": True},
        }
    )
    return True


def _plugins(node: Node) -> dict[str, object]:
    calico = {
        "type": "calico",
        "datastore_type": "kubernetes",
        "ipam": {"type": "host-local", "subnet": "usePodCidr", "dataDir": str(node.folder / "addresses")},
        "kubernetes": {"kubeconfig": str(node.state.kubeconfig)},
        "log_file_path": str(node.state.folder / "logs" / "calico-cni.log"),
        "log_level": "info",
        "mtu": 1450,
        "nodename": NAME,
        "nodename_file_optional": True,
        "policy": {"type": "k8s"},
    }
    return {"name": "pods", "cniVersion": "0.3.1", "plugins": [calico]}


def _is_ready() -> bool:
    try:
        with urllib.request.urlopen(f"http://{HOST}:{_HEALTH_PORT}/readiness", timeout=5) as answer:
            return bool(200 <= answer.status < 300)
    except OSError:
        return False
