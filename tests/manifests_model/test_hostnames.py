"""Which words of a value, an argument or a file are hosts, and which are not."""

from __future__ import annotations

import textwrap

import pytest

from policy.manifests.hostnames import Host, hosts_in_arguments, hosts_in_file, hosts_in_value, port_name, substituted


def shown(host: Host) -> str:
    """``name:port``; a question mark where only the looks speak for a host."""
    port = "" if host.port is None else f":{host.port}"
    return ".".join(host.labels) + port + ("" if host.sure else "?")


VALUES = [
    # URLs
    ("X", "http://user-service", ["user-service:80"]),
    ("X", "https://user-service/api?x=1", ["user-service:443"]),
    ("X", "http://user-service:8080/api", ["user-service:8080"]),
    ("X", "http://user:p%40ss:w@db:8080", ["db:8080"]),
    ("X", "postgres://app:$(PASSWORD)@users-db/users?sslmode=disable", ["users-db:5432"]),
    ("X", "postgresql+asyncpg://users-db:5433/users", ["users-db:5433"]),
    ("X", "jdbc:postgresql://users-db:5432/users", ["users-db:5432"]),
    ("X", "jdbc:sqlserver://sql:1433;databaseName=shop", ["sql:1433"]),
    ("X", "mongodb://a:27017,b:27018/shop", ["a:27017", "b:27018"]),
    ("X", "mongodb+srv://mongo.shop.svc.cluster.local/x", ["mongo.shop.svc.cluster.local"]),
    ("X", "http://a:1,http://b:2", ["a:1", "b:2"]),
    ("X", "redis://:secret@redis:6379/0", ["redis:6379"]),
    ("X", "dns:///catalog:3550", ["catalog:3550"]),
    ("X", "amqp://guest:guest@queue//", ["queue:5672"]),
    ("X", "s3://bucket/key", []),
    ("X", "file:///etc/config", []),
    ("X", "docker://redis:7", []),
    ("X", "http://localhost:8080", []),
    ("X", "http://127.0.0.1:8080", []),
    ("X", "http://[::1]:8080", []),
    ("X", "http://$(HOST):8080", []),
    ("X", "http://{{ .Values.host }}:8080/", []),
    # complete names
    ("X", "users-db.shop.svc", ["users-db.shop.svc"]),
    ("X", "users-db.shop.svc.cluster.local.", ["users-db.shop.svc.cluster.local"]),
    ("X", "users-db.${NAMESPACE}.svc.${DOMAIN}:5432", ["users-db.*.svc.*:5432"]),
    ("X", "db-$(SHARD).shop.svc:5432", ["db-*.shop.svc:5432"]),
    ("NO_PROXY", ".svc,.cluster.local,10.0.0.0/8", []),
    ("X", "com.example.svc.Handler()", []),
    # names that say host
    ("DB_HOST", "users-db", ["users-db"]),
    ("DB_HOST", "users-db:5432", ["users-db:5432"]),
    ("PGHOST", "users-db", ["users-db"]),
    ("dbHost", "users-db", ["users-db"]),
    ("db.hostname", "users-db", ["users-db"]),
    ("REDIS_HOSTS", "redis-0.redis, redis-1.redis:6380", ["redis-0.redis", "redis-1.redis:6380"]),
    ("CACHE_ADDRESSES", "a;b", ["a", "b"]),
    ("CART_SERVICE", "cart", ["cart"]),
    ("CART_SERVICE_ADDR", "cart:7070", ["cart:7070"]),
    ("API_URL", "api", ["api?"]),
    ("API_URL", "api:1234", ["api:1234"]),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4317", ["collector:4317"]),
    ("DB_HOST", "10.0.0.1", []),
    ("DB_HOST", "localhost", []),
    ("DB_HOST", "$(OTHER)", []),
    ("DB_HOST", "", []),
    ("DB_HOST", "Some Title", []),
    ("DB_HOST", "/var/run/postgresql", []),
    # names that speak of something else
    ("LISTEN_ADDR", "web:8080", []),
    ("BIND_HOST", "web", []),
    ("ALLOWED_HOSTS", "web,shop", []),
    ("PUBLIC_URL", "http://web", []),
    ("KAFKA_ADVERTISED_HOST", "kafka", []),
    ("DD_SERVICE", "cart", []),
    ("OTEL_SERVICE_NAME", "cart", []),
    ("SERVICE", "cart", []),
    ("HOSTNAME", "cart", []),
    ("MODE", "primary", []),
    # name:port as a whole
    ("X", "redis:6379", ["redis:6379"]),
    ("X", "redis:6379/0", ["redis:6379"]),
    ("X", "catalog:3550", ["catalog:3550?"]),
    ("X", "12:30", []),
    ("CACHE_IMAGE", "redis:6379", []),
    ("X", "repository/app:8080", []),
    ("X", "host=users-db port=5433 dbname=users", ["users-db:5433"]),
    ("X", "user=app host=users-db dbname=users", ["users-db:5432"]),
    ("X", "host=users-db", []),
    ("X", "host=users-db user=app", ["users-db:5432"]),
]


@pytest.mark.parametrize(("name", "value", "expected"), VALUES)
def test_hosts_in_a_value(name: str, value: str, expected: list[str]) -> None:
    assert [shown(host) for host in hosts_in_value(name, value)] == expected


ARGUMENTS = [
    (["serve", "--redis-addr=redis:6379"], ["1 redis:6379"]),
    (["serve", "--db-host", "users-db", "--verbose"], ["2 users-db"]),
    (["serve", "-Dspring.redis.host=redis"], ["1 redis"]),
    (["serve", "--upstream=http://api:8080"], ["1 api:8080"]),
    (["serve", "-listen=:8080", "--listen-address=web:8080", "--name=cart"], []),
    (["serve", "http://api?x=y"], ["1 api:80"]),
    (["pg_isready", "-h", "users-db", "-p", "5433"], ["2 users-db:5433"]),
    (["sh", "-c", "until nc -z -w 2 users-db 5432; do sleep 1; done"], ["2 users-db:5432"]),
    (["sh", "-c", "until pg_isready -h users-db; do sleep 1; done"], ["2 users-db"]),
    (["sh", "-c", 'psql --host="$PGHOST" -c "select 1"'], []),
    (["sh", "-c", "redis-cli -h redis -p 6379 ping || exit 1"], ["2 redis:6379"]),
    (
        ["sh", "-c", "until nslookup users-db.shop.svc; do sleep 1; done"],
        ["2 users-db.shop.svc", "2 users-db.shop.svc"],
    ),
    (["sh", "-c", "curl -f http://api/health && wget cart:7070/x"], ["2 api:80", "2 cart:7070?"]),
    (["redis-server", "--replicaof redis-0.redis 6379"], ["1 redis-0.redis:6379"]),
    (["chown", "redis:6379", "/data"], []),
    ([], []),
]


@pytest.mark.parametrize(("arguments", "expected"), ARGUMENTS)
def test_hosts_in_arguments(arguments: list[str], expected: list[str]) -> None:
    assert [f"{index} {shown(host)}" for index, host in hosts_in_arguments(tuple(arguments))] == expected


COMMANDS = (
    *(f"{client} db 7000" for client in ("nc", "ncat", "netcat", "telnet")),
    *(f"{client} -h db -p 7000" for client in ("pg_isready", "psql", "pg_dump", "pg_restore", "redis-cli")),
    *(f"{client} --host db --port 7000" for client in ("mysql", "mysqladmin", "mongosh", "mongo")),
    "nslookup db",
    "getent hosts db",
    "redis-server --replicaof db 7000",
    "redis-server --slaveof db 7000",
)


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_that_names_a_host(command: str) -> None:
    expected = "db:7000" if command.endswith("7000") else "db"
    assert [shown(host) for _, host in hosts_in_arguments(("sh", "-c", command))] == [expected]


FILES = {
    "default.conf.template": (
        """
        # proxy_pass http://commented;
        resolver kube-dns.kube-system.svc.cluster.local valid=10s;
        upstream users {
            server user-service.${NAMESPACE}.svc.${CLUSTER_DOMAIN}:8080 resolve;
            server spare max_fails=3;  # http://remark
        }
        server {
            listen 8080;
            server_name shop.example.com;
            set $backend "http://order-service:8080";
            location /users { proxy_pass http://users; }
            location /orders { proxy_pass $backend; }
            location /products { proxy_pass http://product-service:8080/api/; }
            location /plain { proxy_pass http://plain; }
            location /rpc { grpc_pass catalog:3550; }
            location /php { fastcgi_pass php:9000; }
            location /sock { fastcgi_pass unix:/run/php.sock; }
        }
        """,
        [
            "5 user-service.*.svc.*:8080",
            "6 spare:80",
            "16 catalog:3550",
            "17 php:9000",
            "11 order-service:8080",
            "14 product-service:8080",
            "15 plain:80",
            "3 kube-dns.kube-system.svc.cluster.local",
        ],
    ),
    "application.yaml": (
        """
        spring:
          datasource:
            url: jdbc:postgresql://users-db:5432/users
          redis:
            host: redis   # the cache
            port: 6379
        clients:
          - name: cart
            address: "cart:7070"
        mode: primary
        targets: ["api:9090", "ratio:16"]
        """,
        ["4 users-db:5432", "6 redis", "10 cart:7070", "12 api:9090?", "12 ratio:16?"],
    ),
    "application.properties": (
        """
        # db.host=old
        db.host=users-db
        db.name=users
        queue.url=amqp://queue
        """,
        ["5 queue:5672", "3 users-db"],
    ),
    "settings.json": (
        """
        {
          "api": {"url": "http://api:8080"},
          "redisHost": "redis",
          "title": "shop"
        }
        """,
        ["3 api:8080", "4 redis"],
    ),
    "haproxy.cfg": (
        """
        backend api
            server first api-1.api:8080 check
        """,
        ["3 api-1.api:8080"],
    ),
    "redis.conf": (
        """
        port 6379
        replicaof redis-0.redis 6379
        sentinel monitor main redis-0.redis 6379 2
        """,
        ["3 redis-0.redis:6379", "4 redis-0.redis:6379"],
    ),
    "create.py": (
        """
        host = environment["HOST"]
        url = f"https://{bracketed}:{port}/api"
        name = other
        print("http://api:8080", {"port":8080})
        """,
        ["5 api:8080"],
    ),
    "README.md": ("see http://api:8080 and users-db.shop.svc\n", ["1 users-db.shop.svc"]),
    "wait.sh": ("#!/bin/sh\nHOST=redis\nnc -z redis 6379\n", ["3 redis:6379"]),
}


@pytest.mark.parametrize("name", FILES)
def test_hosts_in_a_file(name: str) -> None:
    text, expected = FILES[name]

    found = [f"{host.line} {shown(host)}" for host in hosts_in_file(name, textwrap.dedent(text))]

    assert sorted(found) == sorted(expected)


def test_a_host_keeps_the_text_as_written_and_what_implies_its_port() -> None:
    (written,) = hosts_in_value("X", "http://api.${NS}.svc:8080")
    (implied,) = hosts_in_value("X", "https://api")

    assert (written.text, written.implied_by) == ("api.${NS}.svc:8080", "")
    assert (implied.text, implied.port, implied.implied_by) == ("api", 443, "https")


def test_a_value_of_several_lines_is_a_file() -> None:
    assert [shown(host) for host in hosts_in_value("SETTINGS", "a.host=redis\nb.host=queue\n")] == ["redis", "queue"]


def test_known_variables_are_filled_in() -> None:
    assert substituted("$(A)-$(B)-$(C)", {"A": "x", "B": "$(A)"}) == "x-$(A)-$(C)"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("DB_HOST", "DB_PORT"),
        ("PGHOST", "PGPORT"),
        ("db_host", "db_port"),
        ("dbHost", "dbPort"),
        ("CART_ADDR", "CART_PORT"),
        ("MODE", None),
    ],
)
def test_the_variable_of_the_port(name: str, expected: str | None) -> None:
    assert port_name(name) == expected
