"""The ports of servers, as URLs leave them out and as ``name:port`` commonly has them."""

from __future__ import annotations

DEFAULT_PORTS = {
    "http": 80,
    "ws": 80,
    "https": 443,
    "wss": 443,
    "grpc": None,
    "grpcs": None,
    "h2c": 80,
    "tcp": None,
    "udp": None,
    "tls": None,
    "redis": 6379,
    "rediss": 6379,
    "valkey": 6379,
    "postgres": 5432,
    "postgresql": 5432,
    "mysql": 3306,
    "mariadb": 3306,
    "sqlserver": 1433,
    "mongodb": 27017,
    "amqp": 5672,
    "amqps": 5671,
    "nats": 4222,
    "kafka": 9092,
    "mqtt": 1883,
    "mqtts": 8883,
    "memcached": 11211,
    "ldap": 389,
    "ldaps": 636,
    "smtp": 25,
    "ftp": 21,
    "clickhouse": 9000,
    "cassandra": 9042,
    "bolt": 7687,
    "neo4j": 7687,
    "etcd": 2379,
}
"""The schemes whose authority is a server, with the port that is meant where none is written."""

NO_DEFAULT = frozenset({"mongodb+srv"})
"""Schemes whose port the DNS tells."""

COMMON_PORTS = frozenset(port for port in DEFAULT_PORTS.values() if port) | frozenset(
    {3000, 4317, 4318, 5000, 5601, 7070, 8000, 8080, 8081, 8088, 8090, 8443, 8500, 8888, 9000, 9090, 9091, 9093, 9200}
    | {9411, 14250, 14268, 15672, 26379, 50051, 8086, 2181, 3100, 6831, 8125, 9042}
)
"""Ports that servers commonly have."""
