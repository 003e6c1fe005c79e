"""Measures who may reach whom in generated clusters: the whole matrix, then the contract, without the parsing.

Two policies for each workload: one that denies, and its own, which accepts its callers and sends to whom it calls. Each
workload calls three others. The shapes are what costs most in different ways; see ``SHAPES``. Prints CPU seconds and
the growth of memory in MiB of a process of its own for each measurement, the cheapest of several, as Markdown. Seconds
say as much of a machine as of a program, so where kube-score is installed it runs in turns with each measurement, on a
stream of 4,020 objects, and the last column tells what part of its seconds ours are:

    python tools/bench_connectivity.py [--workloads 1000 3500 …] [--shapes plain …] [--repeat 3] [--np-guard COMMAND]
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from policy.connectivity.contract import Proof
from policy.connectivity.matrix import Connectivity
from policy.connectivity.topology import Topology
from policy.connectivity.topology_file import load_topology
from policy.manifests.decode import resources_of
from policy.manifests.index import Index
from tools.costs import cost_of
from tools.streams import NAMESPACES, stream

CALLS = 3
ROOT = Path(__file__).parents[1]
KUBE_SCORE = ROOT / ".tools/bin/kube-score"
OBJECTS = 4_020
"""How many kube-score reads."""
BARS = {3_500: 0.2 / 1.8, 10_000: 0.8 / 1.8}
"""By workloads, the part of kube-score's seconds that is allowed: it takes 1.8 where 0.2 and 0.8 seconds are."""
Manifest = dict[str, Any]
Rules = list[Manifest]


@dataclass(frozen=True)
class Service:
    """A generated workload: its number, namespace, port, and the numbers of those that it calls."""

    number: int
    namespace: str
    port: int
    calls: tuple[int, ...]

    @property
    def name(self) -> str:
        return f"service-{self.number}"


@dataclass(frozen=True)
class Shape:
    """How a cluster looks: its namespaces, the port of each service, and the rules that replace the plain ones."""

    says: str
    namespaces: int = 10
    port: Callable[[int], int] = lambda _: 8080
    peer: Callable[[Service, Service], Manifest] | None = None
    more_egress: Callable[[Service], Rules] = lambda _: []
    more_ingress: Callable[[Service], Rules] = lambda _: []
    is_open: bool = False


def _plain_peer(subject: Service, other: Service) -> Manifest:
    peer: Manifest = {"podSelector": {"matchLabels": {"app": other.name}}}
    if other.namespace != subject.namespace:
        peer["namespaceSelector"] = {"matchLabels": {"kubernetes.io/metadata.name": other.namespace}}
    return peer


def _expression_peer(_: Service, other: Service) -> Manifest:
    return {
        "namespaceSelector": {
            "matchExpressions": [{"key": "kubernetes.io/metadata.name", "operator": "In", "values": [other.namespace]}]
        },
        "podSelector": {
            "matchExpressions": [
                {"key": "app", "operator": "In", "values": [other.name, f"{other.name}-canary"]},
                {"key": "team", "operator": "NotIn", "values": [f"team-{(other.number + 1) % 20}"]},
                {"key": "app", "operator": "Exists"},
                {"key": "legacy", "operator": "DoesNotExist"},
            ]
        },
    }


def _blocks(service: Service) -> Rules:
    third, fourth = service.number % 250, service.number // 250
    block = {"cidr": f"203.{fourth}.0.0/16", "except": [f"203.{fourth}.{third}.0/25", f"203.{fourth}.{third}.192/26"]}
    wide = {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8", f"198.{fourth}.{third}.0/24"]}
    six = {"cidr": f"2001:db8:{service.number:x}::/48"}
    return [{"to": [{"ipBlock": block}, {"ipBlock": wide}, {"ipBlock": six}], "ports": [{"port": 443}]}]


SHAPES: Mapping[str, Shape] = {
    "plain": Shape("10 namespaces"),
    "ports": Shape(
        "each service has a port of its own, and everybody may ask for it",
        port=lambda number: 1024 + number,
        more_ingress=lambda service: [{"ports": [{"port": service.port}]}],
    ),
    "open": Shape("no policy closes anything: every rule allows all", is_open=True),
    "blocks": Shape("three ipBlocks for each service, two of them with except, IPv6 too", more_egress=_blocks),
    "few": Shape("2 namespaces", namespaces=2),
    "expressions": Shape("expressions everywhere", peer=_expression_peer),
    "namespaces": Shape(
        "every service accepts its whole namespace", more_ingress=lambda _: [{"from": [{"podSelector": {}}]}]
    ),
}


def services_of(shape: Shape, count: int) -> list[Service]:
    """The generated services; the same for the same shape and count."""
    chance = random.Random(count)
    size = -(-count // shape.namespaces)
    found = []
    for number in range(count):
        first = number // size * size
        calls = {chance.randrange(first, min(first + size, count)) for _ in range(CALLS - 1)}
        calls.add(chance.randrange(count))
        found.append(
            Service(number, f"namespace-{number // size}", shape.port(number), tuple(sorted(calls - {number})))
        )
    return found


def manifests_of(shape: Shape, services: Sequence[Service]) -> Iterator[Manifest]:
    """The objects of a cluster."""
    peer = shape.peer or _plain_peer
    callers: dict[int, list[Service]] = {}
    for service in services:
        for called in service.calls:
            callers.setdefault(called, []).append(service)
    for namespace in dict.fromkeys(service.namespace for service in services):
        yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
    for service in services:
        labels = {"app": service.name, "team": f"team-{service.number % 20}", "tier": f"tier-{service.number % 3}"}
        container = {"name": "app", "ports": [{"name": "http", "containerPort": service.port}]}
        template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
        selector = {"matchLabels": {"app": service.name}}
        yield _object("apps/v1", "Deployment", service, service.name, {"selector": selector, "template": template})
        egress = [
            {"to": [peer(service, services[called])], "ports": [{"port": services[called].port}]}
            for called in service.calls
        ]
        ingress = (
            [{"from": [peer(service, caller) for caller in callers[service.number]], "ports": [{"port": "http"}]}]
            if service.number in callers
            else []
        )
        spec: Manifest = {
            "podSelector": selector,
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [*ingress, *shape.more_ingress(service)],
            "egress": [*egress, *shape.more_egress(service)],
        }
        if shape.is_open:
            spec.update(ingress=[{}], egress=[{}])
        yield _object("networking.k8s.io/v1", "NetworkPolicy", service, service.name, spec)
        deny = {"podSelector": selector, "policyTypes": ["Ingress", "Egress"]}
        yield _object("networking.k8s.io/v1", "NetworkPolicy", service, f"{service.name}-deny", deny)


def _object(version: str, kind: str, service: Service, name: str, spec: Manifest) -> Manifest:
    metadata = {"name": name, "namespace": service.namespace}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}


def topology_of(services: Sequence[Service], folder: Path) -> Topology:
    """The contract that states exactly the calls."""
    flows = [
        f"{service.namespace}/{service.name} -> {services[called].namespace}/{services[called].name} : http"
        for service in services
        for called in service.calls
    ]
    cluster = {"pods": ["10.244.0.0/16"], "services": ["10.96.0.0/12"], "nodes": ["192.0.2.0/24"]}
    file = folder / "topology.yaml"
    file.write_text(json.dumps({"cluster": cluster, "flows": flows}), encoding="utf-8")
    return load_topology(file)


def measure(name: str, count: int) -> dict[str, float]:
    """CPU seconds and MiB of one cluster, in this process."""
    shape = SHAPES[name]
    services = services_of(shape, count)
    with tempfile.TemporaryDirectory() as folder:
        topology = topology_of(services, Path(folder))
    index = Index(
        item for number, document in enumerate(manifests_of(shape, services)) for item in resources_of(document, number)
    )
    gc.collect()
    gc.disable()
    before = _peak()
    start = time.process_time()
    connectivity = Connectivity(index, topology.outside.values(), topology.cluster)
    rows = sum(1 for _ in connectivity.rows())
    matrix = time.process_time()
    proof = Proof(connectivity, topology)
    leaks, broken = len(proof.leaks), len(proof.broken)
    end = time.process_time()
    return {
        "rows": rows,
        "leaks": leaks,
        "broken": broken,
        "matrix": matrix - start,
        "contract": end - matrix,
        "memory": _peak() - before,
    }


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _np_guard(command: str, name: str, count: int) -> float:
    """CPU seconds of np-guard's listing of the same cluster, with its parsing."""
    shape = SHAPES[name]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "cluster.yaml"
        documents = (json.dumps(item) for item in manifests_of(shape, services_of(shape, count)))
        file.write_text("\n---\n".join(documents), encoding="utf-8")
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([command, "list", "--dirpath", folder, "--quiet"], check=True, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--workloads", type=int, nargs="+", default=[1000, 3500, 10000])
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, default=list(SHAPES))
    parser.add_argument("--repeat", type=int, default=3, help="how often each is measured; the cheapest is told")
    parser.add_argument("--np-guard", help="the netpol-analyzer to measure beside it, up to 1,000 workloads")
    parser.add_argument("--single", action="store_true", help="one measurement, in this process, as JSON")
    options = parser.parse_args(arguments)
    if options.single:
        print(json.dumps(measure(options.shapes[0], options.workloads[0])))
        return
    beside = (" np-guard s |" if options.np_guard else "") + (" of kube-score's |" if KUBE_SCORE.exists() else "")
    print(f"| cluster | workloads | rows | matrix s | contract s | together s | MiB |{beside}")
    print("|---|---|---|---|---|---|---|" + "---|" * beside.count("|"))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "stream.yaml"
        file.write_text(stream((OBJECTS - 2 * NAMESPACES) // 4, varied=False), encoding="utf-8")
        for name in options.shapes:
            for count in options.workloads:
                print(_line(name, count, options.repeat, options.np_guard, file), flush=True)


def _line(name: str, count: int, repeat: int, np_guard: str | None, file: Path) -> str:
    command = [sys.executable, __file__, "--single", "--shapes", name, "--workloads", str(count)]
    score = [str(KUBE_SCORE), "score", "--all-default-optional", "--output-format", "json", str(file)]
    runs, others = [], []
    for _ in range(repeat):
        runs.append(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
        if KUBE_SCORE.exists():
            others.append(cost_of(score, (0, 1), folder=file.parent).processor)
    found = min(runs, key=lambda run: float(run["matrix"] + run["contract"]))
    together = found["matrix"] + found["contract"]
    cells = [f"{name}: {SHAPES[name].says}", f"{count:,}", f"{found['rows']:,}", f"{found['matrix']:.2f}"]
    cells += [f"{found['contract']:.2f}", f"{together:.2f}", f"{found['memory']:.0f}"]
    if np_guard:
        cells.append(f"{_np_guard(np_guard, name, count):.1f}" if count <= 1000 else "-")
    if others:
        part, bar = together / min(others), BARS.get(count)
        said = "" if bar is None else f", {'within' if part <= bar else 'over'} {bar:.3f}"
        cells.append(f"{part:.3f}{said}")
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
