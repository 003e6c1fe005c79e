"""Create each named Secret with one random password, if and only if it is absent.

An existing Secret is never changed: PostgreSQL takes its password only when its volume is empty, so a new
value would lock every client out. The value is never printed.
Standard library only, since it runs in a plain Python image. API: https://kubernetes.io/docs/reference/kubernetes-api/
"""

import json
import os
import secrets
import ssl
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

# Where the kubelet mounts the pod's token, the cluster's CA and the namespace.
SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
KEY = "password"
REQUEST_SECONDS = 10.0
# Shorter than the Job's activeDeadlineSeconds, so that the last line of the log says why.
GIVE_UP_SECONDS = 120.0
# 403 too: a Role that was created a moment ago may not have reached the authoriser yet.
WORTH_ANOTHER_TRY = {HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS}


class CannotCreateError(Exception):
    """The Secret could not be made, or is there and cannot serve."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the API server said: an HTTP status and a body (JSON text)."""

    status: int
    body: bytes


@dataclass(frozen=True, slots=True)
class ApiServer:
    """The Secrets of one namespace, as the mounted service account may see them."""

    url: str
    account: Path
    give_up_seconds: float = GIVE_UP_SECONDS

    @classmethod
    def from_pod(cls, environment: Mapping[str, str], account: Path, give_up_seconds: float) -> "ApiServer":
        """Read address and namespace from what the kubelet gives every pod; no DNS is needed for them."""
        host = environment["KUBERNETES_SERVICE_HOST"]
        port = environment["KUBERNETES_SERVICE_PORT"]
        namespace = (account / "namespace").read_text().strip()
        bracketed = f"[{host}]" if ":" in host else host
        return cls(f"https://{bracketed}:{port}/api/v1/namespaces/{namespace}/secrets", account, give_up_seconds)

    def get(self, name: str) -> Answer:
        return self._ask(f"{self.url}/{name}", None)

    def create(self, name: str) -> Answer:
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": name,
                "labels": {"app.kubernetes.io/part-of": "ecommerce", "app.kubernetes.io/managed-by": "credentials"},
            },
            "type": "Opaque",
            # Hexadecimal: it needs no quoting in a URL, a shell or a configuration file.
            "stringData": {KEY: secrets.token_hex(32)},
        }
        return self._ask(self.url, json.dumps(secret).encode())

    def _ask(self, url: str, body: bytes | None) -> Answer:
        """Ask until there is an answer worth acting on; CannotCreateError when the time is up."""
        deadline = time.monotonic() + self.give_up_seconds
        pause = 0.5
        while True:
            try:
                answer = self._ask_once(url, body)
                if answer.status < HTTPStatus.INTERNAL_SERVER_ERROR and answer.status not in WORTH_ANOTHER_TRY:
                    return answer
                trouble = f"the API server answered {answer.status}"
            except OSError as error:
                trouble = f"the API server cannot be reached: {error}"
            if time.monotonic() + pause > deadline:
                raise CannotCreateError(trouble)
            print(f"{trouble}; trying again in {pause:g} s", flush=True)
            time.sleep(pause)
            pause = min(pause * 2, 10.0)

    def _ask_once(self, url: str, body: bytes | None) -> Answer:
        # Read each time: the kubelet replaces the token long before it ends.
        token = (self.account / "token").read_text().strip()
        request = urllib.request.Request(url, data=body, headers={"Authorization": f"Bearer {token}"})
        request.add_header("Accept", "application/json")
        if body is not None:
            request.add_header("Content-Type", "application/json")
        trust = ssl.create_default_context(cafile=str(self.account / "ca.crt"))
        # No proxy, whatever the environment says: the token is for the API server alone.
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trust)
        )
        try:
            with opener.open(request, timeout=REQUEST_SECONDS) as response:
                return Answer(response.status, response.read())
        except urllib.error.HTTPError as refusal:
            return Answer(refusal.code, refusal.read())


def ensure(server: ApiServer, name: str) -> str:
    """Make sure that the Secret is there; what was found or done, in a word or two."""
    found = server.get(name)
    if found.status == HTTPStatus.OK:
        if not json.loads(found.body).get("data", {}).get(KEY):
            raise CannotCreateError(f"it exists without a value for {KEY!r}; add one or delete it")
        return "exists"
    if found.status != HTTPStatus.NOT_FOUND:
        raise CannotCreateError(f"the API server answered {found.status} when asked for it")
    made = server.create(name)
    if made.status == HTTPStatus.CONFLICT:
        return "exists, created meanwhile by another"
    if made.status != HTTPStatus.CREATED:
        raise CannotCreateError(f"the API server answered {made.status} when asked to create it")
    return "created"


def main(
    names: Sequence[str],
    environment: Mapping[str, str],
    account: Path = SERVICE_ACCOUNT,
    give_up_seconds: float = GIVE_UP_SECONDS,
) -> int:
    """Ensure every Secret in turn; the exit code: 0 if all are there, 1 at the first that is not."""
    server = ApiServer.from_pod(environment, account, give_up_seconds)
    for name in names:
        try:
            print(f"Secret {name}: {ensure(server, name)}", flush=True)
        except CannotCreateError as error:
            print(f"Secret {name}: {error}", file=sys.stderr, flush=True)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
