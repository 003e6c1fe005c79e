"""Commands, probes and settings of the workloads speak of the paths and ports that their pods really have."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from .rendered import ENVIRONMENTS, Document, container, environment_of, one, overlay, pod, pods

pytestmark = pytest.mark.parametrize("environment", ENVIRONMENTS)

ABSOLUTE = re.compile(r"(?<![\w/:.])/[\w.-]+(?:/[\w.-]+)*")
PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
CLIENTS = {"pg_isready": 5432, "redis-cli": 6379}
"""The port that a command asks unless it is told another."""
PORT_OPTION = re.compile(r"(?<!\S)(?:-p|--port)[ =]?(\d+)")
DATABASES = ("users-db", "products-db", "orders-db")
REDIS_SETTINGS = {
    "port": "6379",
    "dir": "/data",
    "appendonly": "yes",
    "appendfsync": "everysec",
    "maxmemory-policy": "volatile-ttl",
}
"""What keeps carts over a restart, and drops nothing that has no lifetime."""


def said(of: Document) -> Iterator[str]:
    """Whatever a container is told that may hold a path."""
    yield from of.get("command", ())
    yield from of.get("args", ())
    yield from environment_of(of).values()
    for probe in PROBES:
        yield from of.get(probe, {}).get("exec", {}).get("command", ())


def files_of(documents: tuple[Document, ...], spec: Document, mount: Document) -> set[str] | None:
    """The names in a mounted Secret or ConfigMap; None for a volume that can hold anything."""
    volumes = {volume["name"]: volume for volume in spec.get("volumes", ())}
    volume = volumes.get(mount["name"], {})
    if "secret" in volume:
        return {item["path"] for item in volume["secret"]["items"]}
    if "configMap" in volume:
        (data,) = [d["data"] for d in documents if d["metadata"]["name"] == volume["configMap"]["name"] and "data" in d]
        return set(data)
    return None


def test_every_path_that_a_container_is_told_is_mounted(environment: str) -> None:
    documents = overlay(environment)
    paths = 0
    for name, spec in pods(documents):
        (only,) = spec["containers"]
        mounts = {mount["mountPath"]: mount for mount in only.get("volumeMounts", ())}
        for path in (path for text in said(only) for path in ABSOLUTE.findall(text)):
            within = [folder for folder in mounts if path == folder or path.startswith(f"{folder}/")]
            assert within, (name, path)
            folder = max(within, key=len)
            files = files_of(documents, spec, mounts[folder])
            assert files is None or path.removeprefix(f"{folder}/") in files, (name, path)
            paths += 1
    # Databases: data and password. Redis: settings, and the password thrice. Services: passwords. The Job: its script.
    assert paths == 3 * 2 + 4 + 4 + 1


def test_a_probe_asks_a_port_that_its_container_opens(environment: str) -> None:
    asked = 0
    for name, spec in pods(overlay(environment)):
        (only,) = spec["containers"]
        opened = {port["containerPort"] for port in only.get("ports", ())}
        for probe in (only[kind] for kind in PROBES if kind in only):
            if "exec" in probe:
                (number,) = ports_asked(only, " ".join(probe["exec"]["command"]))
            else:
                number = {port["name"]: port["containerPort"] for port in only["ports"]}[probe["httpGet"]["port"]]
            assert number in opened, (name, probe)
            asked += 1
    assert asked == 9 * len(PROBES)


def ports_asked(of: Document, command: str) -> Iterator[int]:
    # It would move PostgreSQL and its clients alike.
    assert "PGPORT" not in environment_of(of)
    for client, default in CLIENTS.items():
        if re.search(rf"\b{client}\b", command):
            option = PORT_OPTION.search(command)
            yield int(option[1]) if option else default


def test_a_server_listens_where_its_container_says(environment: str) -> None:
    documents = overlay(environment)
    gateway = one(documents, "ConfigMap", "api-gateway")["data"]["default.conf.template"]
    (listen,) = re.findall(r"(?m)^\s*listen (\d+);", gateway)
    listening = {
        "api-gateway": int(listen),
        "redis": int(redis_settings(documents)["port"]),
        **dict.fromkeys(DATABASES, CLIENTS["pg_isready"]),
    }
    for name, number in listening.items():
        assert [port["containerPort"] for port in container(documents, name)["ports"]] == [number], name


def test_a_service_asks_its_stores_on_the_ports_that_they_open(environment: str) -> None:
    documents = overlay(environment)
    told = 0
    for _, spec in pods(documents):
        variables = environment_of(spec["containers"][0])
        for name, value in variables.items():
            if name.endswith("_PORT"):
                store = container(documents, variables[f"{name.removesuffix('_PORT')}_HOST"])
                assert int(value) in {port["containerPort"] for port in store["ports"]}, name
                told += 1
    assert told == 4


def redis_settings(documents: tuple[Document, ...]) -> dict[str, str]:
    text = one(documents, "ConfigMap", "redis")["data"]["redis.conf"]
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    settings = {name: value for name, _, value in (line.partition(" ") for line in lines)}
    assert len(settings) == len(lines), "the last of two lines would win"
    return settings


def test_redis_keeps_what_it_was_given(environment: str) -> None:
    settings = redis_settings(overlay(environment))
    assert {name: settings.get(name) for name in REDIS_SETTINGS} == REDIS_SETTINGS
    assert "protected-mode" not in settings
    mounts = {mount["mountPath"]: mount["name"] for mount in container(overlay(environment), "redis")["volumeMounts"]}
    (claim,) = one(overlay(environment), "StatefulSet", "redis")["spec"]["volumeClaimTemplates"]
    assert mounts[settings["dir"]] == claim["metadata"]["name"]


def test_redis_starts_with_its_settings_and_then_the_password(environment: str, tmp_path: Path) -> None:
    """The start command itself, in a real shell; what stands in for the server tells what it was given."""
    mounted = pod(overlay(environment), "redis")["containers"][0]["volumeMounts"]
    assert {"/etc/redis", "/run/secrets/redis"} <= {mount["mountPath"] for mount in mounted}
    server = tmp_path / "redis-server"
    server.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\ncat\n', encoding="utf-8")
    server.chmod(0o755)
    (tmp_path / "password").write_text("p4ss-_w0rd", encoding="utf-8")
    command = [
        part.replace("/run/secrets/redis/", f"{tmp_path}/")
        for part in container(overlay(environment), "redis")["command"]
    ]
    path = f"{tmp_path}:{os.environ['PATH']}"
    done = subprocess.run(command, env={"PATH": path}, capture_output=True, text=True, check=True, timeout=20)
    assert done.stdout.splitlines() == ["/etc/redis/redis.conf", "-", "requirepass p4ss-_w0rd"]


def test_memory_that_looks_like_a_disk_leaves_room_for_the_process(environment: str) -> None:
    """What is written to an emptyDir in memory counts against the container's limit."""
    for name in DATABASES:
        spec = pod(overlay(environment), name)
        (only,) = spec["containers"]
        sizes = {v["name"]: v["emptyDir"]["sizeLimit"] for v in spec["volumes"] if v.get("emptyDir", {}).get("medium")}
        mounts = {mount["mountPath"]: mount["name"] for mount in only["volumeMounts"]}
        assert sizes.keys() == {mounts["/dev/shm"]}
        shared = int(sizes[mounts["/dev/shm"]].removesuffix("Mi"))
        assert 64 < shared <= mebibytes(only["resources"]["limits"]["memory"]) // 4


def mebibytes(quantity: str) -> int:
    return int(quantity[:-2]) * {"Mi": 1, "Gi": 1024}[quantity[-2:]]
