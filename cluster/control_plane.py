"""etcd, the API server, the controllers and the scheduler, as processes on the loopback address.

What admits objects is what admits them anywhere: the API server's default admission plugins (ResourceQuota, LimitRange,
PodSecurity among them) and RBAC.
https://kubernetes.io/docs/reference/command-line-tools-reference/kube-apiserver/
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cluster.certificates import Authority
from cluster.kubectl import Kubectl
from cluster.state import HOST, State
from cluster.waiting import until

SERVICES = "10.96.0.0/16"
PODS = "10.250.0.0/16"
# A documentation address (RFC 5737): nothing asks for the API server by it, but it may not be a loopback one.
ADVERTISED = "192.0.2.10"
_READY_SECONDS = 90


@dataclass(frozen=True, slots=True)
class ControlPlane:
    """Starts what is not running; what runs already is left alone."""

    state: State
    programs: Path
    host: str = HOST
    """Where the API server listens."""
    pods: str = PODS
    flags: tuple[str, ...] = (f"--advertise-address={ADVERTISED}", "--endpoint-reconciler-type=none")
    """What the API server is told besides."""

    @property
    def url(self) -> str:
        return f"https://{self.host}:{self.state.port('api-server')}"

    def start(self, kubectl: Kubectl) -> None:
        """All of it, until the API server answers. Raises ClusterError with the last log lines if it does not."""
        self.prepare()
        self.start_etcd()
        self.start_api_server()
        server = self.state.process("kube-apiserver")
        until(
            "the API server is ready",
            lambda: kubectl.run("get", "--raw=/readyz", seconds=10),
            seconds=_READY_SECONDS,
            by=server,
        )
        self.start_controllers()
        until(
            "the controllers have made the default service account",
            lambda: kubectl.get("serviceaccount", "default", "default"),
            seconds=_READY_SECONDS,
            by=self.state.process("kube-controller-manager"),
        )

    def prepare(self) -> None:
        """Certificates and kubeconfigs."""
        authority = Authority(self.state.pki)
        authority.make_signing_key("service-accounts")
        service = [f"kubernetes.default{suffix}" for suffix in ("", ".svc", ".svc.cluster.local")]
        hosts = [*sorted({HOST, self.host}), "10.96.0.1", "localhost", "kubernetes", *service]
        authority.issue("api-server", user="kube-apiserver", hosts=hosts)
        authority.issue("metrics", user="metrics", hosts=["metrics.kube-system.svc", "localhost", HOST])
        authority.issue("front-proxy", user="front-proxy")
        authority.issue("admin", user="admin", groups=["system:masters"])
        for name in ("kube-controller-manager", "kube-scheduler"):
            authority.issue(name, user=f"system:{name}")
            authority.write_kubeconfig(self._kubeconfig(name), name, self.url)
        authority.write_kubeconfig(self.state.kubeconfig, "admin", self.url)
        authority.write_kubeconfig(self.state.pki / "argocd.kubeconfig", "admin", self.url, namespace="argocd")

    def start_etcd(self) -> None:
        client, peer = (f"http://{HOST}:{self.state.port(name)}" for name in ("etcd", "etcd-peer"))
        self.state.process("etcd").start(
            [
                self.programs / "etcd",
                f"--data-dir={self.state.folder / 'etcd'}",
                f"--listen-client-urls={client}",
                f"--advertise-client-urls={client}",
                f"--listen-peer-urls={peer}",
                f"--initial-advertise-peer-urls={peer}",
                f"--initial-cluster=default={peer}",
                "--unsafe-no-fsync",  # it lives for a day, and every write of the cluster waits for it
            ]
        )

    def start_api_server(self) -> None:
        pki = self.state.pki
        self.state.process("kube-apiserver").start(
            [
                self.programs / "kube-apiserver",
                f"--etcd-servers=http://{HOST}:{self.state.port('etcd')}",
                f"--bind-address={self.host}",
                f"--secure-port={self.state.port('api-server')}",
                *self.flags,
                f"--service-cluster-ip-range={SERVICES}",
                "--allow-privileged=true",  # so that pod security is what refuses it
                "--authorization-mode=Node,RBAC",
                "--enable-admission-plugins=NodeRestriction",
                f"--client-ca-file={pki / 'ca.crt'}",
                f"--tls-cert-file={pki / 'api-server.crt'}",
                f"--tls-private-key-file={pki / 'api-server.key'}",
                "--service-account-issuer=https://kubernetes.default.svc",
                f"--service-account-key-file={pki / 'service-accounts.pub'}",
                f"--service-account-signing-key-file={pki / 'service-accounts.key'}",
                *self._aggregation(),
            ]
        )

    def start_controllers(self) -> None:
        pki = self.state.pki
        self.state.process("kube-controller-manager").start(
            [
                self.programs / "kube-controller-manager",
                *self._client("kube-controller-manager"),
                f"--secure-port={self.state.port('controller-manager')}",
                "--use-service-account-credentials=true",
                f"--service-account-private-key-file={pki / 'service-accounts.key'}",
                f"--root-ca-file={pki / 'ca.crt'}",
                f"--cluster-cidr={self.pods}",
                "--allocate-node-cidrs=true",
                f"--service-cluster-ip-range={SERVICES}",
                # The defaults are made for pods that take minutes to start.
                "--horizontal-pod-autoscaler-sync-period=2s",
                "--horizontal-pod-autoscaler-cpu-initialization-period=5s",
                "--horizontal-pod-autoscaler-initial-readiness-delay=2s",
            ]
        )
        self.state.process("kube-scheduler").start(
            [
                self.programs / "kube-scheduler",
                *self._client("kube-scheduler"),
                f"--secure-port={self.state.port('scheduler')}",
            ]
        )

    def _aggregation(self) -> list[str]:
        # https://kubernetes.io/docs/tasks/extend-kubernetes/configure-aggregation-layer/
        pki = self.state.pki
        return [
            f"--requestheader-client-ca-file={pki / 'ca.crt'}",
            "--requestheader-allowed-names=front-proxy",
            "--requestheader-username-headers=X-Remote-User",
            "--requestheader-group-headers=X-Remote-Group",
            "--requestheader-extra-headers-prefix=X-Remote-Extra-",
            f"--proxy-client-cert-file={pki / 'front-proxy.crt'}",
            f"--proxy-client-key-file={pki / 'front-proxy.key'}",
        ]

    def _client(self, name: str) -> list[str]:
        file = self._kubeconfig(name)
        return [
            f"--kubeconfig={file}",
            f"--authentication-kubeconfig={file}",
            f"--authorization-kubeconfig={file}",
            f"--bind-address={HOST}",
            "--leader-elect=false",
        ]

    def _kubeconfig(self, name: str) -> Path:
        return self.state.pki / f"{name}.kubeconfig"
