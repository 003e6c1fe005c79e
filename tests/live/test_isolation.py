"""Isolation on the wire: what really comes through between the pods of dev equals `policy topology`, cell by cell.

The topology is asked about what Git holds (the clone's overlay), never about the running objects. Beside the workloads
stand pods that no overlay knows: the ingress controller, a stranger in the same namespace, and an outsider in another.
The Job's pod has ended, so one with its labels stands in for it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from functools import partial

import pytest
import yaml

from cluster.errors import ClusterError
from cluster.ingress import NAMESPACE as INGRESS
from cluster.kubectl import Object
from cluster.machine import ADDRESS
from cluster.repository import ROOT
from tests.live.full import DEV, Full, is_ready
from tests.live.wire import NAME, Cell, End, ends, measure, probe

PORTS = ("TCP 53", "TCP 5432", "TCP 6379", "TCP 6443", "TCP 8080", "UDP 53")
ELSEWHERE = "elsewhere"
STANDING_IN = {
    (DEV, "credentials"): "credentials",
    (DEV, "stranger"): "stranger",
    (ELSEWHERE, "outsider"): "outsider",
}
IN_GIT = ("api-gateway", "frontend", "order-service", "orders-db", "product-service", "products-db", "redis")
WORKLOADS = {(DEV, name): name for name in (*IN_GIT, "user-service", "users-db")}
OF_THE_CLUSTER = {("kube-system", "kube-dns"): "dns", (INGRESS, "ingress-nginx"): "ingress-controller"}
NAMES = WORKLOADS | STANDING_IN | OF_THE_CLUSTER
OUTSIDE = {"api-server", "dns", "ingress-controller"}
"""What topology.yaml says is not in Git: between two of these it promises nothing."""
KUSTOMIZATION = "overlays/dev/kustomization.yaml"


def pod(namespace: str, label: str, image: str) -> Object:
    nobody = {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}}
    closed = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    container = {
        "name": "server",
        "image": image,
        "args": ["-listen=:8080", f"-text={label}"],
        "resources": {"requests": {"cpu": "1m", "memory": "16Mi"}, "limits": {"cpu": "100m", "memory": "64Mi"}},
        "securityContext": closed,
    }
    spec = {
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 1,
        "securityContext": nobody,
        "containers": [container],
    }
    metadata = {"name": label, "namespace": namespace, "labels": {NAME: label}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


@pytest.fixture(scope="module")
def wire(dev: Full) -> Iterator[Full]:
    """With the pods that stand in for what no overlay starts."""
    deployment = dev.kubectl.get("deployment", "frontend", DEV)
    assert deployment is not None
    image = deployment["spec"]["template"]["spec"]["containers"][0]["image"]
    dev.kubectl.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": ELSEWHERE}})
    pods = [pod(namespace, label, image) for namespace, label in STANDING_IN]
    account = partial(dev.kubectl.get, "serviceaccount", "default", ELSEWHERE)
    dev.wait_for("the namespace has its account", account)
    dev.kubectl.apply(*pods)

    def all_run() -> bool:
        found = [dev.kubectl.get("pod", label, namespace) for namespace, label in STANDING_IN]
        return all(one is not None and is_ready(one) for one in found)

    dev.wait_for("the pods that stand in run", all_run)
    yield dev
    dev.kubectl.run("delete", "namespace", ELSEWHERE, "--wait=false")
    names = [one["metadata"]["name"] for one in pods if one["metadata"]["namespace"] == DEV]
    dev.kubectl.run("delete", "pods", "--namespace", DEV, *names)


def everyone(full: Full) -> list[End]:
    first = full.cluster.machine.process.pid()
    assert first is not None
    return [*ends(full.kubectl, first, NAMES), End("api-server", ADDRESS)]


def stated(full: Full) -> dict[tuple[str, str], list[str]]:
    """By source and destination: the ports that `policy topology` finds for the clone's overlay and the strangers."""
    clone = full.cluster.state.clone
    rendered = full.kubectl.run("kustomize", clone / "overlays" / "dev")
    others = [pod(namespace, label, "one") for namespace, label in STANDING_IN if label in ("outsider", "stranger")]
    others.append({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": ELSEWHERE}})
    manifests = "\n---\n".join([rendered, *map(yaml.safe_dump, others)])
    command = [sys.executable, "-m", "policy", "topology", "--format=json", "-"]
    done = subprocess.run(command, cwd=ROOT, input=manifests, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (overlay,) = json.loads(done.stdout)["overlays"]
    connections = overlay["connections"]
    names = {*NAMES.values(), "api-server"}
    assert [one for one in connections if {one["source"], one["destination"]} <= names and not one["certain"]] == []
    return {(one["source"], one["destination"]): one["ports"] for one in connections}


def expected(connections: dict[tuple[str, str], list[str]], cell: Cell) -> bool:
    source, destination, port = cell
    # "internet" is every address; the API server's is one of them.
    reached = (destination, "internet") if destination == "api-server" else (destination,)
    return any(
        wanted in connections.get((source, one), []) for one in reached for wanted in (port, port.split()[0], "all")
    )


def compare(full: Full) -> dict[Cell, bool]:
    """The measured cells, once they equal the stated ones: Felix follows a change within moments."""
    found = everyone(full)
    assert {end.name for end in found} == {*NAMES.values(), "api-server"}
    connections = stated(full)
    prober = full.cluster.tools / "bin" / "prober"

    def measured() -> dict[Cell, bool]:
        alive = probe(prober, None, [(end.address, "TCP 8080") for end in found])
        if not all(alive):
            raise ClusterError(f"the node itself does not reach {found[alive.index(False)]}")
        cells = {
            cell: answers
            for cell, answers in measure(prober, found, PORTS).items()
            if not {cell[0], cell[1]} <= OUTSIDE
        }
        wrong = [
            f"{' -> '.join(cell[:2])} : {cell[2]} is {sorted(answers)}"
            for cell, answers in sorted(cells.items())
            if answers != {expected(connections, cell)}
        ]
        if wrong:
            raise ClusterError(f"{len(wrong)} of {len(cells)} cells differ: {'; '.join(wrong[:20])}")
        return {cell: answers == {True} for cell, answers in cells.items()}

    cells: dict[Cell, bool] = full.wait_for("the wire is as policy topology says", measured, seconds=60)
    return cells


def test_every_cell_is_as_the_topology_says(wire: Full) -> None:
    cells = compare(wire)
    wire.counts["cells compared on the wire"] = len(cells)
    names = len(NAMES) - 1
    # Every name beside the API server and DNS to every other; a workload of two pods to itself; DNS and all others.
    assert len({cell[:2] for cell in cells}) >= names * (names + 1)
    assert sum(cells.values()) > 20
    assert not cells["stranger", "redis", "TCP 6379"]
    assert not cells["outsider", "users-db", "TCP 5432"]
    assert cells["order-service", "redis", "TCP 6379"]


@pytest.mark.parametrize(
    ("policy", "changed"),
    [
        ("redis", ("order-service", "redis", "TCP 6379")),
        ("default-deny", ("outsider", "stranger", "TCP 8080")),
    ],
)
def test_without_one_policy_both_change_alike(wire: Full, policy: str, changed: Cell) -> None:
    before = compare(wire)
    removal = f"""\
  - patch: |
      apiVersion: networking.k8s.io/v1
      kind: NetworkPolicy
      metadata:
        name: {policy}
      $patch: delete
"""
    wire.edit(KUSTOMIZATION, lambda text: text.replace("patches:\n", f"patches:\n{removal}"))
    wire.wait_synced("dev", wire.push(f"Without the policy {policy}"))
    try:
        after = compare(wire)
    finally:
        wire.edit(KUSTOMIZATION, lambda text: text.replace(removal, ""))
        wire.wait_synced("dev", wire.push(f"With the policy {policy} again"))
    assert after[changed] is not before[changed]
    assert compare(wire) == before
