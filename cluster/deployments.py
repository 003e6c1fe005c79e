"""The cluster's own Deployments: what they may do, waiting for their pods, and what these said if that is in vain."""

from __future__ import annotations

import json
from collections.abc import Iterator

from cluster.errors import ClusterError
from cluster.kubectl import Kubectl, Object
from cluster.waiting import until

_LAST_LINES = 20


def account(identity: Object, role: str, rules: list[Object]) -> list[Object]:
    """A ServiceAccount, by its name and namespace, and a ClusterRole of the rules that it is bound to."""
    named, rbac = {"name": role}, "rbac.authorization.k8s.io"
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": identity},
        {"apiVersion": f"{rbac}/v1", "kind": "ClusterRole", "metadata": named, "rules": rules},
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": named,
            "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", **named},
            "subjects": [{"kind": "ServiceAccount", **identity}],
        },
    ]


def until_ready(kubectl: Kubectl, name: str, namespace: str, *, seconds: float) -> None:
    """Until a pod of the Deployment is ready. Raises ClusterError with the states and the last log lines of all pods
    of the namespace if none becomes so.
    """

    def is_ready() -> bool:
        deployment = kubectl.get("deployment", name, namespace) or {}
        return bool(deployment.get("status", {}).get("readyReplicas"))

    try:
        until(f"a pod of {name} is ready", is_ready, seconds=seconds)
    except ClusterError as error:
        raise ClusterError("\n  ".join([str(error), *_last_words(kubectl, namespace)])) from error


def _last_words(kubectl: Kubectl, namespace: str) -> Iterator[str]:
    try:
        pods = kubectl.list("pods", namespace)
    except ClusterError as error:
        yield str(error)
        return
    for pod in pods:
        name, status = pod["metadata"]["name"], pod["status"]
        states = [one["state"] for one in status.get("containerStatuses", [])]
        yield f"{name}: {status.get('phase')} {json.dumps(states)}"
        try:
            yield from kubectl.run("logs", f"--tail={_LAST_LINES}", "--namespace", namespace, name).splitlines()
        except ClusterError as error:  # a container that has not started has none
            yield str(error)
