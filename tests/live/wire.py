"""Who really reaches whom: a connection tried from every pod's own network to every other pod, on every port.

What is measured is whether a packet comes through: an answer "refused" is one as much as "open" is. The pods need
nothing for it, since the prober is run in their networks from outside. https://man7.org/linux/man-pages/man1/nsenter.1.html
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from cluster.commands import run
from cluster.kubectl import Kubectl

TIMEOUT = "1s"
NAME = "app.kubernetes.io/name"
Cell = tuple[str, str, str]
"""Source and destination as the topology names them, and a port (``TCP 5432``)."""


@dataclass(frozen=True, slots=True)
class End:
    """A pod (or an address, without a network to probe from) under the name that the topology has for it."""

    name: str
    address: str
    network: Path | None = None


def networks(first: int) -> dict[str, Path]:
    """By pod address: the network namespaces that containerd made in the machine of this first process."""
    found: dict[str, Path] = {}
    for one in Path(f"/proc/{first}/root/run/netns").iterdir():
        said = run("nsenter", f"--net={one}", "ip", "-json", "-4", "address", "show", "dev", "eth0")
        for device in json.loads(said):
            found |= {address["local"]: one for address in device.get("addr_info", [])}
    return found


def ends(kubectl: Kubectl, first: int, names: Mapping[tuple[str, str], str]) -> list[End]:
    """Every running pod of these namespaces and names (``names``: what the topology calls it)."""
    known = networks(first)
    found = []
    for namespace in sorted({namespace for namespace, _ in names}):
        for pod in kubectl.list("pods", namespace):
            labels, status = pod["metadata"].get("labels", {}), pod["status"]
            name = names.get((namespace, labels.get(NAME) or labels.get("k8s-app", "")))
            if name and status.get("phase") == "Running" and "deletionTimestamp" not in pod["metadata"]:
                found.append(End(name, status["podIP"], known[status["podIP"]]))
    return found


def probe(prober: Path, source: Path | None, targets: Sequence[tuple[str, str]]) -> list[bool]:
    """Whether a packet comes through to each address and port (``TCP 5432``), from a network or from the node's."""
    where = ["nsenter", f"--net={source}"] if source else []
    asked = [f"{port.split()[0].lower()}/{address}:{port.split()[1]}" for address, port in targets]
    command = [*where, str(prober), f"-timeout={TIMEOUT}", *asked]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    results = [line.partition("\t")[2] for line in done.stdout.splitlines()]
    assert len(results) == len(targets)
    assert set(results) <= {"open", "refused", "silent"}, results
    return [result != "silent" for result in results]


def measure(prober: Path, all_ends: Iterable[End], ports: Sequence[str]) -> dict[Cell, set[bool]]:
    """Every ordered pair of ends on every port, where the source has a network; pods of one name may disagree."""
    known = list(all_ends)
    cells: dict[Cell, set[bool]] = {}

    def from_one(source: End) -> list[tuple[Cell, bool]]:
        targets = [(one, port) for one in known if one.address != source.address for port in ports]
        through = probe(prober, source.network, [(one.address, port) for one, port in targets])
        return [((source.name, one.name, port), came) for (one, port), came in zip(targets, through, strict=True)]

    with ThreadPoolExecutor(4) as pool:
        for answers in pool.map(from_one, [one for one in known if one.network]):
            for cell, came in answers:
                cells.setdefault(cell, set()).add(came)
    return cells
