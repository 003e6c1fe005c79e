"""Every pod that there may be, numbered, so that a set of them is one integer; and where the addresses are cut.

Numbers: the workloads in the order of the stream, the declared pods outside, a pod that nothing declares for each of
their namespaces, the stranger. Addresses have no numbers: a set of them is its ranges, since ipBlocks with ``except``
would cut the address space into more pieces than there are pods.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from functools import cached_property
from itertools import chain, pairwise

from policy.connectivity.addresses import EVERY_ADDRESS, EVERY_V4, AddressSet, range_of, ranges, texts, united
from policy.connectivity.bits import bits_of, members
from policy.connectivity.endpoints import STRANGER, Endpoint, EndpointKind, unlisted
from policy.connectivity.selections import Block, Profile
from policy.connectivity.topology import Cluster, Outside
from policy.manifests.index import Index
from policy.manifests.workloads import Role, Workload

_DNS_LABEL = ("k8s-app", "kube-dns")
"""What the pods of CoreDNS have, as those of kube-dns had, so that one Service finds either."""

PortName = tuple[str, str]
"""Protocol and name of a port."""

OwnPorts = Mapping[PortName, Sequence[int]]
"""The ports of a pod that have a name; of pods that state the same in the same order it is the same object."""

_MAIN, _SIDECAR = Role.MAIN, Role.SIDECAR
_NO_LABELS: Mapping[str, str] = {}


class Population:
    """The pods of one overlay and its contract.

    ``blocks`` are all ipBlocks of all policies: where they begin and end, addresses are told apart.
    """

    def __init__(
        self, index: Index, outside: Sequence[Outside], cluster: Cluster, profile: Profile, blocks: Iterable[Block]
    ) -> None:
        self.profile, self.outside, self.cluster = profile, tuple(outside), cluster
        self._blocks = blocks
        self._workloads = _one_of_each_owner(index.workloads) if profile.exact_labels else index.workloads
        self.in_git = len(self._workloads)
        self._declared = tuple(item for item in outside if not item.cidrs)
        namespaces = [item.namespace or profile.default_namespace for item in self._workloads]
        namespaces += [item.namespace or "" for item in self._declared]
        self.first_unlisted = len(namespaces)
        self.stranger: int | None = None
        if not profile.exact_labels:
            namespaces += dict.fromkeys(namespaces)
            self.stranger = len(namespaces)
            namespaces.append("")
        self.namespaces: Sequence[str] = namespaces
        """The namespace of each number; "" for the stranger."""
        self.size = len(namespaces)
        self.everyone = (1 << self.size) - 1
        self.every_address: AddressSet = EVERY_ADDRESS if profile.has_v6 else EVERY_V4
        hosts = () if profile.host_network_is_pod else enumerate(self._workloads)
        self.host = bits_of(number for number, item in hosts if item.pod.host_network)
        self.pods = self.everyone ^ self.host
        self._endpoints: dict[int, Endpoint] = {}
        self._own_ports: dict[int, OwnPorts] = {}
        self._same_ports: dict[tuple[tuple[PortName, int], ...], OwnPorts] = {}

    def endpoint(self, number: int) -> Endpoint:
        """The endpoint of a number; always the same one."""
        found = self._endpoints.get(number)
        if found is None:
            found = self._endpoints[number] = self._endpoint(number)
        return found

    def _endpoint(self, number: int) -> Endpoint:
        if number == self.stranger:
            return STRANGER
        if number >= self.first_unlisted:
            return unlisted(self.namespaces[number])
        if number >= self.in_git:
            item = self._declared[number - self.in_git]
            kind = EndpointKind.OUTSIDE_PODS
            return Endpoint(item.name, item.namespace or "", "", kind, outside=item, labels=dict(item.labels))
        workload = self._workloads[number]
        kind_and_name = _owner(workload) if self.profile.exact_labels else (workload.kind, workload.name)
        return Endpoint(
            name=kind_and_name[1],
            namespace=self.namespaces[number],
            kind=kind_and_name[0],
            type=EndpointKind.WORKLOAD,
            workload=workload,
            host_network=bool(self.host >> number & 1),
            labels=self.labels_of(number),
        )

    def labels_of(self, number: int) -> Mapping[str, str]:
        """The labels that an end surely has with these values: those of the template, and a Job's name."""
        if number >= self.in_git:
            return self._declared[number - self.in_git].labels if number < self.first_unlisted else _NO_LABELS
        item = self._workloads[number]
        if self.profile.exact_labels or item.kind != "Job":
            return item.pod_labels
        return {**item.pod_labels, "job-name": item.name, "batch.kubernetes.io/job-name": item.name}

    def workload(self, number: int) -> Workload:
        """The workload of a number below ``in_git``."""
        return self._workloads[number]

    def has_pods_besides(self, number: int) -> bool:
        """Whether a number stands for a workload of Git that may have more pods than one."""
        return number < self.in_git and self._workloads[number].kind != "Pod"

    def outside_of(self, number: int) -> Outside | None:
        """The declaration of pods that are not in Git."""
        return self._declared[number - self.in_git] if self.in_git <= number < self.first_unlisted else None

    @cached_property
    def number_of(self) -> Mapping[int, int]:
        """The number of a workload's or outside's endpoint, by the identity of what it stands for."""
        found = {id(item): number for number, item in enumerate((*self._workloads, *self._declared))}
        found.update({self.endpoint(number).key: number for number in range(self.first_unlisted, self.size)})
        return found

    # namespaces

    @cached_property
    def by_namespace(self) -> Mapping[str, int]:
        """The pods and host pods of each namespace."""
        found: dict[str, list[int]] = {}
        for number, namespace in enumerate(self.namespaces):
            if number != self.stranger:
                found.setdefault(namespace, []).append(number)
        return {namespace: bits_of(numbers) for namespace, numbers in found.items()}

    def in_namespace(self, namespace: str) -> int:
        return self.by_namespace.get(namespace or self.profile.default_namespace, 0)

    @cached_property
    def namespaces_in_git(self) -> frozenset[str]:
        """The namespaces of the workloads."""
        return frozenset(self.namespaces[: self.in_git])

    @cached_property
    def _unlisted(self) -> Mapping[str, int]:
        """For each namespace the number of the pod that nothing declares."""
        last = self.size if self.stranger is None else self.stranger
        return {self.namespaces[number]: number for number in range(self.first_unlisted, last)}

    def unlisted_in(self, namespace: str | None) -> int:
        """The pod of a namespace that nothing declares."""
        number = self._unlisted.get(namespace) if namespace is not None else None
        return 0 if number is None else 1 << number

    @cached_property
    def undeclared(self) -> int:
        """The pods that nothing declares."""
        return self.everyone >> self.first_unlisted << self.first_unlisted

    @cached_property
    def unlisted_beside_workloads(self) -> int:
        """The pods that nothing declares, of the namespaces of workloads."""
        return bits_of(self._unlisted[name] for name in self.namespaces_in_git if name in self._unlisted)

    @cached_property
    def unknown_outside(self) -> int:
        """The pods of which nothing is declared, in namespaces without workloads."""
        return self.undeclared & ~self.unlisted_beside_workloads

    @cached_property
    def dns(self) -> int:
        """The pods that answer DNS: what is declared outside as ``dns``, and whoever has the label of CoreDNS."""
        key, value = _DNS_LABEL
        named = [number for number, item in enumerate(self._declared, self.in_git) if item.name == "dns"]
        labelled = (number for number in range(self.first_unlisted) if self.labels_of(number).get(key) == value)
        return bits_of({*named, *labelled})

    def labels_in(self, namespace: str | None) -> Mapping[str, Set[str]]:
        """The labels of the pods of a namespace (None: of all), each key with its values."""
        found: dict[str, set[str]] = {}
        for number, own in enumerate(self.namespaces):
            if namespace is None or own == namespace:
                for key, value in self.labels_of(number).items():
                    found.setdefault(key, set()).add(value)
        return found

    # ports

    @cached_property
    def with_unknown_ports(self) -> int:
        """The pods of which nobody says what they call their ports: a name may mean any number there."""
        if self.profile.exact_labels:
            return 0
        unstated = (number for number, item in enumerate(self._declared, self.in_git) if not item.ports)
        return bits_of(unstated) | self.undeclared

    @cached_property
    def numbers_with_unknown_ports(self) -> frozenset[int]:
        """The same, by their numbers."""
        return frozenset(members(self.with_unknown_ports))

    def own_ports(self, number: int) -> OwnPorts:
        """The ports of a pod that have a name: by protocol and name."""
        found = self._own_ports.get(number)
        if found is None:
            named = tuple(self._named(number))
            found = self._same_ports.get(named)
            if found is None:
                ports: dict[PortName, list[int]] = {}
                for name, port in named:
                    ports.setdefault(name, []).append(port)
                found = self._same_ports[named] = ports
            self._own_ports[number] = found
        return found

    def _named(self, number: int) -> Sequence[tuple[PortName, int]]:
        if number >= self.in_git:
            outside = self.outside_of(number)
            return [((port.protocol, port.name), port.number) for port in outside.ports] if outside else []
        return [
            ((port.protocol or "TCP", port.name), port.container_port)
            for container in self._workloads[number].containers
            if container.role is _MAIN or container.role is _SIDECAR
            for port in container.spec.ports or ()
            if port.name
        ]

    def ports_text(self, endpoint: Endpoint) -> str:
        """The named ports of an endpoint, for people: ``http TCP 8080``."""
        number = self.number_of.get(endpoint.key)
        own = self.own_ports(number) if number is not None else {}
        texts = [f"{name} {protocol} {port}" for (protocol, name), numbers in own.items() for port in numbers]
        return ", ".join(texts) or "none with a name"

    @cached_property
    def named_ports(self) -> Mapping[PortName, Mapping[int, int]]:
        """By protocol and name: the pods that call a number so."""
        holders: dict[int, tuple[OwnPorts, list[int]]] = {}
        for number in range(self.size):
            own = self.own_ports(number)
            holders.setdefault(id(own), (own, []))[1].append(number)
        found: dict[PortName, dict[int, int]] = {}
        for own, numbers in holders.values():
            bits = bits_of(numbers)
            for name, ports in own.items():
                for port in ports:
                    by_number = found.setdefault(name, {})
                    by_number[port] = by_number.get(port, 0) | bits
        return found

    # addresses

    @cached_property
    def all_blocks(self) -> tuple[Block, ...]:
        """Every ipBlock of every policy, once."""
        return tuple(dict.fromkeys(self._blocks))

    @cached_property
    def cells(self) -> tuple[AddressSet, ...]:
        """All addresses in order, as ranges that are cut wherever something that is stated begins or ends."""
        cuts = {*self.pod_ranges, *self.node_ranges, *self.every_address}
        for cidr in chain(self.cluster.services, *(item.cidrs for item in self.outside)):
            cuts.update(range_of(str(cidr)))
        for block in self.all_blocks:
            cuts.update(block.cidr, united(block.cut))
        within = [sorted(cut for cut in cuts if first <= cut <= end) for first, end in ranges(self.every_address)]
        return tuple(chain.from_iterable(map(pairwise, within)))

    @cached_property
    def pod_ranges(self) -> AddressSet:
        """Where pods are, as declared."""
        return united(range_of(str(item)) for item in self.cluster.pods)

    @cached_property
    def node_ranges(self) -> AddressSet:
        """Where nodes are, as declared."""
        return united(range_of(str(item)) for item in self.cluster.nodes)


def addresses_endpoint(addresses: AddressSet, outside: Iterable[Outside]) -> Endpoint:
    """The endpoint of addresses: the declared one that holds exactly them, else a nameless one."""
    for item in outside:
        if item.cidrs and ranges_of(item) == addresses:
            return outside_endpoint(item)
    return Endpoint(", ".join(texts(addresses)), "", "", EndpointKind.ADDRESSES, addresses=addresses)


def ranges_of(outside: Outside) -> AddressSet:
    """The addresses that an outside declares."""
    return united(range_of(str(cidr)) for cidr in outside.cidrs)


def outside_endpoint(outside: Outside) -> Endpoint:
    """The endpoint of declared addresses."""
    return Endpoint(outside.name, "", "", EndpointKind.ADDRESSES, outside=outside, addresses=ranges_of(outside))


def _one_of_each_owner(workloads: Sequence[Workload]) -> tuple[Workload, ...]:
    """The first workload of each namespace, kind and name of an owner."""
    found: dict[tuple[str, str, str], Workload] = {}
    for item in workloads:
        found.setdefault((item.namespace, *_owner(item)), item)
    return tuple(found.values())


def _owner(item: Workload) -> tuple[str, str]:
    """Kind and name of what made a pod that was read from a cluster; its own for everything else."""
    owners = (item.resource.raw.get("metadata") or {}).get("ownerReferences")
    for owner in owners if item.kind == "Pod" and isinstance(owners, list) else ():
        if isinstance(owner, dict) and owner.get("controller"):
            return str(owner.get("kind")), str(owner.get("name"))
    return item.kind, item.name
