"""The tier with pods: a machine of its own, whose node runs one environment for real; the others stay on kwok's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cluster import tier
from cluster.control_plane import ControlPlane
from cluster.fake_node import NODE as FAKE
from cluster.fake_node import start_fake_node
from cluster.machine import ADDRESS, Machine
from cluster.metrics import start_metrics
from cluster.node import NAME as REAL
from cluster.node import PODS, Node
from cluster.registry import start_registry
from cluster.state import State
from cluster.tier import Cluster, Step

CNI_PLUGINS = ("host-local", "loopback", "portmap")
PROGRAMS = ("containerd", "containerd-shim-runc-v2", "crane", "ctr", "kube-proxy", "kubelet", "registry")
TOOLS = (*tier.TOOLS, *PROGRAMS, *CNI_PLUGINS)
"""What tools/build.py has to provide."""

ON_FAKE_NODE = ("ecommerce", "ecommerce-staging")
"""The namespaces for whose pods a small node has no room."""
_API_PORT = 6443
STORAGE_CLASS = "local"


@dataclass(frozen=True, slots=True)
class PodCluster(Cluster):
    """A cluster by its folder, with the same commands as the one without pods. Needs root."""

    @property
    def machine(self) -> Machine:
        return Machine(self.state)

    @property
    def node(self) -> Node:
        return Node(self.state, self.kubectl, self.tools)

    @property
    def control_plane(self) -> ControlPlane:
        pki = self.state.pki
        flags = (
            f"--advertise-address={ADDRESS}",
            f"--admission-control-config-file={self._placement}",
            "--enable-admission-plugins=PodNodeSelector",
            f"--kubelet-certificate-authority={pki / 'ca.crt'}",
            f"--kubelet-client-certificate={pki / 'admin.crt'}",
            f"--kubelet-client-key={pki / 'admin.key'}",
            "--kubelet-preferred-address-types=InternalIP",
        )
        return ControlPlane(self.state, self.tools / "bin", host=ADDRESS, pods=PODS, flags=flags)

    def prepare(self) -> None:
        """The machine; what ran in one that has ended ends too. This process is in its network from now on."""
        if not self.machine.process.is_alive():
            self.end_processes()
        self.state.with_pods.touch()
        self.machine.start()
        self.state.choose_ports(**{"api-server": _API_PORT})
        self._placement.write_text(json.dumps(_placement(), indent=1))

    def steps(self) -> Iterator[Step]:
        """What is started, in this order."""
        yield "etcd, API server, controllers", lambda: self.control_plane.start(self.kubectl)
        yield "registry", lambda: start_registry(self.state, self.tools)
        yield "containerd, kubelet, kube-proxy", self.node.start
        yield "a node of kwok", self._start_fake_node
        yield "metrics", lambda: start_metrics(self.state, self.kubectl)
        yield "Git server", self.start_git
        yield "Argo CD", self.start_argocd

    def enter(self) -> None:
        """From now on this process is in the machine's network, where everything listens. Raises ClusterError."""
        self.machine.enter()

    def end_processes(self) -> None:
        """The machine first: what runs inside ends with it."""
        self.machine.process.end()
        Cluster.end_processes(self)
        self.node.cgroups.remove()

    def _start_fake_node(self) -> None:
        start_fake_node(self.state, self.kubectl, self.tools, storage_class=STORAGE_CLASS)

    @property
    def _placement(self) -> Path:
        return self.state.folder / "admission.json"


def cluster_of(state: State) -> Cluster:
    """The cluster of this folder, whichever tier it is; without one, the tier without pods."""
    return PodCluster(state) if state.with_pods.exists() else Cluster(state)


def _placement() -> dict[str, object]:
    """https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#podnodeselector"""

    def on(node: str) -> str:
        return f"kubernetes.io/hostname={node}"

    selectors = {"clusterDefaultNodeSelector": on(REAL), **dict.fromkeys(ON_FAKE_NODE, on(FAKE))}
    plugin = {"name": "PodNodeSelector", "configuration": {"podNodeSelectorPluginConfig": selectors}}
    return {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "AdmissionConfiguration",
        "plugins": [plugin],
    }
