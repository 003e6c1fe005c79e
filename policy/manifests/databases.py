"""Where databases keep their data, by image, and what kind of volume that is.

The directories are those that the images' own documentation tells to mount a volume at.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

import msgspec

from policy.findings import Field
from policy.manifests.workloads import Container, Workload

DATA_DIRECTORIES: Mapping[str, str] = {
    "arangodb": "/var/lib/arangodb3",
    "bitnami/mariadb": "/bitnami/mariadb",
    "bitnami/mongodb": "/bitnami/mongodb",
    "bitnami/mysql": "/bitnami/mysql",
    "bitnami/postgresql": "/bitnami/postgresql",
    "cassandra": "/var/lib/cassandra",
    "clickhouse/clickhouse-server": "/var/lib/clickhouse",
    "cockroachdb/cockroach": "/cockroach/cockroach-data",
    "couchdb": "/opt/couchdb/data",
    "elasticsearch": "/usr/share/elasticsearch/data",
    "influxdb": "/var/lib/influxdb",
    "mariadb": "/var/lib/mysql",
    "mongo": "/data/db",
    "mssql/server": "/var/opt/mssql",
    "mysql": "/var/lib/mysql",
    "neo4j": "/data",
    "opensearchproject/opensearch": "/usr/share/opensearch/data",
    "percona": "/var/lib/mysql",
    "pgvector/pgvector": "/var/lib/postgresql",
    "postgis/postgis": "/var/lib/postgresql",
    "postgres": "/var/lib/postgresql",
    "timescale/timescaledb": "/var/lib/postgresql",
}
"""By the end of the image's repository. Stores that are as often a cache, such as Redis, are not among them."""

_GONE_WITH_THE_POD = frozenset(
    {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "gitRepo", "image", "projected", "secret"}
)


class Storage(msgspec.Struct, frozen=True):
    """Where a container's data directory ends up: the volume's type, None for the container's own file system."""

    directory: str
    volume: str | None
    type: str | None
    at: Field

    @property
    def is_kept(self) -> bool:
        return self.type is not None and self.type not in _GONE_WITH_THE_POD


def data_directory(container: Container, more: Mapping[str, str]) -> str | None:
    """Where a container's image keeps data; ``more`` is looked up first, an empty directory there means nowhere."""
    if container.image is None:
        return None
    parts = container.image.repository.split("/")
    for start in range(len(parts)):
        name = "/".join(parts[start:])
        for table in (more, DATA_DIRECTORIES):
            if name in table:
                return (_moved(container) or table[name]) if table[name] else None
    return None


def _moved(container: Container) -> str | None:
    """The directory that PostgreSQL is told to use instead."""
    for variable in container.spec.env or ():
        if variable.name == "PGDATA" and variable.value:
            return variable.value
    return None


def storage(workload: Workload, container: Container, directory: str) -> Storage:
    """What holds a data directory: the mount that is closest at or above it, or else one of a part of it."""
    root = PurePosixPath(directory)
    above: tuple[int, Storage] | None = None
    below: Storage | None = None
    for number, mount in enumerate(container.spec.volume_mounts or ()):
        path = PurePosixPath(mount.mount_path)
        if mount.mount_path and root.is_relative_to(path):
            if above is None or len(path.parts) > above[0]:
                above = len(path.parts), _held(workload, container, number, directory)
        elif path.is_relative_to(root) and not (below and below.is_kept):
            below = _held(workload, container, number, directory)
    if above is not None:
        return above[1]
    return below or Storage(directory, None, None, container.field("volumeMounts"))


def _held(workload: Workload, container: Container, number: int, directory: str) -> Storage:
    """The volume behind a mount; a StatefulSet's claim goes before a volume of the same name (API reference)."""
    name = (container.spec.volume_mounts or ())[number].name
    for template in workload.spec.volume_claim_templates or ():
        if template.name == name:
            return Storage(directory, name, "volumeClaimTemplate", container.field("volumeMounts", number, "name"))
    for index, (volume, kind) in enumerate(zip(workload.pod.volumes or (), workload.volume_types, strict=False)):
        if volume.name == name:
            return Storage(directory, name, kind, workload.pod_field("volumes", index, kind))
    return Storage(directory, name, None, container.field("volumeMounts", number, "name"))
