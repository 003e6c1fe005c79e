"""The credentials Job: the very script that its ConfigMap holds, against an HTTPS server on loopback."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from .api_server import NAMESPACE, SECRETS, TOKEN, ApiServer, api_server, make_certificate
from .loopback import free_port
from .rendered import container, one, overlay

ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
NAMES = ["users-db-credentials", "products-db-credentials", "orders-db-credentials", "redis-credentials"]
VALUE = "0123456789abcdef" * 4


@dataclass(frozen=True, slots=True)
class Job:
    """The Job's container without the container: its command, its script, its mounted account."""

    folder: Path

    def run(self, port: int, *names: str, seconds: float = 20.0) -> subprocess.CompletedProcess[str]:
        """Run it to its end as the kubelet would, with an API server at the port; ``seconds`` is when it gives up."""
        spec = container(overlay("dev"), "credentials")
        script = one(overlay("dev"), "ConfigMap", "credentials")["data"]["create_credentials.py"]
        assert script.count(ACCOUNT) == 1
        assert script.count("GIVE_UP_SECONDS = 120.0") == 1
        script = script.replace(ACCOUNT, str(self.folder))
        script = script.replace("GIVE_UP_SECONDS = 120.0", f"GIVE_UP_SECONDS = {seconds}")
        path = self.folder / "create_credentials.py"
        path.write_text(script)
        interpreter, options, mounted = spec["command"]
        assert (interpreter, Path(mounted).name) == ("python3", path.name)
        environment = os.environ | {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(port)}
        # A proxy that is not there: nothing may go through it.
        environment |= {"HTTPS_PROXY": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
        return subprocess.run(
            [sys.executable, options, path, *(names or spec["args"])],
            capture_output=True,
            text=True,
            check=False,
            env=environment,
            timeout=60,
        )


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("tls") / "server.pem", "127.0.0.1")


@pytest.fixture
def job(tmp_path: Path, certificate: Path) -> Job:
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    (tmp_path / "namespace").write_text(NAMESPACE)
    (tmp_path / "ca.crt").write_bytes(Path(f"{certificate}.crt").read_bytes())
    return Job(tmp_path)


@pytest.fixture
def server(certificate: Path) -> Iterator[ApiServer]:
    with api_server(certificate) as running:
        yield running


def test_it_creates_every_absent_secret_with_a_random_value_of_its_own(job: Job, server: ApiServer) -> None:
    done = job.run(server.port)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [f"Secret {name}: created" for name in NAMES]
    assert list(server.secrets) == NAMES
    values = [server.secrets[name]["data"] for name in NAMES]
    assert all(list(value) == ["password"] and len(value["password"]) == 64 for value in values)
    assert len({value["password"] for value in values}) == len(NAMES)
    assert server.asked == [
        (method, path) for name in NAMES for method, path in (("GET", f"{SECRETS}/{name}"), ("POST", SECRETS))
    ]


def test_it_never_prints_a_value(job: Job, server: ApiServer) -> None:
    server.secrets["redis-credentials"] = {"data": {"password": VALUE}}
    done = job.run(server.port)
    said = done.stdout + done.stderr
    assert all(secret["data"]["password"] not in said for secret in server.secrets.values())
    assert TOKEN not in said


def test_a_second_run_changes_nothing_and_asks_for_nothing_but_the_names(job: Job, server: ApiServer) -> None:
    job.run(server.port)
    before = dict(server.secrets)
    server.asked.clear()
    done = job.run(server.port)
    assert (done.returncode, server.secrets) == (0, before)
    assert done.stdout.splitlines() == [f"Secret {name}: exists" for name in NAMES]
    assert server.asked == [("GET", f"{SECRETS}/{name}") for name in NAMES]


def test_it_creates_only_what_is_absent(job: Job, server: ApiServer) -> None:
    server.secrets["users-db-credentials"] = {"data": {"password": VALUE}}
    assert job.run(server.port).returncode == 0
    assert server.secrets["users-db-credentials"] == {"data": {"password": VALUE}}
    assert set(server.secrets) == set(NAMES)


def test_another_that_was_quicker_wins(job: Job, server: ApiServer) -> None:
    server.appears_meanwhile.add("redis-credentials")
    done = job.run(server.port, "redis-credentials")
    assert (done.returncode, done.stdout) == (0, "Secret redis-credentials: exists, created meanwhile by another\n")


@pytest.mark.parametrize("trouble", [500, 503, 429, 403])
def test_it_tries_again_what_may_pass(job: Job, server: ApiServer, trouble: int) -> None:
    server.troubles += [trouble, trouble]
    done = job.run(server.port, "redis-credentials")
    assert (done.returncode, set(server.secrets)) == (0, {"redis-credentials"})
    assert done.stdout.splitlines()[0] == f"the API server answered {trouble}; trying again in 0.5 s"


def test_it_gives_up_in_time_and_says_why(job: Job, server: ApiServer) -> None:
    server.troubles += [503] * 100
    done = job.run(server.port, "redis-credentials", seconds=1.0)
    assert (done.returncode, done.stderr) == (1, "Secret redis-credentials: the API server answered 503\n")


def test_a_server_that_is_not_there_is_one_sentence(job: Job) -> None:
    done = job.run(free_port(), "redis-credentials", seconds=0.2)
    assert done.returncode == 1
    assert done.stderr.startswith("Secret redis-credentials: the API server cannot be reached: ")
    assert len(done.stderr.splitlines()) == 1


def test_a_refusal_that_will_not_pass_ends_it_at_once(job: Job, server: ApiServer) -> None:
    (job.folder / "token").write_text("of another")
    done = job.run(server.port, "redis-credentials")
    assert (done.returncode, len(server.asked)) == (1, 1)
    assert done.stderr == "Secret redis-credentials: the API server answered 401 when asked for it\n"


def test_a_secret_without_the_key_is_reported_and_left_alone(job: Job, server: ApiServer) -> None:
    server.secrets["redis-credentials"] = {"data": {"pass": VALUE}}
    done = job.run(server.port, "redis-credentials")
    assert done.returncode == 1
    assert done.stderr == "Secret redis-credentials: it exists without a value for 'password'; add one or delete it\n"
    assert server.secrets == {"redis-credentials": {"data": {"pass": VALUE}}}


def test_the_token_never_goes_to_a_server_that_the_cluster_does_not_vouch_for(
    job: Job, server: ApiServer, tmp_path: Path
) -> None:
    stranger = make_certificate(tmp_path / "stranger.pem", "127.0.0.1")
    (job.folder / "ca.crt").write_bytes(Path(f"{stranger}.crt").read_bytes())
    done = job.run(server.port, "redis-credentials", seconds=0.2)
    assert (done.returncode, server.asked) == (1, [])
    assert "certificate verify failed" in done.stderr


def test_a_certificate_of_another_address_is_refused(job: Job, tmp_path: Path) -> None:
    other = make_certificate(tmp_path / "other.pem", "127.0.0.2")
    (job.folder / "ca.crt").write_bytes(Path(f"{other}.crt").read_bytes())
    with api_server(other) as elsewhere:
        done = job.run(elsewhere.port, "redis-credentials", seconds=0.2)
        assert (done.returncode, elsewhere.asked) == (1, [])
