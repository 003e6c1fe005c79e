"""The gateway: its rendered configuration under a real nginx, with services and DNS on loopback."""

from __future__ import annotations

import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from .gateway import Answer, Gateway, gateway, nginx, nginx_arguments, substitute, write_configuration
from .loopback import Dns, Service, dns, free_port, service
from .rendered import container, environment_of, one, overlay

ROUTES = {"/api/users": "user-service", "/api/products": "product-service", "/api/orders": "order-service"}
ADDRESSES = {"user-service": "127.0.1.1", "product-service": "127.0.1.2", "order-service": "127.0.1.3"}
EVERY_ANSWER = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "strict-transport-security": "max-age=31536000",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
}


def full_name(name: str) -> str:
    return f"{name}.ecommerce.svc.cluster.local"


@dataclass(frozen=True, slots=True)
class Shop:
    """A gateway in front of its three services."""

    gateway: Gateway
    services: dict[str, Service]
    dns: Dns

    def seen_by(self, name: str) -> list[str]:
        return [request.path for request in self.services[name].seen]


@contextmanager
def open_shop(folder: Path) -> Iterator[Shop]:
    with ExitStack() as stack:
        names = stack.enter_context(dns())
        names.records |= {full_name(name): address for name, address in ADDRESSES.items()}
        running = stack.enter_context(gateway(folder, f"127.0.0.1:{names.port}"))
        services = {
            name: stack.enter_context(service(name, address, running.upstream_port))
            for name, address in ADDRESSES.items()
        }
        for route in ROUTES:
            running.wait_for(route, 200)
        for one_service in services.values():
            one_service.seen.clear()
        yield Shop(running, services, names)


def wait_until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not happened():
        assert time.monotonic() < deadline, "it did not happen within 10 seconds"
        time.sleep(0.01)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with open_shop(tmp_path_factory.mktemp("gateway") / "nginx") as running:
        yield running


def assert_error(answer: Answer, status: int, text: str) -> None:
    """An answer of the gateway's own: JSON, with the id that its header carries too."""
    assert (answer.status, answer.headers["content-type"]) == (status, "application/json")
    assert answer.json == {"status": status, "error": text, "requestId": answer.headers["x-request-id"]}
    assert EVERY_ANSWER.items() <= answer.headers.items()


def test_nginx_accepts_the_configuration_without_a_warning(tmp_path: Path) -> None:
    configuration = write_configuration(tmp_path / "nginx", "127.0.0.1:5353", free_port(), 8080)
    command: list[str | Path] = [nginx(), *nginx_arguments(tmp_path / "nginx", configuration), "-t"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert re.findall(r"\[(?:warn|error|emerg)\].*", done.stderr) == []


def test_nothing_is_left_unfilled_in_the_template_and_no_variable_of_nginx_is_lost() -> None:
    template = one(overlay("prod"), "ConfigMap", "api-gateway")["data"]["default.conf.template"]
    made = re.sub(r"(?m)^\s*#.*$", "", substitute(template, "10.96.0.10"))
    assert "${" not in made
    assert "resolver 10.96.0.10 " in made
    variables = set(re.findall(r"\$[a-z_]+", template))
    assert variables == set(re.findall(r"\$[a-z_]+", made))


def test_the_filter_admits_what_the_template_uses_and_not_the_whole_environment() -> None:
    template = one(overlay("prod"), "ConfigMap", "api-gateway")["data"]["default.conf.template"]
    admits = environment_of(container(overlay("prod"), "api-gateway"))["NGINX_ENVSUBST_FILTER"]
    used = set(re.findall(r"\$\{([A-Z_]+)\}", template))
    assert used
    assert all(re.search(admits, name) for name in used)
    assert not any(re.search(admits, name) for name in ("host", "uri", "PATH", "HOSTNAME", "NAMESPACE_OF_OTHERS"))


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("rest", ["", "/", "/42", "/42/items?page=2&size=10", "/a%20b"])
def test_each_route_reaches_its_service_with_the_path_unchanged(shop: Shop, route: str, rest: str) -> None:
    answer = shop.gateway.ask(route + rest)
    assert answer.status == 200
    assert answer.json["service"] == ROUTES[route]
    assert shop.seen_by(ROUTES[route])[-1] == route + rest


def test_a_body_passes_unchanged(shop: Shop) -> None:
    answer = shop.gateway.ask("/api/orders", "POST", {"Content-Type": "application/json"}, b'{"items":[1]}')
    request = shop.services["order-service"].seen[-1]
    assert answer.status == 200
    assert (request.method, request.body, request.headers["content-type"]) == (
        "POST",
        b'{"items":[1]}',
        "application/json",
    )


@pytest.mark.parametrize("path", ["/", "/api", "/api/", "/api/usersandmore", "/api/user", "/health/x", "/_error"])
def test_any_other_path_is_a_404_of_the_gateways_own(shop: Shop, path: str) -> None:
    assert_error(shop.gateway.ask(path), 404, "no such route")


def test_a_client_cannot_leave_its_route(shop: Shop) -> None:
    assert_error(shop.gateway.ask("/api/users/../../admin"), 404, "no such route")


def test_what_a_service_answers_passes_unchanged(shop: Shop) -> None:
    for status in (201, 404, 409, 500, 503):
        answer = shop.gateway.ask(f"/api/users/7?status={status}")
        assert (answer.status, answer.json) == (status, {"service": "user-service", "path": "/api/users/7"})
        assert EVERY_ANSWER.items() <= answer.headers.items()


@pytest.mark.parametrize("probe", ["startupProbe", "readinessProbe", "livenessProbe"])
def test_it_answers_what_its_probes_ask(shop: Shop, probe: str) -> None:
    path = container(overlay("prod"), "api-gateway")[probe]["httpGet"]["path"]
    assert (shop.gateway.ask(path).status, shop.gateway.ask(path).json) == (200, {"status": "ok"})


def test_headers_of_a_good_answer(shop: Shop) -> None:
    answer = shop.gateway.ask("/api/users")
    assert EVERY_ANSWER.items() <= answer.headers.items()
    assert answer.headers["server"] == "nginx"
    assert "retry-after" not in answer.headers


def test_a_request_id_goes_from_the_edge_to_the_service_and_back(shop: Shop) -> None:
    answer = shop.gateway.ask("/api/users", headers={"X-Request-ID": "edge-0123456789"})
    assert answer.headers["x-request-id"] == "edge-0123456789"
    assert shop.services["user-service"].seen[-1].headers["x-request-id"] == "edge-0123456789"


@pytest.mark.parametrize("given", [None, "", "short", "x" * 129, "a\"b{c}d$e'f", "two words here"])
def test_a_missing_or_malformed_request_id_becomes_a_new_one(shop: Shop, given: str | None) -> None:
    answers = [shop.gateway.ask("/api/users", headers={} if given is None else {"X-Request-ID": given}) for _ in "12"]
    ids = [answer.headers["x-request-id"] for answer in answers]
    assert all(re.fullmatch(r"[0-9a-f]{32}", one_id) for one_id in ids)
    assert len(set(ids)) == 2
    assert [request.headers["x-request-id"] for request in shop.services["user-service"].seen[-2:]] == ids


def test_a_service_learns_who_asked_and_how(shop: Shop) -> None:
    headers = {"Host": "ecommerce.local", "X-Real-IP": "203.0.113.7", "X-Forwarded-For": "203.0.113.7"}
    shop.gateway.ask("/api/users", headers=headers | {"X-Forwarded-Proto": "https", "traceparent": "00-ab-cd-01"})
    seen = shop.services["user-service"].seen[-1].headers
    assert seen["host"] == "ecommerce.local"
    assert seen["x-real-ip"] == "203.0.113.7"
    assert seen["x-forwarded-for"] == "203.0.113.7, 127.0.0.1"
    assert seen["x-forwarded-proto"] == "https"
    assert seen["traceparent"] == "00-ab-cd-01"
    shop.gateway.ask("/api/users", headers={"X-Forwarded-Proto": "javascript"})
    assert shop.services["user-service"].seen[-1].headers["x-forwarded-proto"] == "http"


def test_a_body_over_the_limit_is_refused_before_it_is_read(shop: Shop) -> None:
    before = len(shop.services["order-service"].seen)
    connection = shop.gateway.connect()
    connection.putrequest("POST", "/api/orders")
    connection.putheader("Content-Length", str(1024 * 1024 + 1))
    connection.endheaders()
    answer = Answer.read(connection)
    connection.close()
    assert_error(answer, 413, "request body larger than 1 MiB")
    assert len(shop.services["order-service"].seen) == before


def test_a_body_of_exactly_the_limit_passes(shop: Shop) -> None:
    body = b"x" * (1024 * 1024)
    assert shop.gateway.ask("/api/orders", "POST", body=body).status == 200
    assert shop.services["order-service"].seen[-1].body == body


def test_a_body_goes_to_the_service_as_it_comes(shop: Shop) -> None:
    """The Ingress controller has buffered it already, and this pod's /tmp is small."""
    connection = shop.gateway.connect()
    connection.putrequest("POST", "/api/orders/in-two-parts")
    connection.putheader("Content-Length", "10")
    connection.endheaders(b"first")
    wait_until(lambda: "/api/orders/in-two-parts" in shop.services["order-service"].begun)
    connection.send(b"other")
    assert Answer.read(connection).status == 200
    connection.close()
    assert shop.services["order-service"].seen[-1].body == b"firstother"


def test_a_large_answer_to_a_slow_client_is_never_written_to_disk(shop: Shop) -> None:
    connection = shop.gateway.connect()
    connection.request("GET", "/api/users/large?bytes=20000000")
    wait_until(lambda: "/api/users/large?bytes=20000000" in shop.seen_by("user-service"))
    time.sleep(0.5)
    answer = Answer.read(connection)
    connection.close()
    assert (answer.status, len(answer.body) > 20_000_000) == (200, True)
    assert "temporary file" not in shop.gateway.errors()


def test_connections_to_a_service_are_used_again(shop: Shop) -> None:
    before = len(shop.services["product-service"].connections)
    for _ in range(20):
        assert shop.gateway.ask("/api/products").status == 200
    workers = 2
    assert len(shop.services["product-service"].connections) - before <= workers


def test_a_service_that_is_late_is_a_504(shop: Shop) -> None:
    assert_error(shop.gateway.ask("/api/products?seconds=5"), 504, "service did not answer in time")


def test_a_client_that_asks_too_often_is_told_so_and_nobody_else_is(tmp_path: Path) -> None:
    with open_shop(tmp_path / "nginx") as shop:
        greedy = [shop.gateway.ask("/api/users", headers={"X-Real-IP": "203.0.113.9"}) for _ in range(400)]
        refused = [answer for answer in greedy if answer.status != 200]
        assert refused, "400 requests in a row were all let through"
        assert_error(refused[0], 429, "too many requests")
        assert refused[0].headers["retry-after"] == "1"
        assert shop.gateway.ask("/api/users", headers={"X-Real-IP": "203.0.113.10"}).status == 200
        assert {shop.gateway.ask("/health").status for _ in range(300)} == {200}


def test_one_client_cannot_hold_every_connection(tmp_path: Path) -> None:
    with open_shop(tmp_path / "nginx") as shop:
        connections = [shop.gateway.connect() for _ in range(102)]
        for connection in connections:
            # Fewer than the burst of requests that is let through, so that it is the connections that count.
            connection.request("GET", "/api/users?seconds=2", headers={"X-Real-IP": "203.0.113.9"})
        answers = [Answer.read(connection) for connection in connections]
        for connection in connections:
            connection.close()
    refused = [answer for answer in answers if answer.status != 200]
    assert len(refused) == 2
    assert_error(refused[0], 429, "too many requests")


def test_the_access_log_is_json_without_the_query_and_without_probes(tmp_path: Path) -> None:
    with open_shop(tmp_path / "nginx") as shop:
        so_far = len(shop.gateway.access_log(3))
        shop.gateway.ask("/health")
        headers = {"X-Request-ID": "log-line-1", "X-Real-IP": "203.0.113.7", "User-Agent": 'quote " and \\ slash'}
        shop.gateway.ask("/api/users/1?token=of-no-concern", headers=headers | {"traceparent": "00-ab-cd-01"})
        shop.gateway.ask("/nowhere", headers={"X-Request-ID": "log-line-2"})
        logged = {line["requestId"]: line for line in shop.gateway.access_log(so_far + 2)[so_far:]}
        first, second = logged["log-line-1"], logged["log-line-2"]  # each worker writes its own lines when it is done
        text = (shop.gateway.folder / "stdout").read_text()
    assert "of-no-concern" not in text
    assert "/health" not in text
    assert first["time"][:2] == "20"
    expected = {
        "requestId": "log-line-1",
        "client": "203.0.113.7",
        "method": "GET",
        "path": "/api/users/1",
        "status": 200,
        "userAgent": 'quote " and \\ slash',
        "traceparent": "00-ab-cd-01",
    }
    assert first | expected == first
    assert first["upstream"].startswith("127.0.1.1:")
    assert (first["upstreamStatus"], first["responseBytes"] > 0, first["requestBytes"] > 0) == ("200", True, True)
    assert float(first["upstreamSeconds"]) <= first["seconds"] + 0.01
    assert (second["requestId"], second["status"], second["upstream"]) == ("log-line-2", 404, "")


def test_it_starts_while_no_name_is_known_and_serves_when_the_services_appear(tmp_path: Path) -> None:
    with dns() as names, gateway(tmp_path / "nginx", f"127.0.0.1:{names.port}") as running:
        assert running.ask("/health").json == {"status": "ok"}
        assert_error(running.ask("/api/users"), 502, "service not reachable")
        assert names.asked == {full_name(name) for name in ADDRESSES}
        with service("user-service", "127.0.1.1", running.upstream_port):
            names.records[full_name("user-service")] = "127.0.1.1"
            assert running.wait_for("/api/users", 200).json["service"] == "user-service"
            assert running.ask("/api/orders").status == 502


def test_it_starts_while_dns_itself_is_not_there(tmp_path: Path) -> None:
    with gateway(tmp_path / "nginx", f"127.0.0.1:{free_port()}") as running:
        assert running.ask("/health").status == 200
        assert_error(running.ask("/api/users"), 502, "service not reachable")


def test_it_follows_a_service_to_another_address(tmp_path: Path) -> None:
    with dns() as names, gateway(tmp_path / "nginx", f"127.0.0.1:{names.port}") as running:
        with service("before", "127.0.1.1", running.upstream_port):
            names.records[full_name("user-service")] = "127.0.1.1"
            assert running.wait_for("/api/users", 200).json["service"] == "before"
        with service("after", "127.0.1.2", running.upstream_port):
            names.records[full_name("user-service")] = "127.0.1.2"
            assert running.wait_for("/api/users", 200).json["service"] == "after"


def test_a_dead_service_is_a_502_and_health_does_not_care(tmp_path: Path) -> None:
    with dns() as names, gateway(tmp_path / "nginx", f"127.0.0.1:{names.port}") as running:
        names.records |= {full_name(name): address for name, address in ADDRESSES.items()}
        with service("user-service", "127.0.1.1", running.upstream_port):
            running.wait_for("/api/users", 200)
        assert_error(running.ask("/api/users"), 502, "service not reachable")
        assert running.ask("/health").json == {"status": "ok"}


def test_a_stop_lets_the_request_that_is_being_answered_end(tmp_path: Path) -> None:
    """SIGQUIT is the image's stop signal."""
    with open_shop(tmp_path / "nginx") as shop:
        answers: list[Answer] = []
        late = threading.Thread(target=lambda: answers.append(shop.gateway.ask("/api/users?seconds=1")))
        late.start()
        wait_until(lambda: "/api/users?seconds=1" in shop.seen_by("user-service"))
        assert shop.gateway.end(signal.SIGQUIT) == 0
        late.join()
        assert [answer.status for answer in answers] == [200]
        with pytest.raises(ConnectionRefusedError):
            shop.gateway.ask("/health")
