"""Which node a pod is for: one environment has room on the real node, the others are kwok's. No overlay says so.

https://kubernetes.io/docs/reference/access-authn-authz/mutating-admission-policy/
"""

from __future__ import annotations

import json

from cluster.fake_node import NODE as FAKE
from cluster.kubectl import Kubectl, Object
from cluster.node import NAME as REAL
from cluster.waiting import until

ON_FAKE_NODE = ("ecommerce", "ecommerce-staging")
"""The namespaces for whose pods a small node has no room."""
_NAME = "placement"
_LABEL = "kubernetes.io/hostname"
_API = "admissionregistration.k8s.io/v1"


def place_pods(kubectl: Kubectl) -> None:
    """From now on every new pod gets its node. Raises ClusterError if the API server does not follow."""
    kubectl.apply(_policy(), _binding())
    until("new pods are given a node", lambda: _is_placed(kubectl), seconds=60)


def _policy() -> Object:
    namespaces = json.dumps(ON_FAKE_NODE)
    node = f'request.namespace in {namespaces} ? "{FAKE}" : "{REAL}"'
    expression = f'[JSONPatch{{op: "add", path: "/spec/nodeSelector", value: {{"{_LABEL}": {node}}}}}]'
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
    return {
        "apiVersion": _API,
        "kind": "MutatingAdmissionPolicy",
        "metadata": {"name": _NAME},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {"resourceRules": [rule]},
            "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": expression}}],
            "reinvocationPolicy": "Never",
        },
    }


def _binding() -> Object:
    return {
        "apiVersion": _API,
        "kind": "MutatingAdmissionPolicyBinding",
        "metadata": {"name": _NAME},
        "spec": {"policyName": _NAME},
    }


def _is_placed(kubectl: Kubectl) -> bool:
    """Asked of a pod that is not made."""
    containers = [{"name": "one", "image": "ecommerce.invalid/none"}]
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": _NAME}, "spec": {"containers": containers}}
    said = kubectl.run("create", "--dry-run=server", "--output=json", "--filename=-", given=json.dumps(pod))
    return bool(json.loads(said)["spec"].get("nodeSelector") == {_LABEL: REAL})
