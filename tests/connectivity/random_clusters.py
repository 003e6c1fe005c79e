"""Random clusters: few names, so that selectors, ports and blocks meet; every field of a policy, in every form."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

NAMESPACES = ("x", "y", "z")
KEYS = ("app", "tier", "pod-template-hash", "job-name")
VALUES = ("a", "b", "")
PORT_NAMES = ("web", "dns")
NUMBERS = (53, 80, 81, 8080)
PROTOCOLS = ("TCP", "UDP", "SCTP")
BLOCKS = {
    "0.0.0.0/0": ("10.0.0.0/8", "10.244.0.0/17", "10.244.128.0/17", "192.0.2.0/24", "198.51.100.7/32", "0.0.0.0/1"),
    "10.0.0.0/8": ("10.244.0.0/16", "10.244.3.0/24", "10.0.0.0/9"),
    "10.244.3.7/16": ("10.244.3.0/24", "10.244.0.0/17"),
    "192.0.2.0/24": ("192.0.2.0/25", "192.0.2.128/25"),
    "198.51.100.7/32": (),
    "::/0": ("2001:db8::/32", "fd00::/8", "2001:db8::7/128"),
    "2001:db8::/32": ("2001:db8:1::/48", "2001:db8:0:1::/64"),
    "fd00:244::/64": ("fd00:244::/65",),
}
"""A block, and what may be excepted of it."""

ADDRESSES = (
    "0.0.0.0",
    "10.0.0.1",
    "10.244.3.9",
    "10.244.200.1",
    "192.0.2.10",
    "192.0.2.200",
    "198.51.100.6",
    "198.51.100.7",
    "255.255.255.255",
    "::",
    "2001:db8::7",
    "2001:db8:1::1",
    "fd00:244::1",
    "ffff::1",
)
POD_NETWORKS = (), ("10.244.0.0/16",), ("10.244.0.0/16", "fd00:244::/64")
NODE_NETWORKS = (), ("192.0.2.0/24",), ("192.0.2.0/24", "2001:db8::/64")


@dataclass(frozen=True)
class Manifests:
    """The manifests of a cluster, and its addresses."""

    documents: tuple[dict[str, Any], ...]
    pod_networks: tuple[str, ...]
    node_networks: tuple[str, ...]


class Maker:
    """Makes clusters out of chance: the same seed makes the same cluster."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)

    def cluster(self) -> Manifests:
        """Two to five workloads and one to six policies in up to three namespaces, not all of which are listed."""
        one_of = self._chance.choice
        documents = [_namespace(name, self._namespace_labels()) for name in NAMESPACES if self._often()]
        homes = NAMESPACES[: one_of((1, 2, 2, 3))]
        documents += [
            workload(one_of(KINDS), one_of(homes), f"pod-{number}", self._labels(), self._pod())
            for number in range(self._chance.randint(2, 5))
        ]
        documents += [_policy(number, one_of(homes), self._spec()) for number in range(self._chance.randint(1, 6))]
        return Manifests(tuple(documents), one_of(POD_NETWORKS), one_of(NODE_NETWORKS))

    def _often(self) -> bool:
        return self._chance.random() < 0.75

    def _fields(self, **fields: Any) -> dict[str, Any]:
        """Each field mostly there, sometimes null, sometimes absent: those two must mean the same."""
        made: dict[str, Any] = {}
        for name, value in fields.items():
            fate = self._chance.random()
            if fate > 0.1:
                made[name] = None if fate < 0.15 else value
        return made

    def _some(self, most: int) -> range:
        """How many of a list: seldom none."""
        return range(self._chance.randint(1, most) if self._chance.random() > 0.1 else 0)

    def _labels(self) -> dict[str, str]:
        keys = self._chance.sample(KEYS, self._chance.choice((0, 1, 1, 2, 2, 3)))
        return {key: self._chance.choice(VALUES) for key in keys}

    def _namespace_labels(self) -> dict[str, str]:
        """Its name among them at times, and at times another one's."""
        named = {NAME: self._chance.choice(NAMESPACES)} if self._chance.random() < 0.2 else {}
        return {**self._labels(), **named}

    def _pod(self) -> dict[str, Any]:
        spec: dict[str, Any] = {"containers": [self._container("main")]}
        if self._chance.random() < 0.1:
            spec["hostNetwork"] = True
        sidecar = {**self._container("sidecar"), "restartPolicy": "Always"}
        spec["initContainers"] = [sidecar, self._container("before")]
        return spec

    def _container(self, name: str) -> dict[str, Any]:
        ports = []
        for port_name in (*PORT_NAMES, None):
            if self._chance.random() < 0.4:
                port: dict[str, Any] = {"containerPort": self._chance.choice(NUMBERS)}
                port.update({} if port_name is None else {"name": port_name})
                ports.append(port | ({"protocol": self._chance.choice(PROTOCOLS)} if self._often() else {}))
        return {"name": name, "image": "app", "ports": ports}

    def _selector(self) -> dict[str, Any]:
        if self._chance.random() < 0.15:
            return {}
        labels = {self._chance.choice(KEYS): self._chance.choice(VALUES) for _ in self._some(2)}
        expressions = [self._expression() for _ in self._some(2)]
        shape = self._chance.random()
        if shape < 0.4:
            return {"matchLabels": labels}
        return (
            {"matchExpressions": expressions}
            if shape < 0.8
            else self._fields(matchLabels=labels, matchExpressions=expressions)
        )

    def _expression(self) -> dict[str, Any]:
        key = self._chance.choice(KEYS)
        if self._chance.random() < 0.4:
            return {"key": key, "operator": self._chance.choice(("Exists", "DoesNotExist"))}
        values = self._chance.sample(VALUES, self._chance.choice((1, 1, 2)))
        return {"key": key, "operator": self._chance.choice(("In", "NotIn")), "values": values}

    def _namespace_selector(self) -> dict[str, Any]:
        shape = self._chance.random()
        if shape < 0.25:
            return {"matchLabels": {NAME: self._chance.choice(NAMESPACES)}}
        if shape < 0.5:
            values = self._chance.sample(NAMESPACES, self._chance.choice((1, 2)))
            operator = self._chance.choice(("In", "NotIn"))
            return {"matchExpressions": [{"key": NAME, "operator": operator, "values": values}]}
        return self._selector()

    def _peer(self) -> dict[str, Any]:
        shape = self._chance.random()
        if shape < 0.3:
            return {"podSelector": self._selector()}
        if shape < 0.5:
            return {"namespaceSelector": self._namespace_selector()}
        if shape < 0.75:
            return {"podSelector": self._selector(), "namespaceSelector": self._namespace_selector()}
        cidr = self._chance.choice(tuple(BLOCKS))
        parts = BLOCKS[cidr]
        excepted = self._chance.sample(parts, self._chance.randint(0, min(3, len(parts))))
        return {"ipBlock": {"cidr": cidr, "except": excepted} if excepted or self._often() else {"cidr": cidr}}

    def _port(self) -> dict[str, Any]:
        protocol, shape = self._chance.choice(PROTOCOLS), self._chance.random()
        if shape < 0.1:
            return self._fields(protocol=protocol)
        if shape < 0.45:
            return self._fields(protocol=protocol, port=self._chance.choice(NUMBERS))
        if shape < 0.75:
            return self._fields(protocol=protocol, port=self._chance.choice(PORT_NAMES))
        first, last = sorted((self._chance.choice(ENDS), self._chance.choice(ENDS)))
        return {**self._fields(protocol=protocol), "port": first, "endPort": last}

    def _rules(self, key: str) -> list[dict[str, Any]]:
        return [
            self._fields(**{key: [self._peer() for _ in self._some(2)], "ports": [self._port() for _ in self._some(2)]})
            for _ in self._some(2)
        ]

    def _spec(self) -> dict[str, Any]:
        types = self._chance.choice((["Ingress"], ["Egress"], ["Ingress", "Egress"], ["Egress", "Ingress"], []))
        return self._fields(
            podSelector=self._selector(), policyTypes=types, ingress=self._rules("from"), egress=self._rules("to")
        )


KINDS = ("Pod", "Pod", "Pod", "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob")
GROUPS = {"Pod": "v1", "Job": "batch/v1", "CronJob": "batch/v1"}
ENDS = (1, 53, 54, 80, 81, 1024, 8080, 65535)
NAME = "kubernetes.io/metadata.name"


def workload(kind: str, namespace: str, name: str, labels: dict[str, str], spec: dict[str, Any]) -> dict[str, Any]:
    """An object that makes one kind of pods."""
    metadata: dict[str, Any] = {"name": name, "namespace": namespace}
    template = {"metadata": {"labels": labels}, "spec": spec}
    body: dict[str, Any] = {"template": template}
    if kind == "Pod":
        metadata, body = {**metadata, "labels": labels}, spec
    elif kind == "CronJob":
        body = {"schedule": "0 3 * * *", "jobTemplate": {"spec": body}}
    return {"apiVersion": GROUPS.get(kind, "apps/v1"), "kind": kind, "metadata": metadata, "spec": body}


def _namespace(name: str, labels: dict[str, str]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def _policy(number: int, namespace: str, spec: dict[str, Any]) -> dict[str, Any]:
    metadata = {"name": f"policy-{number}", "namespace": namespace}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec}


def smaller(made: Manifests) -> Iterator[Manifests]:
    """The same without one document, or without one part of a policy: what is tried to make a failure readable."""
    for number, document in enumerate(made.documents):
        before, after = made.documents[:number], made.documents[number + 1 :]
        yield Manifests((*before, *after), made.pod_networks, made.node_networks)
        if document["kind"] == "NetworkPolicy":
            for spec in _less(document["spec"]):
                yield Manifests((*before, {**document, "spec": spec}, *after), made.pod_networks, made.node_networks)


def _less(node: Any) -> Iterator[Any]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield {other: kept for other, kept in node.items() if other != key}
            yield from ({**node, key: less} for less in _less(value))
    elif isinstance(node, list):
        for number, value in enumerate(node):
            yield [*node[:number], *node[number + 1 :]]
            yield from ([*node[:number], less, *node[number + 1 :]] for less in _less(value))
