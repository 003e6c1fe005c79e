"""A node with real pods: containerd with runc, the kubelet and kube-proxy, all inside the cluster's own machine.

https://github.com/containerd/containerd/blob/main/docs/cri/config.md
https://kubernetes.io/docs/reference/config-api/kubelet-config.v1beta1/
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from cluster.certificates import Authority
from cluster.cgroups import Cgroups
from cluster.commands import run
from cluster.errors import ClusterError
from cluster.kubectl import Kubectl, is_ready
from cluster.machine import ADDRESS, Machine
from cluster.processes import Process
from cluster.state import HOST, State
from cluster.waiting import answers, until

NAME = "node"
PODS = "10.244.0.0/16"
PAUSE = "ecommerce.invalid/pause:1"
"""The image that holds a pod's namespaces; like every image here it comes from the registry of this cluster."""
DNS = "10.96.0.10"
CONTAINERD, KUBELET, KUBE_PROXY = "containerd", "kubelet", "kube-proxy"
_LONGEST_SOCKET = 100  # unix(7): 107, and another name of it is longer
_HEALTH_PORT = 10248
_READY_SECONDS = 90


@dataclass(frozen=True, slots=True)
class Node:
    """Starts what is not running; what runs already is left alone."""

    state: State
    kubectl: Kubectl
    tools: Path

    @property
    def folder(self) -> Path:
        return self.state.folder / "node"

    @property
    def socket(self) -> Path:
        return self.folder / "containerd.sock"

    @property
    def networks(self) -> Path:
        """Where containerd looks for the pods' network; with none, the node is not ready."""
        return self.folder / "networks"

    @property
    def cgroups(self) -> Cgroups:
        return Cgroups(self.state.folder)

    def start(self) -> None:
        """All of it, until the node is known to the API server. Raises ClusterError with the last log lines if not."""
        if len(str(self.socket)) > _LONGEST_SOCKET:
            raise ClusterError(f"{self.state.folder} is too long a path for a socket in it: name another")
        self.prepare()
        self.start_containerd()
        kubelet = self.start_kubelet()
        self._start_kube_proxy()
        until("the node is registered", lambda: self.kubectl.get("node", NAME), seconds=_READY_SECONDS, by=kubelet)

    def prepare(self) -> None:
        """Folders, certificates and kubeconfigs."""
        self.networks.mkdir(parents=True, exist_ok=True)
        (self.folder / "resolv.conf").write_text(f"nameserver {HOST}\n")
        authority = Authority(self.state.pki)
        authority.issue(KUBELET, user=f"system:node:{NAME}", groups=["system:nodes"], hosts=[ADDRESS, NAME])
        authority.issue(KUBE_PROXY, user="system:kube-proxy")
        for name in (KUBELET, KUBE_PROXY):
            authority.write_kubeconfig(
                self._kubeconfig(name), name, f"https://{ADDRESS}:{self.state.port('api-server')}"
            )
        self.cgroups.make()

    def start_containerd(self) -> Process:
        """Until it answers."""
        mirrors = self.folder / "mirrors"
        (mirrors / "_default").mkdir(parents=True, exist_ok=True)
        (mirrors / "_default" / "hosts.toml").write_text(
            f'[host."http://{HOST}:{self.state.port("registry")}"]\n  capabilities = ["pull", "resolve"]\n'
        )
        settings = self.folder / "containerd.toml"
        settings.write_text(_containerd_settings(self, mirrors))
        process = self.state.process(CONTAINERD)
        process.start([self.tools / "bin" / "containerd", f"--config={settings}"], machine=Machine(self.state).inside)
        until("containerd answers", lambda: self.ctr("version"), seconds=_READY_SECONDS, by=process)
        return process

    def start_kubelet(self) -> Process:
        """Until it is healthy. Raises ClusterError if it does not become so."""
        settings = self.folder / "kubelet.json"
        settings.write_text(json.dumps(self._kubelet_settings(), indent=1))
        process = self.state.process(KUBELET)
        command: list[str | Path] = [
            self.tools / "bin" / "kubelet",
            f"--config={settings}",
            f"--kubeconfig={self._kubeconfig(KUBELET)}",
            f"--root-dir={self.folder / 'kubelet'}",
            f"--hostname-override={NAME}",
            f"--node-ip={ADDRESS}",
        ]
        inside = Machine(self.state).inside

        def is_healthy() -> bool:
            # After a crash containerd answers before it knows its pods again, and a kubelet that asks meanwhile ends:
            # it is started again, as an init system would.
            process.start(command, machine=inside)
            return answers(f"http://{HOST}:{_HEALTH_PORT}/healthz")

        until("the kubelet is healthy", is_healthy, seconds=_READY_SECONDS)
        return process

    def crash(self) -> None:
        """As if its power was cut: the kubelet, containerd and every container end at once. Raises ClusterError."""
        for name in (KUBELET, CONTAINERD):
            self.state.process(name).kill()
        self.cgroups.kill()

    def is_ready(self) -> bool:
        """As the kubelet last said to the API server."""
        return is_ready(self.kubectl.get("node", NAME))

    def ctr(self, *arguments: str) -> str:
        """Ask containerd about the kubelet's containers. Raises ClusterError with what it says."""
        return run(self.tools / "bin" / "ctr", f"--address={self.socket}", "--namespace=k8s.io", *arguments)

    def _start_kube_proxy(self) -> None:
        self.state.process(KUBE_PROXY).start(
            [
                self.tools / "bin" / "kube-proxy",
                f"--kubeconfig={self._kubeconfig(KUBE_PROXY)}",
                "--proxy-mode=nftables",
                f"--cluster-cidr={PODS}",
                f"--hostname-override={NAME}",
                f"--bind-address={ADDRESS}",
                f"--metrics-bind-address={HOST}:10249",
                f"--healthz-bind-address={HOST}:10256",
                # The kernel's table of connections has one size for the whole machine: it is left as it is.
                "--conntrack-max-per-core=0",
                "--conntrack-tcp-timeout-close-wait=0s",
                "--conntrack-tcp-timeout-established=0s",
            ],
            machine=Machine(self.state).inside,
        )

    def _kubelet_settings(self) -> dict[str, object]:
        pki = self.state.pki
        return {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "address": ADDRESS,
            "authentication": {
                "anonymous": {"enabled": False},
                "webhook": {"enabled": True},
                "x509": {"clientCAFile": str(pki / "ca.crt")},
            },
            "authorization": {"mode": "Webhook"},
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": f"/{self.cgroups.name}",
            "clusterDNS": [DNS],
            "clusterDomain": "cluster.local",
            "containerRuntimeEndpoint": f"unix://{self.socket}",
            # The disk is this machine's: what fills it is no pod's fault.
            "evictionHard": {"imagefs.available": "1%", "memory.available": "100Mi", "nodefs.available": "1%"},
            "failCgroupV1": False,
            "failSwapOn": False,
            "healthzBindAddress": HOST,
            "healthzPort": _HEALTH_PORT,
            "imageGCHighThresholdPercent": 100,
            "podLogsDir": str(self.folder / "logs"),
            "resolvConf": str(self.folder / "resolv.conf"),
            "tlsCertFile": str(pki / f"{KUBELET}.crt"),
            "tlsPrivateKeyFile": str(pki / f"{KUBELET}.key"),
        }

    def _kubeconfig(self, name: str) -> Path:
        return self.state.pki / f"{name}.kubeconfig"


def _containerd_settings(node: Node, mirrors: Path) -> str:
    """https://github.com/containerd/containerd/blob/main/docs/cri/config.md, with JSON's strings as TOML's."""
    runc = shutil.which("runc")
    if runc is None:
        raise ClusterError("runc is not on the PATH")
    cri = "io.containerd.cri.v1"
    return f"""\
version = 3
root = {json.dumps(str(node.folder / "containerd"))}
state = {json.dumps(str(node.folder / "containerd-state"))}
[grpc]
address = {json.dumps(str(node.socket))}
[plugins."{cri}.images"]
snapshotter = "overlayfs"
[plugins."{cri}.images".pinned_images]
sandbox = {json.dumps(PAUSE)}
[plugins."{cri}.images".registry]
config_path = {json.dumps(str(mirrors))}
[plugins."{cri}.runtime"]
# Where root may not make a process harder to kill (CAP_SYS_RESOURCE), it is made as hard as allowed.
restrict_oom_score_adj = true
[plugins."{cri}.runtime".cni]
bin_dirs = [{json.dumps(str(node.tools / "cni"))}]
conf_dir = {json.dumps(str(node.networks))}
[plugins."{cri}.runtime".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
runtime_path = {json.dumps(str(node.tools / "bin" / "containerd-shim-runc-v2"))}
[plugins."{cri}.runtime".containerd.runtimes.runc.options]
BinaryName = {json.dumps(runc)}
SystemdCgroup = false
"""
