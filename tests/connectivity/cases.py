"""Cases as data: manifests, and who reaches whom in sentences.

A case names its pods (``x/a``: pod a of namespace x, labelled ``pod: a``, its namespace ``ns: x``), its policies by
``namespace/name``, and whatever ``objects`` it needs besides. A flow is a sentence:

    x/a -> y/b : TCP 80      always
    x/a -/> y/b : TCP 80     never
    x/a ?> y/b : TCP 80      it hangs on what the manifests do not say

``*`` and ``x/*`` are all pods (of a namespace); an address stands for itself. Of two sentences about the same thing the
later one holds, so that a case can start from all and then take away.
"""

from __future__ import annotations

import copy
import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml

CASES = Path(__file__).parent / "cases"
VERDICTS = {"->": (True, True), "-/>": (False, False), "?>": (False, True)}
"""What an arrow says of a connection: surely possible, possibly possible."""

NAMESPACES = ("x", "y", "z")
PORTS = tuple(
    {"name": f"serve-{number}-{protocol.lower()}", "containerPort": number, "protocol": protocol}
    for number in (80, 81)
    for protocol in ("TCP", "UDP", "SCTP")
)
"""What each pod of a case opens, as the pods of Kubernetes' own tests do."""

Decision = tuple[str, str, str, int]
"""Source, destination (each a pod ``namespace/name`` or an address), protocol, port."""


@dataclass(frozen=True)
class Case:
    """One case, ready to be decided."""

    name: str
    file: str
    documents: tuple[dict[str, Any], ...]
    pod_networks: tuple[str, ...]
    node_networks: tuple[str, ...]
    expected: Mapping[Decision, tuple[bool, bool]]

    def __str__(self) -> str:
        return f"{self.file}: {self.name}"


def cases() -> Iterator[Case]:
    """Every case of every file, in order."""
    for file in sorted(CASES.glob("*.yaml")):
        for raw in yaml.safe_load(file.read_text(encoding="utf-8")):
            yield case(raw, file.stem)


def case(raw: Mapping[str, Any], file: str) -> Case:
    """A case as it is written in a file."""
    unknown = raw.keys() - {"name", "pods", "labels", "objects", "policies", "cluster", "flows"}
    assert not unknown, f"{raw['name']}: {sorted(unknown)}"
    documents = tuple(_documents(raw))
    names = [f"{_namespace(each)}/{each['metadata']['name']}" for each in documents if _makes_pods(each)]
    expected: dict[Decision, tuple[bool, bool]] = {}
    for sentence in raw["flows"]:
        expected.update(_decisions(sentence, names))
    networks = raw.get("cluster") or {}
    return Case(
        raw["name"], file, documents, tuple(networks.get("pods", ())), tuple(networks.get("nodes", ())), expected
    )


def _documents(raw: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    objects = copy.deepcopy(raw.get("objects") or [])
    listed = {each["metadata"]["name"] for each in objects if each["kind"] == "Namespace"}
    pods: list[str] = raw.get("pods") or []
    for namespace in NAMESPACES:
        if namespace not in listed and any(pod.startswith(f"{namespace}/") for pod in pods):
            yield {
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {"name": namespace, "labels": {"ns": namespace}},
            }
    for pod in pods:
        namespace, _, name = pod.partition("/")
        labels = {"pod": name, **(raw.get("labels") or {}).get(pod, {})}
        yield {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "namespace": namespace, "labels": labels},
            "spec": {"containers": [{"name": "app", "image": "app", "ports": [dict(port) for port in PORTS]}]},
        }
    yield from objects
    for key, spec in (raw.get("policies") or {}).items():
        namespace, _, name = key.partition("/")
        yield {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": name, "namespace": namespace},
            "spec": copy.deepcopy(spec),
        }


def _namespace(document: Mapping[str, Any]) -> str:
    return document["metadata"].get("namespace") or "default"


def _makes_pods(document: Mapping[str, Any]) -> bool:
    return document["kind"] not in ("Namespace", "NetworkPolicy", "Service")


def _decisions(sentence: str, names: list[str]) -> Iterator[tuple[Decision, tuple[bool, bool]]]:
    ends, _, ports = sentence.partition(" : ")
    source, arrow, destination = ends.split()
    found = [
        (one, other)
        for one in _ends(source, names)
        for other in _ends(destination, names)
        if one != other or (source == destination and "*" not in source)
    ]
    assert found, f"{sentence}: nobody"
    assert ports, f"{sentence}: no port"
    for port in ports.split(", "):
        protocol, number = port.split()
        for one, other in found:
            yield (one, other, protocol, int(number)), VERDICTS[arrow]


def _ends(pattern: str, names: list[str]) -> list[str]:
    if "/" not in pattern and "*" not in pattern:
        return [str(ipaddress.ip_address(pattern))]
    found = [name for name in names if fnmatchcase(name, pattern)]
    assert found, f"no pod {pattern}"
    return found
