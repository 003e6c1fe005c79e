"""What the NetworkPolicies of an overlay let through, and what topology.yaml says that they should.

Not a model of NetworkPolicy: it knows the few shapes that base/ uses and raises NotUnderstoodError for all else, so
that nothing is waved through because nobody thought of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from .rendered import Document, of_kind

Direction = Literal["egress", "ingress"]
OPPOSITE_END: Mapping[Direction, str] = {"egress": "to", "ingress": "from"}
NAMESPACE_NAME = "kubernetes.io/metadata.name"


class NotUnderstoodError(ValueError):
    """A policy or a contract has a shape that this evaluator does not know."""


@dataclass(frozen=True, slots=True)
class Pod:
    labels: Mapping[str, str]
    ports: Mapping[tuple[str, str], int]
    """Protocol and name -> number."""


@dataclass(frozen=True, slots=True, order=True)
class Grant:
    """What one side of a connection permits: the same flow needs the grant of both sides that are in Git."""

    direction: Direction
    source: str
    destination: str
    protocol: str
    port: int


@dataclass(frozen=True, slots=True)
class System:
    """The pods that are in Git, the policies of their namespace, and the contract."""

    pods: Mapping[str, Pod]
    policies: tuple[Document, ...]
    contract: Document

    @property
    def outside(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.contract["outside"]
        return found


def read(documents: tuple[Document, ...], contract: Document) -> System:
    workloads = of_kind(documents, "Deployment", "StatefulSet", "Job")
    pods = {workload["metadata"]["name"]: _pod(workload["spec"]["template"]) for workload in workloads}
    return System(pods, tuple(of_kind(documents, "NetworkPolicy")), contract)


def _pod(template: Document) -> Pod:
    ports = [port for container in template["spec"]["containers"] for port in container.get("ports", ())]
    return Pod(
        template["metadata"]["labels"], {(port["protocol"], port["name"]): port["containerPort"] for port in ports}
    )


def stated(system: System) -> frozenset[Grant]:
    """The grants that the contract's flows need; a flow from or to the outside needs that of one side."""
    return frozenset(grant for flow in system.contract["flows"] for grant in _needed(system, flow))


def _needed(system: System, flow: str) -> Iterator[Grant]:
    ends, _, ports = flow.partition(" : ")
    sources, _, destinations = ends.partition(" -> ")
    for source in _ends(system, sources):
        for destination in _ends(system, destinations):
            for protocol, number in (_stated_port(system, destination, port) for port in ports.split(", ")):
                if source in system.pods:
                    yield Grant("egress", source, destination, protocol, number)
                if destination in system.pods:
                    yield Grant("ingress", source, destination, protocol, number)


def _ends(system: System, names: str) -> Iterator[str]:
    for name in names.split(", "):
        if name in system.pods:
            yield name
        elif name in system.outside:
            cidrs = system.outside[name].get("cidrs")
            yield from (f"{name} {cidr}" for cidr in cidrs) if cidrs else (name,)
        else:
            raise NotUnderstoodError(f"{name!r} is neither a workload nor outside")


def _stated_port(system: System, destination: str, port: str) -> tuple[str, int]:
    protocol, _, number = port.rpartition(" ")
    return _port(system, destination, {"protocol": protocol or "TCP", "port": int(number) if protocol else port})


def granted(system: System) -> frozenset[Grant]:
    """Every grant of every policy. Raises NotUnderstoodError, also if a pod is not isolated in both directions."""
    isolated: set[str] = set()
    grants: set[Grant] = set()
    for policy in system.policies:
        spec = policy["spec"]
        if spec.keys() - {"podSelector", "policyTypes", "ingress", "egress"}:
            raise NotUnderstoodError(f"{policy['metadata']['name']}: {sorted(spec)}")
        if sorted(spec["policyTypes"]) != ["Egress", "Ingress"]:
            raise NotUnderstoodError(f"{policy['metadata']['name']}: policyTypes {spec['policyTypes']}")
        subjects = _selected(system, spec["podSelector"]) if spec["podSelector"] else frozenset(system.pods)
        isolated |= subjects
        grants |= {grant for subject in subjects for grant in _grants_of(system, subject, spec)}
    if isolated != set(system.pods):
        raise NotUnderstoodError(f"open: {sorted(set(system.pods) - isolated)}")
    return frozenset(grants)


def _grants_of(system: System, subject: str, spec: Document) -> Iterator[Grant]:
    directions: tuple[Direction, ...] = ("egress", "ingress")
    for direction in directions:
        for rule in spec.get(direction, ()):
            if rule.keys() != {OPPOSITE_END[direction], "ports"} or not all(rule.values()):
                raise NotUnderstoodError(f"{subject}: {direction} rule {rule}")
            for peer in (name for item in rule[OPPOSITE_END[direction]] for name in _peers(system, item)):
                source, destination = (subject, peer) if direction == "egress" else (peer, subject)
                for port in rule["ports"]:
                    yield Grant(direction, source, destination, *_port(system, destination, port))


def _peers(system: System, peer: Document) -> frozenset[str]:
    """Names of what a peer admits. What lies outside must be stated exactly as the contract does."""
    if peer.keys() == {"podSelector"}:
        return _selected(system, peer["podSelector"])
    if peer.keys() == {"namespaceSelector", "podSelector"}:
        namespace, labels = _labels(peer["namespaceSelector"]), _labels(peer["podSelector"])
        for name, place in system.outside.items():
            if namespace == {NAMESPACE_NAME: place.get("namespace")} and labels == place["labels"]:
                return frozenset({name})
    if peer.keys() == {"ipBlock"} and peer["ipBlock"].keys() == {"cidr"}:
        cidr = peer["ipBlock"]["cidr"]
        for name, place in system.outside.items():
            if cidr in place.get("cidrs", ()):
                return frozenset({f"{name} {cidr}"})
    raise NotUnderstoodError(f"peer {peer}")


def _selected(system: System, selector: Document) -> frozenset[str]:
    labels = _labels(selector)
    found = frozenset(name for name, pod in system.pods.items() if labels.items() <= pod.labels.items())
    if not found:
        raise NotUnderstoodError(f"no pod has {labels}")
    return found


def _labels(selector: Document) -> Mapping[str, str]:
    if selector.keys() != {"matchLabels"} or not selector["matchLabels"]:
        raise NotUnderstoodError(f"selector {selector}")
    labels: Mapping[str, str] = selector["matchLabels"]
    return labels


def _port(system: System, destination: str, port: Document) -> tuple[str, int]:
    """Protocol and number; a name is the destination pod's."""
    if port.keys() != {"protocol", "port"}:
        raise NotUnderstoodError(f"port {port}")
    protocol, number = port["protocol"], port["port"]
    if isinstance(number, str):
        if destination not in system.pods or (protocol, number) not in system.pods[destination].ports:
            raise NotUnderstoodError(f"{destination} has no port {protocol} {number!r}")
        number = system.pods[destination].ports[protocol, number]
    return protocol, number
