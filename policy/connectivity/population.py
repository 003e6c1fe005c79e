"""Every end that there may be, numbered, and what selectors select of them, as bit sets.

Numbers: the workloads in the order of the stream, the declared pods outside, a pod that nothing declares for each of
their namespaces, the stranger, then the address space cut at every boundary of a CIDR. A selection is a pair (surely,
possibly): they differ where labels are not known, such as ``pod-template-hash``, and where a plugin may decide, such as
an ipBlock that holds the pod network.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

from policy.connectivity.addresses import (
    EVERY_ADDRESS,
    V6,
    Interval,
    interval_of,
    merged,
)
from policy.connectivity.bits import bits_of, first
from policy.connectivity.endpoints import STRANGER, Endpoint, EndpointKind, unlisted
from policy.connectivity.selections import (
    NAMESPACE_NAME,
    NOBODY,
    PRIVATE_RANGES,
    Block,
    Profile,
    Selection,
    holds,
    key_of,
    matches,
)
from policy.connectivity.topology import Cluster, Outside
from policy.manifests.index import Index
from policy.manifests.ports import declared_ports
from policy.manifests.resources import Namespace
from policy.manifests.selectors import LabelSelector, LabelSelectorRequirement
from policy.manifests.workloads import Workload

_BY_CONTROLLER: Mapping[str, tuple[str, ...]] = {
    "Deployment": ("pod-template-hash",),
    "ReplicaSet": (),
    "DaemonSet": ("controller-revision-hash", "pod-template-generation"),
    "StatefulSet": ("controller-revision-hash", "statefulset.kubernetes.io/pod-name", "apps.kubernetes.io/pod-index"),
    "Job": ("controller-uid", "batch.kubernetes.io/controller-uid"),
    "CronJob": ("controller-uid", "batch.kubernetes.io/controller-uid", "job-name", "batch.kubernetes.io/job-name"),
    "DeploymentConfig": ("deployment", "deploymentconfig"),
}
"""Labels that a controller adds to every pod that it makes, with values that no manifest states."""

_DNS_LABEL = ("k8s-app", "kube-dns")
"""What the pods of CoreDNS have, as those of kube-dns had, so that one Service finds either."""


class Population:
    """The endpoints of one overlay and its contract.

    ``blocks`` are all ipBlocks of all policies: the address space is cut where they begin and end.
    """

    def __init__(
        self, index: Index, outside: Sequence[Outside], cluster: Cluster, profile: Profile, blocks: Iterable[Block]
    ) -> None:
        self.profile = profile
        self.outside = tuple(outside)
        pods = [self._endpoint(item) for item in index.workloads]
        if profile.exact_labels:
            pods = list({(item.namespace, item.kind, item.name): item for item in reversed(pods)}.values())[::-1]
        self.in_git = len(pods)
        pods += [_declared(item) for item in outside if not item.cidrs]
        self.stranger: int | None = None
        if not profile.exact_labels:
            pods += [unlisted(namespace) for namespace in dict.fromkeys(item.namespace for item in pods)]
            self.stranger = len(pods)
            pods.append(STRANGER)
        self._pods: tuple[Endpoint, ...] = tuple(pods)
        self.all_blocks: tuple[Block, ...] = tuple(dict.fromkeys(blocks))
        self._cut(self.all_blocks, cluster)
        self.first_address = len(pods)
        self.size = len(pods) + len(self.intervals)
        self.everyone = (1 << self.size) - 1
        self.addresses = self.everyone ^ ((1 << len(pods)) - 1)
        self.host = bits_of(number for number, item in enumerate(pods) if item.host_network)
        self.pods = ((1 << len(pods)) - 1) ^ self.host
        self._index = index
        self._pod_ranges = tuple(interval_of(str(item)) for item in cluster.pods)
        self._node_ranges = tuple(interval_of(str(item)) for item in cluster.nodes)
        self._selected: dict[object, Selection] = {}
        self._blocks: dict[Block, Selection] = {}
        self._own_ports: dict[int, dict[tuple[str, str], list[int]]] = {}

    def _endpoint(self, item: Workload) -> Endpoint:
        host = bool(item.pod.host_network) and not self.profile.host_network_is_pod
        kind, name = _owner(item) if self.profile.exact_labels else (item.kind, item.ref.name)
        return Endpoint(
            name=name,
            namespace=item.namespace or self.profile.default_namespace,
            kind=kind,
            type=EndpointKind.WORKLOAD,
            workload=item,
            host_network=host,
            labels=item.pod_labels if self.profile.exact_labels else _labels(item),
        )

    def _cut(self, blocks: Iterable[Block], cluster: Cluster) -> None:
        starts = {0, V6}
        stated = [interval_of(str(cidr)) for item in self.outside for cidr in item.cidrs]
        stated += [interval_of(str(cidr)) for cidr in (*cluster.pods, *cluster.services, *cluster.nodes)]
        for block in blocks:
            stated.append(block.cidr)
            stated.extend(block.excepted)
        for one in stated:
            starts.add(one.first)
            starts.add(one.last + 1)
        last = EVERY_ADDRESS[1].last if self.profile.has_v6 else V6 - 1
        self.starts = sorted(start for start in starts if start <= last)
        ends = [*(start - 1 for start in self.starts[1:]), last]
        self.intervals = [Interval(*pair) for pair in zip(self.starts, ends, strict=True)]

    def endpoint(self, number: int) -> Endpoint:
        """The endpoint of a number; one of an address is that single interval."""
        if number < self.first_address:
            return self._pods[number]
        return addresses_endpoint((self.intervals[number - self.first_address],), self.outside)

    @cached_property
    def number_of(self) -> Mapping[int, int]:
        """The number of a workload's or outside's endpoint, by the identity of what it stands for."""
        return {item.key: number for number, item in enumerate(self._pods)}

    def intervals_of(self, outside: Outside) -> tuple[Interval, ...]:
        """The address ranges that an outside declares."""
        return tuple(interval_of(str(cidr)) for cidr in outside.cidrs)

    def intervals_in(self, bits: int) -> tuple[Interval, ...]:
        """The address ranges of a set, sorted, disjoint and not adjacent."""
        bits >>= self.first_address
        found: list[Interval] = []
        position = 0
        while bits:
            skipped = first(bits)
            bits >>= skipped
            length = first(~bits)
            bits >>= length
            position += skipped
            found.append(Interval(self.intervals[position].first, self.intervals[position + length - 1].last))
            position += length
        if any(one.first < V6 <= one.last for one in found):
            return merged(part for one in found for part in one.by_family())
        return tuple(found)

    def range_bits(self, interval: Interval) -> int:
        """The addresses of an interval whose ends are boundaries."""
        if not self.profile.has_v6 and interval.is_v6:
            return 0
        low = bisect_left(self.starts, interval.first)
        high = bisect_left(self.starts, interval.last + 1)
        return ((1 << high) - (1 << low)) << self.first_address

    # namespaces

    @cached_property
    def by_namespace(self) -> Mapping[str, int]:
        """The pods and host pods of each namespace."""
        found: dict[str, list[int]] = {}
        for number, item in enumerate(self._pods):
            if item.type is not EndpointKind.STRANGER:
                found.setdefault(item.namespace, []).append(number)
        return {namespace: bits_of(numbers) for namespace, numbers in found.items()}

    def unlisted_in(self, namespace: str | None) -> int:
        """The pod of a namespace that nothing declares."""
        return bits_of(
            number
            for number, item in enumerate(self._pods)
            if item.type is EndpointKind.UNLISTED and item.namespace == namespace
        )

    @cached_property
    def unknown_outside(self) -> int:
        """The pods of which nothing is declared, in namespaces without workloads."""
        return self.undeclared & ~self.unlisted_beside_workloads

    @cached_property
    def undeclared(self) -> int:
        """The pods that nothing declares."""
        return bits_of(
            number
            for number, item in enumerate(self._pods)
            if item.type in (EndpointKind.UNLISTED, EndpointKind.STRANGER)
        )

    @cached_property
    def unlisted_beside_workloads(self) -> int:
        """The pods that nothing declares, of the namespaces of workloads."""
        namespaces = {item.namespace for item in self._pods[: self.in_git]}
        return bits_of(
            number
            for number, item in enumerate(self._pods)
            if item.type is EndpointKind.UNLISTED and item.namespace in namespaces
        )

    def in_namespace(self, namespace: str) -> int:
        return self.by_namespace.get(namespace or self.profile.default_namespace, 0)

    @cached_property
    def _namespace_labels(self) -> Mapping[str, tuple[Mapping[str, str], bool]]:
        """The labels of each namespace, and whether those are all."""
        stated = {item.name: item.resource.labels for item in self._index.all(Namespace)}
        found: dict[str, tuple[Mapping[str, str], bool]] = {}
        for name in self.by_namespace:
            labels = {key: value for key, value in stated.get(name, {}).items() if isinstance(value, str)}
            if name:
                labels[NAMESPACE_NAME] = name
            found[name] = labels, name in stated or self.profile.exact_labels
        return found

    def _in_namespaces(self, selector: LabelSelector) -> Selection:
        key = ("namespaces", key_of(selector))
        found = self._selected.get(key)
        if found is None:
            surely = possibly = 0
            for name, bits in self.by_namespace.items():
                labels, is_known = self._namespace_labels[name]
                may, must = matches(selector, labels, is_known=is_known)
                possibly |= bits if may else 0
                surely |= bits if must else 0
            if self.stranger is not None:
                may, must = self._strange_namespace(selector)
                possibly |= may << self.stranger
                surely |= must << self.stranger
            found = self._selected[key] = Selection(surely & self.pods, possibly & self.pods)
        return found

    def _strange_namespace(self, selector: LabelSelector) -> tuple[bool, bool]:
        """Whether a namespace of which nothing is known may be, or must be, selected."""
        name = (selector.match_labels or {}).get(NAMESPACE_NAME)
        named: list[tuple[str, ...]] = [() if name is None else (name,)]
        for each in selector.match_expressions or ():
            if each.key == NAMESPACE_NAME and each.operator == "DoesNotExist":
                return False, False
            if each.key == NAMESPACE_NAME and each.operator == "In":
                named.append(tuple(each.values or ()))
        may = all(any(one not in self.by_namespace for one in names) for names in named if names)
        return may, selector.is_empty

    # pods

    @cached_property
    def _labelled(self) -> tuple[dict[tuple[str, str], int], dict[str, int]]:
        """Who has a label: by key and value, and by key."""
        pairs: dict[tuple[str, str], list[int]] = {}
        for number, item in enumerate(self._pods):
            if not item.host_network:
                for pair in item.labels.items():
                    pairs.setdefault(pair, []).append(number)
        by_pair = {pair: bits_of(numbers) for pair, numbers in pairs.items()}
        keys: dict[str, int] = {}
        by_key: dict[str, list[int]] = {}
        for (key, _), numbers in pairs.items():
            by_key.setdefault(key, []).extend(numbers)
        keys = {key: bits_of(numbers) for key, numbers in by_key.items()}
        return by_pair, keys

    @cached_property
    def _unlabelled(self) -> int:
        """Those that may have more labels than stated: the stranger, and pods of namespaces without workloads."""
        if self.profile.exact_labels:
            return 0
        in_git = {item.namespace for item in self._pods[: self.in_git]}
        return bits_of(
            number
            for number, item in enumerate(self._pods)
            if item.outside is not None or item.type is EndpointKind.STRANGER or item.namespace not in in_git
        )

    def _declared_by(self, selector: LabelSelector) -> int:
        """The undeclared pods of namespaces in which whoever has the labels of a selector is declared outside."""
        labels = dict(selector.match_labels or {})
        for each in selector.match_expressions or ():
            if each.operator == "In" and len(each.values or ()) == 1:
                labels.setdefault(each.key, (each.values or ("",))[0])
        found = 0
        for item in self.outside:
            if item.labels and item.labels.items() <= labels.items():
                found |= self.unlisted_in(item.namespace)
        return found

    @cached_property
    def _by_controller(self) -> Mapping[str, int]:
        """Who has a label for certain, but of an unknown value."""
        found: dict[str, list[int]] = {}
        if not self.profile.exact_labels:
            for number, item in enumerate(self._pods[: self.in_git]):
                for key in _BY_CONTROLLER.get(item.kind, ()):
                    found.setdefault(key, []).append(number)
        return {key: bits_of(numbers) & self.pods for key, numbers in found.items()}

    def labelled(self, selector: LabelSelector | None) -> Selection:
        """The pods of all namespaces that a selector selects; None selects every pod."""
        if selector is None or selector.is_empty:
            return Selection(self.pods, self.pods)
        key = key_of(selector)
        found = self._selected.get(key)
        if found is None:
            surely = possibly = self.pods
            for label, value in (selector.match_labels or {}).items():
                must, may = self._one_of(label, (value,))
                surely, possibly = surely & must, possibly & may
            for requirement in selector.match_expressions or ():
                must, may = self._required(requirement)
                surely, possibly = surely & must, possibly & may
            found = self._selected[key] = Selection(surely, possibly & ~self._declared_by(selector))
        return found

    def _one_of(self, key: str, values: Sequence[str]) -> Selection:
        by_pair, by_key = self._labelled
        unknown = self._by_controller.get(key, 0)
        has = 0
        for value in values:
            has |= by_pair.get((key, value), 0)
        return Selection(has & ~unknown, has | unknown | (self._unlabelled & ~by_key.get(key, 0)))

    def _required(self, requirement: LabelSelectorRequirement) -> Selection:
        key, operator = requirement.key, requirement.operator
        if operator in ("In", "NotIn"):
            surely, possibly = self._one_of(key, requirement.values or ())
        elif operator in ("Exists", "DoesNotExist"):
            surely = self._labelled[1].get(key, 0) | self._by_controller.get(key, 0)
            possibly = surely | self._unlabelled
        else:
            return NOBODY
        if operator in ("NotIn", "DoesNotExist"):
            return Selection(self.pods & ~possibly, self.pods & ~surely)
        return Selection(surely, possibly)

    def subjects(self, namespace: str, selector: LabelSelector | None) -> Selection:
        """The pods of a namespace that a policy's podSelector selects."""
        if selector is None:
            inside = self.in_namespace(namespace) & self.pods
            return Selection(inside, inside)
        key = (namespace, key_of(selector))
        found = self._selected.get(key)
        if found is None:
            inside = self.in_namespace(namespace)
            surely, possibly = self.labelled(selector)
            found = self._selected[key] = Selection(surely & inside, possibly & inside)
        return found

    def peers(self, namespace: str, pods: LabelSelector | None, namespaces: LabelSelector | None) -> Selection:
        """Whom a peer of a policy in ``namespace`` admits by labels."""
        if namespaces is None:
            return self.subjects(namespace, pods)
        key = (None if pods is None else key_of(pods), "in", key_of(namespaces))
        found = self._selected.get(key)
        if found is None:
            inside = self._in_namespaces(namespaces)
            surely, possibly = self.labelled(pods)
            found = Selection(surely & inside.surely, possibly & inside.possibly)
            self._selected[key] = found
        return found

    def block(self, block: Block) -> Selection:
        """Whom an ipBlock admits: addresses, hosts on nodes in it, and possibly pods if it holds their network."""
        found = self._blocks.get(block)
        if found is None:
            bits = self.range_bits(block.cidr)
            for one in block.excepted:
                bits &= ~self.range_bits(one)
            surely = possibly = bits
            if self.host:
                must, may = holds(block, self._node_ranges or EVERY_ADDRESS, all_of=bool(self._node_ranges))
                surely |= self.host if must else 0
                possibly |= self.host if may else 0
            if self.profile.blocks_match_pods:
                _, may = holds(block, self._pod_ranges or PRIVATE_RANGES, all_of=False)
                possibly |= self.pods if may else 0
            found = self._blocks[block] = Selection(surely, possibly)
        return found

    @cached_property
    def dns(self) -> int:
        """The pods that answer DNS: what is declared outside as ``dns``, and whoever has the label of CoreDNS."""
        key, value = _DNS_LABEL
        return bits_of(
            number
            for number, item in enumerate(self._pods)
            if item.labels.get(key) == value or (item.outside is not None and item.name == "dns")
        )

    # ports

    @cached_property
    def with_unknown_ports(self) -> int:
        """The pods of which nobody says what they call their ports: a name may mean any number there."""
        if self.profile.exact_labels:
            return 0
        return bits_of(
            number
            for number, item in enumerate(self._pods)
            if not item.is_in_git and not (item.outside is not None and item.outside.ports)
        )

    def own_ports(self, number: int) -> Mapping[tuple[str, str], Sequence[int]]:
        """The ports of an end that have a name: by protocol and name."""
        found = self._own_ports.get(number)
        if found is None:
            found = self._own_ports[number] = {}
            item = self._pods[number] if number < self.first_address else None
            if item is not None and item.workload is not None:
                for port in declared_ports(item.workload):
                    if port.name:
                        found.setdefault((port.transport, port.name), []).append(port.container_port)
            elif item is not None and item.outside is not None:
                for named in item.outside.ports:
                    found.setdefault((named.protocol, named.name), []).append(named.number)
        return found

    def ports_text(self, endpoint: Endpoint) -> str:
        """The named ports of an endpoint, for people: ``http TCP 8080``."""
        own = self.own_ports(self.number_of[endpoint.key])
        texts = [f"{name} {protocol} {port}" for (protocol, name), numbers in own.items() for port in numbers]
        return ", ".join(texts) or "none with a name"

    @cached_property
    def named_ports(self) -> Mapping[tuple[str, str], Mapping[int, int]]:
        """By protocol and name: the pods that call a number so."""
        found: dict[tuple[str, str], dict[int, list[int]]] = {}
        for number in range(self.first_address):
            for name, ports in self.own_ports(number).items():
                for port in ports:
                    found.setdefault(name, {}).setdefault(port, []).append(number)
        return {
            name: {port: bits_of(numbers) for port, numbers in by_number.items()} for name, by_number in found.items()
        }


def addresses_endpoint(intervals: tuple[Interval, ...], outside: Iterable[Outside]) -> Endpoint:
    """The endpoint of disjoint, sorted ranges: the declared one that holds exactly them, else a nameless one."""
    for item in outside:
        if item.cidrs and (endpoint := outside_endpoint(item)).addresses == intervals:
            return endpoint
    return Endpoint(", ".join(map(str, intervals)), "", "", EndpointKind.ADDRESSES, addresses=intervals)


def outside_endpoint(outside: Outside) -> Endpoint:
    """The endpoint of declared addresses."""
    intervals = merged(interval_of(str(cidr)) for cidr in outside.cidrs)
    return Endpoint(outside.name, "", "", EndpointKind.ADDRESSES, outside=outside, addresses=intervals)


def _owner(item: Workload) -> tuple[str, str]:
    """Kind and name of what made a pod that was read from a cluster; its own for everything else."""
    owners = (item.resource.raw.get("metadata") or {}).get("ownerReferences")
    for owner in owners if item.kind == "Pod" and isinstance(owners, list) else ():
        if isinstance(owner, dict) and owner.get("controller"):
            return str(owner.get("kind")), str(owner.get("name"))
    return item.kind, item.ref.name


def _labels(item: Workload) -> Mapping[str, str]:
    """The labels that its pods surely have with these values: those of the template, and a Job's name."""
    if item.kind != "Job":
        return item.pod_labels
    return {**item.pod_labels, "job-name": item.name, "batch.kubernetes.io/job-name": item.name}


def _declared(item: Outside) -> Endpoint:
    return Endpoint(
        item.name, item.namespace or "", "", EndpointKind.OUTSIDE_PODS, outside=item, labels=dict(item.labels)
    )
