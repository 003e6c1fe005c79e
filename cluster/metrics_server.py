"""What pods really use: metrics-server, which asks the kubelets; kwok answers for its node.

https://github.com/kubernetes-sigs/metrics-server#configuration
"""

from __future__ import annotations

from pathlib import Path

from cluster.kubectl import Kubectl
from cluster.metrics import register
from cluster.state import HOST, State

# It takes a pair only if the one is less than half of the other.
_RESOLUTION, _REQUEST_TIMEOUT = 11, 5


def start_metrics_server(state: State, kubectl: Kubectl, tools: Path) -> None:
    """Until the API server has its answers. Raises ClusterError with the last log lines if it does not get them."""
    pki, credentials = state.pki, state.kubeconfig
    server = state.process("metrics")
    server.start(
        [
            tools / "bin" / "metrics-server",
            f"--kubeconfig={credentials}",
            f"--authentication-kubeconfig={credentials}",
            f"--authorization-kubeconfig={credentials}",
            f"--bind-address={HOST}",
            f"--secure-port={state.port('metrics')}",
            f"--tls-cert-file={pki / 'metrics.crt'}",
            f"--tls-private-key-file={pki / 'metrics.key'}",
            f"--kubelet-certificate-authority={pki / 'ca.crt'}",
            "--kubelet-preferred-address-types=InternalIP",
            "--kubelet-use-node-status-port",
            f"--kubelet-request-timeout={_REQUEST_TIMEOUT}s",
            f"--metric-resolution={_RESOLUTION}s",
        ]
    )
    register(state, kubectl, server)
