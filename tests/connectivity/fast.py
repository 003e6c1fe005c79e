"""The evaluator that is used, asked the questions of the cases."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from typing import Any

from policy.connectivity.addresses import V6, holds_address
from policy.connectivity.endpoints import Endpoint
from policy.connectivity.matrix import Connectivity
from policy.connectivity.ports import PortSet
from policy.connectivity.topology import Cluster
from policy.manifests.decode import resources_of
from policy.manifests.index import Index
from policy.manifests.resources import Resource

from .cases import Decision


def resources(documents: Iterable[dict[str, Any]]) -> list[Resource]:
    return [resource for number, document in enumerate(documents) for resource in resources_of(document, number)]


class Evaluator:
    """Decides one connection at a time, by the set of ports of its two ends."""

    def __init__(
        self, documents: Sequence[dict[str, Any]], pod_networks: Sequence[str] = (), node_networks: Sequence[str] = ()
    ) -> None:
        index = Index(resources(documents))
        assert not index.undecodable, [str(error) for _, error in index.undecodable]
        cluster = Cluster(
            pods=tuple(ipaddress.ip_network(text) for text in pod_networks),
            nodes=tuple(ipaddress.ip_network(text) for text in node_networks),
        )
        self.connectivity = Connectivity(index, (), cluster)
        self._ends = {f"{each.namespace}/{each.name}": each for each in self.connectivity.endpoints if each.is_in_git}
        self._bounds: dict[tuple[str, str], tuple[PortSet, PortSet]] = {}

    def end(self, name: str) -> Endpoint:
        """The pod of that name, or the addresses that no policy tells apart from that one."""
        if "/" in name:
            return self._ends[name]
        address = ipaddress.ip_address(name)
        number = int(address) + (V6 if address.version == 6 else 0)
        (found,) = [each for each in self.connectivity.endpoints if holds_address(each.addresses, number)]
        return found

    def decide(self, decision: Decision) -> tuple[bool, bool]:
        """Whether a connection is surely possible, and whether it is possibly so."""
        source, destination, protocol, port = decision
        key = source, destination
        if key not in self._bounds:
            self._bounds[key] = self.connectivity.allowed_bounds(self.end(source), self.end(destination))
        surely, possibly = self._bounds[key]
        return _has(surely, protocol, port), _has(possibly, protocol, port)


def _has(ports: PortSet, protocol: str, port: int) -> bool:
    return any(each.protocol == protocol and each.first <= port <= each.last for each in ports)
