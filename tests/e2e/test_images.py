"""Every pod of overlays/dev starts with the image that is made for it, hardened as its manifest says, and twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from cluster.images import TOOLS, provide_images
from cluster.images.layout import digest_of
from cluster.images.packages import NoArchiveError
from cluster.images.provide import make_images
from cluster.repository import ROOT
from cluster.waiting import until
from policy.manifests.images import parse_image
from tests.e2e.containers import PASSWORD, Container, Network, unpack, why_not
from tests.manifests.api_server import NAMESPACE, TOKEN, api_server, make_certificate
from tests.manifests.rendered import container, of_kind, overlay
from tools.build import provide

DATABASES = ("orders-db", "products-db", "users-db")
SERVERS = [
    (document["kind"], document["metadata"]["name"])
    for document in of_kind(overlay("dev"), "Deployment", "StatefulSet")
]

Make = Callable[[str, str], Container]


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, tuple[Path, Mapping[str, Any]]]:
    """By name: the unpacked image, and its configuration. Skips the test where no container can be started."""
    if missing := why_not():
        pytest.skip(missing)
    folder = tmp_path_factory.mktemp("images")
    provide(ROOT, TOOLS)
    try:
        layouts = provide_images(ROOT / ".tools")
    except NoArchiveError as error:
        pytest.skip(str(error))
    return {
        name: (folder / str(number), unpack(layout, folder / str(number)))
        for number, (name, layout) in enumerate(layouts.items())
    }


@pytest.fixture
def network() -> Iterator[Network]:
    one = Network()
    yield one
    one.close()


@pytest.fixture
def make(images: Mapping[str, tuple[Path, Mapping[str, Any]]], network: Network, tmp_path: Path) -> Make:
    def made(kind: str, name: str) -> Container:
        # As runc finds it: every folder above may be entered by the container's user.
        for folder in (tmp_path, *tmp_path.parents[:2]):
            folder.chmod(0o755)
        root, config = images[parse_image(container(overlay("dev"), name)["image"]).location]
        return Container(name, kind, root, config, tmp_path, network, mounted=_resolver(tmp_path))

    return made


def _resolver(folder: Path) -> dict[str, Path]:
    file = folder / "resolv.conf"
    file.write_text("search ecommerce-dev.svc.cluster.local\nnameserver 127.0.0.1\noptions ndots:5\n")
    return {"/etc/resolv.conf": file}


@pytest.mark.parametrize(("kind", "name"), SERVERS, ids=[name for _, name in SERVERS])
def test_pod_starts_twice_on_its_volumes_and_all_its_probes_succeed(make: Make, kind: str, name: str) -> None:
    one = make(kind, name)
    for _ in range(2):
        with one.running():
            one.wait_until_started()
            assert one.succeeds("readinessProbe"), one.said()
            assert one.succeeds("livenessProbe"), one.said()


def query(database: Container, text: str, password: str = PASSWORD) -> str:
    """What a client of the database's own user is told, over TCP."""
    command = 'psql --host 127.0.0.1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" --tuples-only --no-align'
    done = database.execute("sh", "-c", f"{command} --command '{text}' 2>&1", environment={"PGPASSWORD": password})
    return done.stdout.strip()


@pytest.mark.parametrize("name", DATABASES)
def test_database_is_there_as_soon_as_it_is_ready_and_keeps_its_rows(make: Make, name: str) -> None:
    database = make("StatefulSet", name)
    own = name.removesuffix("-db")
    with database.running():
        database.wait_until_started()
        assert query(database, "SELECT current_database(), current_user") == f"{own}|{own}"
        assert query(database, "CREATE TABLE kept AS SELECT 7 AS row") == "SELECT 1"
        assert query(database, "SHOW data_checksums") == "on"
        assert "password authentication failed" in query(database, "SELECT 1", password="wrong")
    with database.running():
        database.wait_until_started()
        assert query(database, "SELECT row FROM kept") == "7"
        database.signal("SIGKILL")
        assert database.wait() == 137
    with database.running():
        database.wait_until_started()
        assert query(database, "SELECT row FROM kept") == "7"


def test_database_that_was_killed_while_it_was_made_is_made_anew(make: Make) -> None:
    database = make("StatefulSet", "orders-db")
    unfinished = database.folder / "claim-data" / "pgdata.new"
    with database.running():
        until("it is being made", unfinished.exists, seconds=60, every=0.001)
        database.signal("SIGKILL")
        assert database.wait() == 137
    assert unfinished.exists()
    with database.running():
        database.wait_until_started()
        assert query(database, "SELECT current_database()") == "orders"
    assert not unfinished.exists()


def test_cache_asks_for_its_password_and_keeps_its_keys(make: Make) -> None:
    cache = make("StatefulSet", "redis")
    known = {"REDISCLI_AUTH": PASSWORD}
    with cache.running():
        cache.wait_until_started()
        assert "NOAUTH" in cache.execute("redis-cli", "GET", "cart").stdout
        assert cache.execute("redis-cli", "SET", "cart", "full", environment=known).stdout == "OK\n"
        assert cache.execute("redis-cli", "CONFIG", "GET", "appendonly", environment=known).stdout.split()[1] == "yes"
    with cache.running():
        cache.wait_until_started()
        assert cache.execute("redis-cli", "GET", "cart", environment=known).stdout == "full\n"


def test_gateway_serves_its_rendered_configuration(make: Make) -> None:
    gateway = make("Deployment", "api-gateway")
    with gateway.running():
        gateway.wait_until_started()
        assert gateway.get(8080, "/health/ready") == (200, '{"status":"ok"}\n')
        status, body = gateway.get(8080, "/api/users")
        assert (status, '"error":"service not reachable"' in body) == (502, True), body
        assert gateway.get(8080, "/nowhere")[0] == 404
        written = gateway.execute("cat", "/etc/nginx/conf.d/default.conf").stdout
    assert "resolver 127.0.0.1 valid=10s" in written
    assert "server user-service.ecommerce-dev.svc.cluster.local:8080 resolve;" in written
    assert "$request_id" in written


def test_placeholder_answers_with_the_name_of_its_service(make: Make) -> None:
    service = make("Deployment", "user-service")
    with service.running():
        service.wait_until_started()
        assert service.get(8080, "/api/users/1") == (200, "user-service\n")


def test_credentials_are_made_by_the_job_in_its_image(make: Make, network: Network, tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path / "server.pem", "127.0.0.1")
    account = tmp_path / "account"
    account.mkdir()
    (account / "token").write_text(TOKEN)
    (account / "namespace").write_text(NAMESPACE)
    (account / "ca.crt").write_bytes(Path(f"{certificate}.crt").read_bytes())
    job = make("Job", "credentials")
    job.mounted = {"/var/run/secrets/kubernetes.io/serviceaccount": account}
    serving = api_server(certificate)
    server = network.run(serving.__enter__)
    try:
        job.environment = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(server.port)}
        with job.running():
            assert job.wait() == 0, job.said()
    finally:
        serving.__exit__(None, None, None)
    assert sorted(server.secrets) == sorted(job.spec["args"])


def test_hardened_container_can_write_nowhere_else(make: Make) -> None:
    """The root of the image is read-only and the user is nobody, or the other tests prove nothing."""
    database = make("StatefulSet", "orders-db")
    with database.running():
        database.wait_until_started()
        assert database.execute("id", "-u").stdout == "10001\n"
        assert "Read-only file system" in database.execute("touch", "/var/lib/postgresql/here").stderr
        assert "CapEff:\t0000000000000000" in database.execute("cat", "/proc/1/status").stdout


def test_same_packages_give_the_same_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digests = []
    for cache in ("one", "other"):
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / cache))
        try:
            (layout,) = make_images(["docker.io/library/redis"], ROOT / ".tools").values()
        except NoArchiveError as error:
            pytest.skip(str(error))
        assert layout.is_relative_to(tmp_path / cache)
        digests.append(digest_of(layout))
    assert digests[0] == digests[1]
