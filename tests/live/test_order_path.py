"""The path of an order: what the Ingress would send to its backends is asked of them, from its controller's place.

There is no Ingress controller, so this test reads the rules as one does. From the network of a pod that the policies
take for the controller, a backend's Service is looked up by its name in the cluster's DNS, and asked at its address,
which kube-proxy translates. Behind the gateway every service says its own name. An outsider finds the same addresses.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from http.client import HTTPConnection
from pathlib import Path

import pytest

from cluster.commands import run
from cluster.kubectl import Object
from cluster.namespaces import in_network
from cluster.processes import descendants
from tests.live.full import DEV, Full, is_ready
from tests.live.test_isolation import ELSEWHERE, INGRESS, pod

HOST = "dev.ecommerce.local"
SERVICES = {
    "/": "frontend",
    "/cart": "frontend",
    "/apis": "frontend",
    "/api/users": "user-service",
    "/api/users/1": "user-service",
    "/api/products": "product-service",
    "/api/products/1?currency=EUR": "product-service",
    "/api/orders": "order-service",
    "/api/orders/1": "order-service",
}
"""What each path is for: the overlay's placeholder of a service says the service's name."""
NOBODYS = ("/api", "/api/payments", "/api/usersandmore")
"""Paths that are the gateway's, but no service's."""
SILENT_AFTER = 5.0


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Place:
    """The network of a pod, by a process that is in it."""

    process: int

    def address(self, name: str, folder: Path) -> str:
        """Of a Service, as the cluster's DNS tells the pod, by what the kubelet wrote for it."""
        settings = folder / "resolv.conf"
        settings.write_bytes(Path(f"/proc/{self.process}/root/etc/resolv.conf").read_bytes())
        script = 'mount --bind "$1" /etc/resolv.conf && exec getent --service=hosts:dns ahostsv4 "$2"'
        inside = ("nsenter", f"--net=/proc/{self.process}/ns/net", "unshare", "--mount")
        said = run(*inside, "sh", "-c", script, "sh", str(settings), name)
        (address,) = {line.split()[0] for line in said.splitlines()}
        return address

    def ask(self, address: str, port: int, path: str) -> Answer | None:
        """None if nothing comes back. A refused connection is an answer of somebody, and raises OSError."""
        with in_network(self.process):
            connection = HTTPConnection(address, port, timeout=SILENT_AFTER)
            try:
                connection.request("GET", path, headers={"Host": HOST})
                response = connection.getresponse()
                return Answer(response.status, response.headers.get_content_type(), response.read().decode())
            except TimeoutError:
                return None
            finally:
                connection.close()


@dataclass(frozen=True, slots=True)
class OrderPath:
    """The Ingress and the Services of dev, an address for each backend, and who asks."""

    ingress: Object
    backends: dict[tuple[str, str], tuple[str, int]]
    controller: Place
    outsider: Place

    def backend(self, path: str) -> tuple[str, str]:
        """Service and port that a controller chooses: of the rules that fit whole elements, the longest.

        https://kubernetes.io/docs/concepts/services-networking/ingress/#multiple-matches
        """
        (rule,) = [one for one in self.ingress["spec"]["rules"] if one["host"] == HOST]
        wanted = path.partition("?")[0].strip("/").split("/")
        fitting: dict[int, Object] = {}
        for one in rule["http"]["paths"]:
            assert one["pathType"] == "Prefix"
            elements = [part for part in one["path"].split("/") if part]
            if wanted[: len(elements)] == elements:
                fitting[len(elements)] = one["backend"]["service"]
        chosen = fitting[max(fitting)]
        return chosen["name"], chosen["port"]["name"]

    def ask(self, place: Place, path: str) -> Answer | None:
        return place.ask(*self.backends[self.backend(path)], path)


def backends(ingress: Object) -> set[tuple[str, str]]:
    """Every Service and port that any rule names."""
    assert "defaultBackend" not in ingress["spec"]
    found = [one["backend"]["service"] for rule in ingress["spec"]["rules"] for one in rule["http"]["paths"]]
    return {(one["name"], one["port"]["name"]) for one in found}


def place(full: Full, label: str) -> Place:
    """Where the pod of `pod` with this label runs."""
    first = full.cluster.machine.process.pid()
    assert first is not None
    found = set()
    for process in descendants(first):
        with contextlib.suppress(OSError):
            if f"-text={label}".encode() in Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0"):
                found.add(process)
    (process,) = found
    return Place(process)


@pytest.fixture(scope="module")
def standing_in(dev: Full) -> Iterator[Full]:
    """With a pod in the ingress controller's place, and one in a namespace of no importance."""
    pods = {ELSEWHERE: "outsider", INGRESS: "ingress-nginx"}
    deployment = dev.kubectl.get("deployment", "frontend", DEV)
    assert deployment is not None
    image = deployment["spec"]["template"]["spec"]["containers"][0]["image"]

    def are_gone() -> bool:
        return all(dev.kubectl.get("namespace", one) is None for one in pods)

    def all_run() -> bool:
        found = [dev.kubectl.get("pod", label, namespace) for namespace, label in pods.items()]
        return all(one is not None and is_ready(one) for one in found)

    dev.wait_for("namespaces of other tests are gone", are_gone)
    dev.kubectl.apply(*({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": one}} for one in pods))
    for namespace in pods:
        dev.wait_for("the namespace has its account", partial(dev.kubectl.get, "serviceaccount", "default", namespace))
    dev.kubectl.apply(*(pod(namespace, label, image) for namespace, label in pods.items()))
    dev.wait_for("the pods that stand in run", all_run)
    yield dev
    dev.kubectl.run("delete", "namespace", *pods, "--wait=false")
    dev.wait_for("the namespaces are gone", are_gone)


@pytest.fixture(scope="module")
def order_path(standing_in: Full, tmp_path_factory: pytest.TempPathFactory) -> OrderPath:
    """As soon as Felix knows the controller's pod, and the gateway the addresses of the services."""
    full, folder = standing_in, tmp_path_factory.mktemp("names")
    ingress = full.kubectl.get("ingress", "ingress", DEV)
    assert ingress is not None
    controller, outsider = place(full, "ingress-nginx"), place(full, "outsider")
    addresses = {}
    for name, port in backends(ingress):
        service = full.kubectl.get("service", name, DEV)
        assert service is not None
        (number,) = [one["port"] for one in service["spec"]["ports"] if one["name"] == port]
        address = controller.address(f"{name}.{DEV}", folder)
        assert address == service["spec"]["clusterIP"]
        # So the outsider's network works, and what it does not reach is kept from it.
        assert outsider.address(f"{name}.{DEV}", folder) == address
        addresses[name, port] = address, number
    found = OrderPath(ingress, addresses, controller, outsider)

    def all_are_reached() -> bool:
        answers = [found.ask(controller, path) for path in SERVICES]
        return all(one is not None and one.status != 502 for one in answers)

    full.wait_for("everything behind the Ingress is reached", all_are_reached, seconds=60)
    return found


@pytest.mark.parametrize(("path", "service"), SERVICES.items())
def test_each_path_is_answered_by_its_service(order_path: OrderPath, path: str, service: str) -> None:
    assert order_path.ask(order_path.controller, path) == Answer(200, "text/plain", f"{service}\n")


@pytest.mark.parametrize("path", NOBODYS)
def test_the_gateway_says_so_where_no_service_is(order_path: OrderPath, path: str) -> None:
    answer = order_path.ask(order_path.controller, path)
    assert answer is not None
    assert (answer.status, answer.kind) == (404, "application/json")
    said = json.loads(answer.text)
    assert said.pop("requestId")
    assert said == {"status": 404, "error": "no such route"}


def test_these_paths_ask_every_backend_of_the_ingress(order_path: OrderPath) -> None:
    asked = {path: order_path.backend(path) for path in (*SERVICES, *NOBODYS)}
    assert set(asked.values()) == backends(order_path.ingress)
    behind_gateway = {path for path, backend in asked.items() if backend == ("api-gateway", "http")}
    assert behind_gateway == {path for path in asked if path.startswith("/api/") or path == "/api"}
    assert {one["host"] for one in order_path.ingress["spec"]["rules"]} == {HOST}


def test_an_outsider_gets_no_answer_while_the_controller_does(order_path: OrderPath) -> None:
    paths = (*SERVICES, *NOBODYS)
    with ThreadPoolExecutor(len(paths) + 1) as pool:
        outside = [pool.submit(order_path.ask, order_path.outsider, path) for path in paths]
        admitted = [order_path.ask(order_path.controller, path) for path in paths]
        assert [one.result() for one in outside] == [None] * len(paths)
    assert None not in admitted
