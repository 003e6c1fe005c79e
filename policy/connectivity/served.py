"""Ports that a rule opens and none of its destinations has: most often those of the Service in front of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from policy.connectivity.bits import members
from policy.connectivity.matrix import Connectivity
from policy.connectivity.mistakes import UnservedPort
from policy.connectivity.policies import CompiledRule
from policy.connectivity.selections import Selection
from policy.connectivity.validity import ports_refusal
from policy.manifests.pod_spec import ContainerPort
from policy.manifests.ports import declared_ports, target_port
from policy.manifests.resources import NetworkPolicyPort, Service
from policy.manifests.workloads import Workload

_Served = tuple[tuple[Workload, ...], frozenset[ContainerPort]]


class UnservedPorts:
    """Finds such ports."""

    def __init__(self, connectivity: Connectivity) -> None:
        self._population, self._index = connectivity.population, connectivity.index
        self._subjects = {id(policy.policy): policy.subjects for policy in connectivity.policies}
        self._in_git = (1 << self._population.in_git) - 1
        self._served_by: dict[int, _Served] = {}
        self._of_one: dict[int, frozenset[ContainerPort]] = {}
        self._same: dict[frozenset[ContainerPort], frozenset[ContainerPort]] = {}
        self._all_served: set[tuple[int, int]] = set()

    def of_rule(self, rule: CompiledRule) -> Iterator[UnservedPort]:
        workloads, served = self._served(rule.peers if rule.direction == "egress" else self._subjects[id(rule.policy)])
        key = (id(rule.ports), id(served))
        if not workloads or key in self._all_served:
            return
        ports = rule.raw.ports or ()
        if all(port.port is None or _serves(served, port) for port in ports):
            self._all_served.add(key)
            return
        for number, port in enumerate(ports):
            if port.port is None or _serves(served, port) or ports_refusal(port):
                continue
            service, target = self._service_with(workloads, port)
            yield UnservedPort(rule, number, port, workloads, service, target)

    def _served(self, selection: Selection) -> _Served:
        """The workloads and their ports, where they are all that is meant and each says which it has; else none."""
        found = self._served_by.get(id(selection))
        if found is None:
            found = (), frozenset()
            bits, elsewhere = selection.possibly, ~self._in_git & ~self._population.unlisted_beside_workloads
            if not selection.addresses and not bits & elsewhere:
                numbers = list(members(bits & self._in_git))
                ports = [self._declared(number) for number in numbers]
                if all(ports):
                    every = ports[0] if len(ports) == 1 else frozenset().union(*ports)
                    found = tuple(map(self._population.workload, numbers)), self._same.setdefault(every, every)
            self._served_by[id(selection)] = found
        return found

    def _declared(self, number: int) -> frozenset[ContainerPort]:
        found = self._of_one.get(number)
        if found is None:
            found = self._of_one[number] = frozenset(declared_ports(self._population.workload(number)))
        return found

    def _service_with(
        self, workloads: Sequence[Workload], port: NetworkPolicyPort
    ) -> tuple[Service | None, int | None]:
        for workload in workloads:
            for service in self._index.services_of(workload):
                for each in service.spec.ports or ():
                    if each.transport == (port.protocol or "TCP") and port.port in (each.port, each.name):
                        declared = target_port(workload, each.target, each.transport)
                        if declared is not None:
                            return service, declared.container_port
        return None, None


def _serves(served: frozenset[ContainerPort], port: NetworkPolicyPort) -> bool:
    for each in served:
        if each.transport != (port.protocol or "TCP"):
            continue
        if isinstance(port.port, str):
            if each.name == port.port:
                return True
        elif port.port is not None and port.port <= each.container_port <= (port.end_port or port.port):
            return True
    return False
