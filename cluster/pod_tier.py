"""The tier with pods: a machine of its own, whose node runs one environment for real; the others stay on kwok's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cluster import tier
from cluster.control_plane import ControlPlane
from cluster.dns import IMAGE as DNS_IMAGE
from cluster.dns import start_dns
from cluster.fake_node import start_fake_node
from cluster.images import TOOLS as IMAGE_TOOLS
from cluster.images import pack_program, provide_images, push_image, push_images, use_images
from cluster.ingress import IMAGE as INGRESS_IMAGE
from cluster.ingress import start_ingress
from cluster.machine import ADDRESS, Machine
from cluster.metrics_server import start_metrics_server
from cluster.network import start_network
from cluster.node import PAUSE, PODS, Node
from cluster.placement import place_pods
from cluster.processes import descendants, resident
from cluster.registry import start_registry
from cluster.state import State
from cluster.storage import CLASS as STORAGE_CLASS
from cluster.storage import make_storage
from cluster.tier import Cluster, Step

NODE_TOOLS = ("containerd", "containerd-shim-runc-v2", "ctr", "kube-proxy", "kubelet", "host-local", "loopback")
NETWORK_TOOLS = ("calico", "calico-crds", "calico-felix")
TOOLS = (*tier.TOOLS, *NODE_TOOLS, *NETWORK_TOOLS, *IMAGE_TOOLS, "coredns", "metrics-server", "pause", "traefik")
"""What tools/build.py has to provide."""

_API_PORT = 6443


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
            f"--kubelet-certificate-authority={pki / 'ca.crt'}",
            f"--kubelet-client-certificate={pki / 'admin.crt'}",
            f"--kubelet-client-key={pki / 'admin.key'}",
            "--kubelet-preferred-address-types=InternalIP",
        )
        return ControlPlane(self.state, self.tools / "bin", host=ADDRESS, pods=PODS, flags=flags)

    def prepare(self) -> None:
        """The machine; what ran in one that has ended ends too. This process is in its network from now on."""
        provide_images(self.tools)  # the last that is asked for elsewhere
        if not self.machine.process.is_alive():
            self.end_processes()
        self.state.with_pods.touch()
        self.machine.start()
        self.state.choose_ports(**{"api-server": _API_PORT})

    def steps(self, *, empty: bool) -> Iterator[Step]:
        """What is started, in this order; ``empty``: nothing that deploys."""
        yield "etcd, API server, controllers", lambda: self.control_plane.start(self.kubectl)
        yield "which node a pod is for", lambda: place_pods(self.kubectl)
        yield "registry", lambda: start_registry(self.state, self.tools)
        yield "images", self._push_own_images
        yield "containerd, kubelet, kube-proxy", self.node.start
        yield "Calico", lambda: start_network(self.node)
        yield "CoreDNS", lambda: start_dns(self.kubectl)
        yield "Traefik", lambda: start_ingress(self.kubectl)
        yield "volumes", lambda: make_storage(self.node)
        yield "a node of kwok", self._start_fake_node
        yield "metrics-server", lambda: start_metrics_server(self.state, self.kubectl, self.tools)
        if not empty:
            yield "Git server", self.start_git
        yield "Argo CD", lambda: self.start_argocd(empty=empty)

    def start_git(self) -> None:
        """The server, with this checkout's last commit; in its overlays, the digests of the images that are here."""
        Cluster.start_git(self)
        if not self.state.ready.exists():
            images = push_images(self.state, self.tools, provide_images(self.tools))
            use_images(self.state, self.tools, images)

    def enter(self) -> None:
        """From now on this process is in the machine's network, where everything listens. Raises ClusterError."""
        self.machine.enter()

    def memory(self) -> int:
        """Resident bytes of every process of it, those of the pods too; what they share is counted for each."""
        started = {pid for process in self.state.processes() if (pid := process.pid())}
        first = self.machine.process.pid()
        return sum(resident(pid) for pid in started | (descendants(first) if first else set()))

    def end_processes(self) -> None:
        """The machine first: what runs inside ends with it."""
        self.machine.process.end()
        Cluster.end_processes(self)
        self.node.cgroups.remove()

    def _push_own_images(self) -> None:
        for image, program in ((PAUSE, "pause"), (DNS_IMAGE, "coredns"), (INGRESS_IMAGE, "traefik")):
            folder = self.state.folder / "images" / program
            if not folder.exists():
                pack_program(self.tools / "bin" / program, folder)
            push_image(self.state, self.tools, folder, image.partition("/")[2])

    def _start_fake_node(self) -> None:
        start_fake_node(self.state, self.kubectl, self.tools, storage_class=STORAGE_CLASS)


def cluster_of(state: State) -> Cluster:
    """The cluster of this folder, whichever tier it is; without one, the tier without pods."""
    return PodCluster(state) if state.with_pods.exists() else Cluster(state)
