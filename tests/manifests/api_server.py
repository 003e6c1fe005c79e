"""An HTTPS server on loopback that speaks as much of the Secrets API as the credentials Job uses."""

from __future__ import annotations

import datetime
import ipaddress
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

TOKEN = "a-token-of-the-test"
NAMESPACE = "ecommerce-dev"
SECRETS = f"/api/v1/namespaces/{NAMESPACE}/secrets"


@dataclass(slots=True)
class ApiServer:
    """What the server holds and what it was asked; ``troubles`` are statuses that it answers first, in turn."""

    port: int
    secrets: dict[str, Any] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    troubles: list[int] = field(default_factory=list)
    appears_meanwhile: set[str] = field(default_factory=set)
    """Secrets that another creates between the question and the creation."""

    def answer(self, method: str, path: str, token: str | None, body: bytes) -> tuple[int, object]:
        self.asked.append((method, path))
        if self.troubles:
            return self.troubles.pop(0), {"kind": "Status"}
        if token != f"Bearer {TOKEN}":
            return 401, {"kind": "Status"}
        if method == "GET" and path.startswith(f"{SECRETS}/"):
            found = self.secrets.get(path.rsplit("/", 1)[1])
            return (200, found) if found else (404, {"kind": "Status"})
        if method == "POST" and path == SECRETS:
            return self._create(json.loads(body))
        return 405, {"kind": "Status"}

    def _create(self, secret: dict[str, Any]) -> tuple[int, object]:
        name = secret["metadata"]["name"]
        if name in self.secrets or name in self.appears_meanwhile:
            return 409, {"kind": "Status"}
        # The real server keeps base64 in data; the value itself is what a test wants to see.
        self.secrets[name] = secret | {"data": secret["stringData"]}
        return 201, self.secrets[name]


@contextmanager
def api_server(certificate: Path) -> Iterator[ApiServer]:
    """Serve HTTPS with the certificate (its key in the same file) on a free port of 127.0.0.1."""
    about = ApiServer(0)

    class Handler(BaseHTTPRequestHandler):
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer()

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            status, content = about.answer(self.command, self.path, self.headers["Authorization"], body)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(content).encode())

        def log_message(self, format: str, *args: object) -> None:
            """Quiet: pytest shows what matters."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            """A client that does not trust the certificate hangs up, which is what one test wants."""

    with Server(("127.0.0.1", 0), Handler) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        # Handshakes belong to the request's thread: one that fails must not end the server.
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        about.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield about
        finally:
            server.shutdown()
            thread.join()


def make_certificate(file: Path, address: str) -> Path:
    """Write key and self-signed certificate of an address into one file, and the certificate into another beside it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = certificate.public_bytes(Encoding.PEM)
    file.write_bytes(private + public)
    Path(f"{file}.crt").write_bytes(public)
    return file
