"""Which ports a cluster listens on: chosen before anything listens, so that no other cluster may choose them meanwhile.

Ports that the kernel gives to outgoing connections are left alone: one of those could take a server's port between two
of its starts. https://docs.kernel.org/networking/ip-sysctl.html (ip_local_port_range)
"""

from __future__ import annotations

import fcntl
import json
import os
import random
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cluster.errors import ClusterError

_LOWEST = 10000
_HIGHEST = 29999  # from 30000 on Kubernetes gives ports to Services of the type NodePort


def claim(folder: Path, count: int, *, claims: Path) -> int:
    """The first of ``count`` ports in a row that are free, and that no cluster which still has a folder has claimed.

    ``claims`` is the file that the clusters of all checkouts share. Raises ClusterError if there are none.
    """
    with _claimed(claims) as claimed:
        claimed.pop(str(folder), None)
        for other in [other for other in claimed if not Path(other).exists()]:
            del claimed[other]
        taken = {port for first, number in claimed.values() for port in range(first, first + number)}
        lowest, highest = _range()
        firsts = list(range(lowest, highest - count + 2, count))
        random.shuffle(firsts)
        for first in firsts:
            ports = range(first, first + count)
            if taken.isdisjoint(ports) and all(map(_is_free, ports)):
                claimed[str(folder)] = (first, count)
                return first
    raise ClusterError(f"no {count} ports in a row are free from {lowest} to {highest}")


def release(folder: Path, *, claims: Path) -> None:
    """The ports of this folder are for others from now on."""
    if claims.exists():
        with _claimed(claims) as claimed:
            claimed.pop(str(folder), None)


@contextmanager
def _claimed(file: Path) -> Iterator[dict[str, tuple[int, int]]]:
    """The first port and how many, by folder: read, and written back, while nobody else does."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.with_name(f"{file.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            text = file.read_text(encoding="utf-8") if file.exists() else ""
            claimed: dict[str, tuple[int, int]] = json.loads(text) if text else {}
            yield claimed
            part = file.with_name(f"{file.name}.part")
            part.write_text(json.dumps(claimed), encoding="utf-8")
            os.replace(part, file)  # whoever is killed here leaves a whole file
    except (OSError, ValueError) as error:
        raise ClusterError(f"{file}: {error}") from error


def _range() -> tuple[int, int]:
    """The widest part of our range that the kernel does not give to outgoing connections."""
    try:
        first, last = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    except OSError:
        return _LOWEST, _HIGHEST
    below, above = (_LOWEST, min(_HIGHEST, first - 1)), (max(_LOWEST, last + 1), _HIGHEST)
    widest = max(below, above, key=lambda one: one[1] - one[0])
    return widest if widest[0] < widest[1] else (_LOWEST, _HIGHEST)


def _is_free(port: int) -> bool:
    """On every address: what listens on one of them is in the way of a server that takes a port and no address."""
    try:
        with socket.create_server(("", port)):
            return True
    except OSError:
        return False
