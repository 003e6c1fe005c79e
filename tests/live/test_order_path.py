"""The path of an order: from a client by the Ingress' address and its controller to the gateway and the services.

A client knows the host's name and the address that the controller published. Behind the gateway every service says its
own name. An outsider is a client like any other, but passes the controller by in vain.
"""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from cluster.certificates import Authority
from cluster.commands import run
from cluster.kubectl import Object
from cluster.machine import ADDRESS
from cluster.namespaces import in_network
from cluster.processes import descendants
from tests.e2e.live import ENVIRONMENTS
from tests.live.full import DEV, Full, is_ready
from tests.live.test_isolation import ELSEWHERE, pod

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
MEBIBYTE = 2**20


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    kind: str
    text: str
    location: str | None = None


def ask(
    connection: HTTPConnection, path: str = "/", *, host: str = HOST, length: int = 0, body: bytes = b""
) -> Answer | None:
    """None if nothing comes back. A refused connection is an answer of somebody, and raises OSError.

    ``length``: a body of so many bytes is announced, ``body`` is what is sent of it.
    """
    method, headers = ("POST", {"Content-Length": str(length)}) if length else ("GET", {})
    with contextlib.closing(connection):
        try:
            connection.request(method, path, body or None, {"Host": host, **headers})
            response = connection.getresponse()
            text, location = response.read().decode(), response.getheader("Location")
            return Answer(response.status, response.headers.get_content_type(), text, location)
        except TimeoutError:
            return None


class Entrance(HTTPSConnection):
    """What is behind the Ingress' host and address; without an ``authority`` no certificate is looked at."""

    def __init__(self, authority: Path | None = None) -> None:
        super().__init__(HOST, timeout=SILENT_AFTER)
        self.settings = ssl.create_default_context(cafile=authority)
        if authority is None:
            self.settings.check_hostname, self.settings.verify_mode = False, ssl.CERT_NONE

    def connect(self) -> None:
        """As the name would lead there."""
        connected = socket.create_connection((ADDRESS, self.port), self.timeout)
        self.sock = self.settings.wrap_socket(connected, server_hostname=HOST)


@dataclass(frozen=True, slots=True)
class Outsider:
    """A pod in a namespace of no importance, by a process that is in its network."""

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

    def ask(self, connection: HTTPConnection, path: str) -> Answer | None:
        with in_network(self.process):
            return ask(connection, path)


def ingress(full: Full, environment: str = "dev") -> Object:
    found = full.kubectl.get("ingress", "ingress", ENVIRONMENTS[environment])
    assert found is not None
    return found


def backends(full: Full) -> Iterator[tuple[str, int]]:
    """Every Service that any rule names, and the port's number."""
    spec = ingress(full)["spec"]
    assert "defaultBackend" not in spec
    assert {rule["host"] for rule in spec["rules"]} == {HOST}
    named = [one["backend"]["service"] for rule in spec["rules"] for one in rule["http"]["paths"]]
    for name, port in {(one["name"], one["port"]["name"]) for one in named}:
        service = full.kubectl.get("service", name, DEV)
        assert service is not None
        (number,) = [one["port"] for one in service["spec"]["ports"] if one["name"] == port]
        yield name, number


@pytest.fixture(scope="module")
def served(dev: Full) -> Full:
    """As soon as the controller knows the pods, and the gateway the addresses of the services."""

    def all_are_reached() -> bool:
        answers = [ask(Entrance(), path) for path in SERVICES]
        return all(one is not None and one.status == 200 for one in answers)

    dev.wait_for("everything behind the Ingress is reached", all_are_reached, seconds=60)
    return dev


@pytest.fixture(scope="module")
def outsider(served: Full) -> Iterator[Outsider]:
    deployment = served.kubectl.get("deployment", "frontend", DEV)
    assert deployment is not None
    image = deployment["spec"]["template"]["spec"]["containers"][0]["image"]

    def is_gone() -> bool:
        return served.kubectl.get("namespace", ELSEWHERE) is None

    def runs() -> bool:
        found = served.kubectl.get("pod", "outsider", ELSEWHERE)
        return found is not None and is_ready(found)

    served.wait_for("the namespace of other tests is gone", is_gone)
    served.kubectl.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": ELSEWHERE}})
    account = partial(served.kubectl.get, "serviceaccount", "default", ELSEWHERE)
    served.wait_for("the namespace has its account", account)
    served.kubectl.apply(pod(ELSEWHERE, "outsider", image))
    served.wait_for("the outsider runs", runs)
    yield Outsider(process(served, "-text=outsider"))
    served.kubectl.run("delete", "namespace", ELSEWHERE, "--wait=false")
    served.wait_for("the namespace is gone", is_gone)


def process(full: Full, argument: str) -> int:
    """The one process of a pod that has this argument."""
    first = full.cluster.machine.process.pid()
    assert first is not None
    found = set()
    for one in descendants(first):
        with contextlib.suppress(OSError):
            if argument.encode() in Path(f"/proc/{one}/cmdline").read_bytes().split(b"\0"):
                found.add(one)
    (only,) = found
    return only


@pytest.mark.parametrize(("path", "service"), SERVICES.items())
@pytest.mark.usefixtures("served")
def test_each_path_is_answered_by_its_service(path: str, service: str) -> None:
    assert ask(Entrance(), path) == Answer(200, "text/plain", f"{service}\n")


@pytest.mark.parametrize("path", NOBODYS)
@pytest.mark.usefixtures("served")
def test_the_gateway_says_so_where_no_service_is(path: str) -> None:
    answer = ask(Entrance(), path)
    assert answer is not None
    assert (answer.status, answer.kind) == (404, "application/json")
    said = json.loads(answer.text)
    assert said.pop("requestId")
    assert said == {"status": 404, "error": "no such route"}


@pytest.mark.usefixtures("served")
def test_another_host_is_nobodys() -> None:
    answer = ask(HTTPConnection(ADDRESS, timeout=SILENT_AFTER), host=f"another.{HOST}")
    assert answer is not None
    assert (answer.status, answer.kind) == (404, "text/plain")


@pytest.mark.usefixtures("served")
def test_who_asks_in_the_clear_is_sent_to_tls() -> None:
    answer = ask(HTTPConnection(ADDRESS, timeout=SILENT_AFTER), "/api/orders")
    assert answer is not None
    assert (answer.status, answer.location) == (308, f"https://{HOST}/api/orders")


@pytest.mark.usefixtures("served")
def test_body_is_bounded_as_the_annotation_says() -> None:
    """By the controller: nothing behind the path `/` counts bytes."""
    assert ask(Entrance(), length=MEBIBYTE, body=bytes(MEBIBYTE)) == Answer(200, "text/plain", "frontend\n")
    answer = ask(Entrance(), length=MEBIBYTE + 1)
    assert answer is not None
    assert answer.status == 413


def test_certificate_is_the_one_of_the_secret_once_there_is_one(served: Full, tmp_path: Path) -> None:
    (tls,) = ingress(served)["spec"]["tls"]
    authority = Authority(tmp_path)
    authority.issue("tls", user="ingress", hosts=tls["hosts"])
    with pytest.raises(ssl.SSLCertVerificationError):
        ask(Entrance(authority.certificate))
    name = ("--namespace", DEV, tls["secretName"])
    pair = [f"--{kind}={tmp_path / file}" for kind, file in (("cert", "tls.crt"), ("key", "tls.key"))]
    served.kubectl.run("create", "secret", "tls", *name, *pair)

    def is_trusted() -> bool:
        with contextlib.suppress(ssl.SSLCertVerificationError):
            return ask(Entrance(authority.certificate)) == Answer(200, "text/plain", "frontend\n")
        return False

    try:
        served.wait_for("the controller took the certificate", is_trusted, seconds=60)
    finally:
        served.kubectl.run("delete", "secret", *name)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_ingress_has_its_address(served: Full, environment: str) -> None:
    def address() -> list[str]:
        return [one["ip"] for one in ingress(served, environment)["status"]["loadBalancer"].get("ingress", [])]

    served.wait_for("the controller says the address", lambda: address() == [ADDRESS])


def test_argocd_calls_it_healthy_for_its_address(served: Full) -> None:
    api = f"{served.cluster.state.server_url}/api/v1"
    account = json.dumps({"username": "admin", "password": served.cluster.argocd.password()}).encode()
    with urlopen(Request(f"{api}/session", account, {"Content-Type": "application/json"})) as answer:
        header = {"Authorization": f"Bearer {json.load(answer)['token']}"}

    def said() -> str:
        with urlopen(Request(f"{api}/applications/ecommerce-dev/resource-tree", headers=header)) as answer:
            (health,) = [one["health"] for one in json.load(answer)["nodes"] if one["kind"] == "Ingress"]
        return f"{health['status']}: {health['message']}"

    served.wait_for("Argo CD knows the address", lambda: said() == "Healthy: The controller published an address")


def test_who_passes_the_controller_by_gets_no_answer(served: Full, outsider: Outsider, tmp_path: Path) -> None:
    known = dict(backends(served))
    assert set(known) == {"api-gateway", "frontend"}
    addresses = {name: outsider.address(f"{name}.{DEV}", tmp_path) for name in known}
    asked = [(name, path) for name in known for path in (*SERVICES, *NOBODYS)]
    with ThreadPoolExecutor(len(asked)) as pool:
        direct = [
            pool.submit(outsider.ask, HTTPConnection(addresses[name], known[name], timeout=SILENT_AFTER), path)
            for name, path in asked
        ]
        # At the same moment, by the same pod.
        by_controller = [outsider.ask(Entrance(), path) for path in SERVICES]
        assert [one.result() for one in direct] == [None] * len(asked)
    assert by_controller == [Answer(200, "text/plain", f"{service}\n") for service in SERVICES.values()]
