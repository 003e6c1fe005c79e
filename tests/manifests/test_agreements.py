"""What two files must say alike, and no tool compares: each test names the sentence that both would break."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from .rendered import ENVIRONMENTS, REPOSITORY, Document, container, environment_of, of_kind, one, overlay, pod, pods

pytestmark = pytest.mark.parametrize("environment", ENVIRONMENTS)

UNITS = {"": 1, "k": 10**3, "m": 10**6, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "kb": 2**10, "mb": 2**20}


def size(quantity: str) -> int:
    """Bytes of a quantity of Kubernetes (128Mi), redis (128mb) or nginx (1m, where m is mebi)."""
    number, unit = re.fullmatch(r"(\d+)(\w*)", quantity).groups()  # type: ignore[union-attr]
    return int(number) * UNITS[unit]


def seconds(text: str, directive: str) -> int:
    (found,) = re.findall(rf"(?m)^\s*{directive} (\d+)s;", text)
    return int(found)


def gateway_configuration(environment: str) -> dict[str, str]:
    data: dict[str, str] = one(overlay(environment), "ConfigMap", "api-gateway")["data"]
    return data


def mounted_secrets(documents: tuple[Document, ...]) -> dict[str, set[str]]:
    """Secret -> the workloads that mount it."""
    found: dict[str, set[str]] = {}
    for name, spec in pods(documents):
        for volume in spec.get("volumes", ()):
            if "secret" in volume:
                found.setdefault(volume["secret"]["secretName"], set()).add(name)
    return found


def test_the_job_makes_exactly_the_secrets_that_are_mounted_and_may_read_exactly_those(environment: str) -> None:
    documents = overlay(environment)
    made = container(documents, "credentials")["args"]
    assert sorted(made) == sorted(mounted_secrets(documents))
    rules = one(documents, "Role", "credentials")["rules"]
    assert {tuple(rule["verbs"]): rule.get("resourceNames") for rule in rules} == {("get",): made, ("create",): None}


def test_a_credential_is_shared_by_a_store_and_its_one_service(environment: str) -> None:
    assert mounted_secrets(overlay(environment)) == {
        "users-db-credentials": {"users-db", "user-service"},
        "products-db-credentials": {"products-db", "product-service"},
        "orders-db-credentials": {"orders-db", "order-service"},
        "redis-credentials": {"redis", "order-service"},
    }


def test_only_the_job_has_a_token(environment: str) -> None:
    tokens = {name: spec["automountServiceAccountToken"] for name, spec in pods(overlay(environment))}
    assert [name for name, mounted in tokens.items() if mounted] == ["credentials"]
    accounts = of_kind(overlay(environment), "ServiceAccount")
    assert {account["automountServiceAccountToken"] for account in accounts} == {False}


def test_every_password_file_is_where_a_secret_is_mounted(environment: str) -> None:
    files = 0
    for _, spec in pods(overlay(environment)):
        (only,) = spec["containers"]
        mounts = {mount["mountPath"]: mount["name"] for mount in only.get("volumeMounts", ())}
        volumes = {volume["name"]: volume for volume in spec.get("volumes", ())}
        for name, path in environment_of(only).items():
            if name.endswith("_PASSWORD_FILE"):
                folder, _, file = path.rpartition("/")
                assert file in [item["path"] for item in volumes[mounts[folder]]["secret"]["items"]]
                files += 1
    assert files == 3 + 3 + 1


@pytest.mark.parametrize("word", ["user", "product", "order"])
def test_a_service_asks_its_database_for_what_the_database_made(environment: str, word: str) -> None:
    database = environment_of(container(overlay(environment), f"{word}s-db"))
    service = environment_of(container(overlay(environment), f"{word}-service"))
    prefix = f"{word.upper()}S_DB"
    assert service[f"{prefix}_HOST"] == f"{word}s-db"
    assert service[f"{prefix}_NAME"] == database["POSTGRES_DB"]
    assert service[f"{prefix}_USER"] == database["POSTGRES_USER"]


def test_the_data_directory_is_below_the_mount_of_the_claim(environment: str) -> None:
    for database in ("users-db", "products-db", "orders-db"):
        spec = container(overlay(environment), database)
        (mount,) = [mount["mountPath"] for mount in spec["volumeMounts"] if mount["name"] == "data"]
        assert environment_of(spec)["PGDATA"].startswith(f"{mount}/")


def test_redis_has_room_to_rewrite_its_log(environment: str) -> None:
    """A forked child may copy every page, so its data may fill half of the container's memory."""
    settings = one(overlay(environment), "ConfigMap", "redis")["data"]["redis.conf"]
    (memory,) = re.findall(r"(?m)^maxmemory (\w+)$", settings)
    limit = container(overlay(environment), "redis")["resources"]["limits"]["memory"]
    assert 2 * size(memory) <= size(limit)


def test_what_a_pod_may_write_fits_in_what_it_may_use(environment: str) -> None:
    """The kubelet evicts a pod whose emptyDirs and logs together pass its ephemeral-storage limit."""
    for name, spec in pods(overlay(environment)):
        (only,) = spec["containers"]
        on_disk = [v["emptyDir"] for v in spec.get("volumes", ()) if "emptyDir" in v and "medium" not in v["emptyDir"]]
        empty_dirs = [size(empty_dir["sizeLimit"]) for empty_dir in on_disk]
        assert sum(empty_dirs) < size(only["resources"]["limits"]["ephemeral-storage"]), name


def test_the_innermost_time_limit_is_the_shortest(environment: str) -> None:
    """So that the one who answers is the one who knows what was late."""
    made = gateway_configuration(environment)
    annotations = one(overlay(environment), "Ingress", "ingress")["metadata"]["annotations"]
    ingress = int(annotations["nginx.ingress.kubernetes.io/proxy-read-timeout"])
    assert ingress == 120
    service = seconds(made["default.conf.template"], "proxy_read_timeout")
    closing = seconds(made["nginx.conf"], "worker_shutdown_timeout")
    spec = pod(overlay(environment), "api-gateway")
    waits = spec["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert service < ingress
    assert service < closing
    assert waits + closing < spec["terminationGracePeriodSeconds"]


def test_the_ingress_and_the_gateway_take_bodies_of_the_same_size(environment: str) -> None:
    annotations = one(overlay(environment), "Ingress", "ingress")["metadata"]["annotations"]
    (limit,) = re.findall(r"client_max_body_size (\w+);", gateway_configuration(environment)["default.conf.template"])
    assert annotations["nginx.ingress.kubernetes.io/proxy-body-size"] == limit


def test_everything_the_gateway_writes_is_on_a_writable_volume(environment: str) -> None:
    spec = pod(overlay(environment), "api-gateway")
    empty_dirs = {volume["name"] for volume in spec["volumes"] if "emptyDir" in volume}
    mounts = spec["containers"][0]["volumeMounts"]
    writable = tuple(f"{mount['mountPath']}/" for mount in mounts if mount["name"] in empty_dirs)
    text = gateway_configuration(environment)["nginx.conf"]
    written = re.findall(r"(?m)^\s*(?:pid|\w+_temp_path) (\S+);", text)
    assert len(written) == 1 + 5
    assert all(path.startswith(writable) for path in written)
    assert "/etc/nginx/conf.d/" in writable


def test_the_ingress_speaks_of_one_host_and_its_certificate(environment: str) -> None:
    spec = one(overlay(environment), "Ingress", "ingress")["spec"]
    hosts = [rule["host"] for rule in spec["rules"]]
    assert [host for entry in spec["tls"] for host in entry["hosts"]] == hosts
    assert len(hosts) == 1


def test_the_api_server_is_where_the_contract_says(environment: str) -> None:
    contract: Any = yaml.safe_load((REPOSITORY / "topology.yaml").read_text())
    (rule,) = one(overlay(environment), "NetworkPolicy", "credentials")["spec"]["egress"]
    stated = [peer["ipBlock"]["cidr"] for peer in rule["to"]]
    assert stated == contract["outside"]["api-server"]["cidrs"]
    ports = ", ".join(f"{port['protocol']} {port['port']}" for port in rule["ports"])
    assert f"credentials -> api-server : {ports}" in contract["flows"]
