"""What stands around the gateway, on loopback: services that answer, and the cluster's DNS.

Services have addresses of their own out of 127.0.0.0/8, all of which Linux answers.
"""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True, slots=True)
class Request:
    """One request as a service saw it."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class Service:
    """A service that writes down every request and answers with its own name.

    The query says how: ``status=418`` for another status, ``seconds=2`` for a late answer, ``bytes=9`` for a long one.
    ``begun`` has the path of every request whose head has come, ``seen`` the request when its body has come too.
    """

    name: str
    address: str
    port: int
    begun: list[str] = field(default_factory=list)
    seen: list[Request] = field(default_factory=list)
    connections: list[socket.socket] = field(default_factory=list)


@contextmanager
def service(name: str, address: str, port: int) -> Iterator[Service]:
    """Run a service on a loopback address; it ends with the block."""
    about = Service(name, address, port)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Head and body are two writes, and Nagle's algorithm would hold the second back for 40 ms.
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer()

        def _answer(self) -> None:
            path, _, query = self.path.partition("?")
            wishes = dict(pair.split("=", 1) for pair in query.split("&") if "=" in pair)
            about.begun.append(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            headers = {key.lower(): value for key, value in self.headers.items()}
            about.seen.append(Request(self.command, self.path, headers, body))
            time.sleep(float(wishes.get("seconds", "0")))
            content = json.dumps({"service": name, "path": path}).encode() + b" " * int(wishes.get("bytes", "0"))
            try:
                self.send_response(int(wishes.get("status", "200")))
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.send_header("X-Request-ID", "the-services-own")
                self.end_headers()
                self.wfile.write(content)
            except OSError:
                # The gateway gave up waiting, which is what a test of its time limit wants.
                self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:
            """Quiet: pytest shows what matters."""

    with _Server((address, port), Handler, about.connections) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield about
        finally:
            server.shutdown()
            thread.join()
            server.hang_up()


class _Server(ThreadingHTTPServer):
    """A server whose end ends its open connections too, as a pod's does."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(
        self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler], connections: list[socket.socket]
    ) -> None:
        self._connections = connections
        super().__init__(address, handler)

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        connection, client = super().get_request()
        self._connections.append(connection)
        return connection, client

    def hang_up(self) -> None:
        for connection in self._connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


@dataclass(slots=True)
class Dns:
    """A name server that knows A records only; ``records`` may change while it runs."""

    port: int
    records: dict[str, str] = field(default_factory=dict)
    asked: set[str] = field(default_factory=set)


@contextmanager
def dns() -> Iterator[Dns]:
    """Run a name server on a free UDP port of 127.0.0.1; an unknown name is NXDOMAIN."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(0.05)
        about = Dns(sock.getsockname()[1])
        stopping = threading.Event()

        def serve() -> None:
            while not stopping.is_set():
                try:
                    query, client = sock.recvfrom(512)
                except TimeoutError:
                    continue
                sock.sendto(_answer(query, about), client)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield about
        finally:
            stopping.set()
            thread.join()


def _answer(query: bytes, about: Dns) -> bytes:
    """The reply to a query of one question. RFC 1035, section 4."""
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1 : at + 1 + query[at]].decode())
        at += 1 + query[at]
    question = query[12 : at + 5]
    name = ".".join(labels)
    about.asked.add(name)
    address = about.records.get(name)
    response, authoritative, no_such_name = 0x8000, 0x0400, 3
    flags = response | authoritative | (0 if address else no_such_name)
    header = query[:2] + struct.pack("!HHHHH", flags, 1, 1 if address else 0, 0, 0)
    if not address:
        return header + question
    a_record, internet, seconds_to_live = 1, 1, 1
    pointer_to_the_question = 0xC00C
    record = struct.pack("!HHHIH", pointer_to_the_question, a_record, internet, seconds_to_live, 4)
    return header + question + record + socket.inet_aton(address)


def free_port() -> int:
    """A TCP port that nothing on this machine listens on, on any loopback address."""
    with socket.socket() as sock:
        # Every address, so that the number is free on all of them; nothing ever listens here.
        sock.bind(("0.0.0.0", 0))
        port: int = sock.getsockname()[1]
        return port
