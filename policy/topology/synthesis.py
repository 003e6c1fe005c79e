"""``policy topology synthesize``: the NetworkPolicies that the contract needs, and no more.

For each namespace a policy that denies everything; for each workload one that opens what its flows state, from either
side; for what ``*`` states, one for every pod. Addresses that hold the network of the pods except it, since plugins
differ in whether an ipBlock means pods.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from ipaddress import ip_address, summarize_address_range
from pathlib import Path
from typing import Any

from policy.connectivity.addresses import (
    PRIVATE,
    AddressSet,
    address_text,
    common,
    has_all,
    joined,
    minus,
    range_of,
    ranges,
    united,
)
from policy.connectivity.bits import bits_of, members
from policy.connectivity.endpoints import Endpoint, EndpointKind
from policy.connectivity.policies import Direction
from policy.connectivity.population import ranges_of
from policy.connectivity.ports import (
    ALL_PORTS,
    FIRST_PORT,
    LAST_PORT,
    NO_PORTS,
    PortRange,
    PortSet,
    difference,
    port_set,
)
from policy.connectivity.sides import End
from policy.connectivity.sides import Grants as Granted
from policy.connectivity.stated import Stated
from policy.connectivity.topology import Outside, Topology
from policy.errors import PolicyError
from policy.findings import Field
from policy.manifests.index import Index
from policy.manifests.resources import NetworkPolicy
from policy.manifests.workloads import Workload
from policy.topology.reading import Side
from policy.topology.show import connectivity_of
from policy.topology.yaml_text import yaml_text

FILE_NAME = "network-policy.yaml"
_NAMESPACE_NAME = "kubernetes.io/metadata.name"
_PREFERRED = ("app.kubernetes.io/name", "app", "k8s-app", "name")
_DESCRIBING = ("app.kubernetes.io/name", "app.kubernetes.io/component", "app.kubernetes.io/part-of")
_WAVE = "argocd.argoproj.io/sync-wave"

Grants = Mapping[End, PortSet]
"""Another end, or a part of the addresses -> the ports."""


def synthesize(sides: Sequence[Side], output: Path | None, *, overwrite: bool = False) -> str:
    """The policies as one stream of YAML, or written below a folder and listed.

    Raises:
        PolicyError: there is no contract, overlays need different policies, or a file exists or cannot be written.
    """
    if not sides[0].has_contract:
        raise PolicyError("there is no topology.yaml to work from: `policy topology init` drafts one")
    files = _Synthesis(sides[0]).files()
    for side in sides[1:]:
        if _Synthesis(side).files() != files:
            names = f"{sides[0].overlay.name} and {side.overlay.name}"
            raise PolicyError(f"{names} need different policies: name one of them")
    if output is None:
        return "---\n".join(f"# {path}\n{text}" for path, text in files.items())
    return _written(files, output, overwrite=overwrite)


def _written(files: Mapping[Path, str], output: Path, *, overwrite: bool) -> str:
    changed = {output / path: text for path, text in files.items() if not _holds(output / path, text)}
    for file in changed:
        if os.path.lexists(file) and not overwrite:
            raise PolicyError("exists already and holds something else; --overwrite replaces it", file=file)
    for file, text in changed.items():
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        except OSError as error:
            raise PolicyError(f"cannot be written: {error.strerror}", file=file) from error
    lines = [f"{file} is written" for file in changed]
    return "\n".join([*lines, f"{len(files) - len(changed)} of {len(files)} files were so already", ""])


def _holds(file: Path, text: str) -> bool:
    try:
        return file.read_text(encoding="utf-8") == text
    except (OSError, UnicodeDecodeError):
        return False


class _Synthesis:
    def __init__(self, side: Side) -> None:
        self._overlay, self._index = side.overlay, side.overlay.index
        self._topology: Topology = side.topology
        connectivity = connectivity_of(side)
        self._population, self._table = connectivity.population, connectivity.table
        self._stated = Stated(connectivity, side.topology)
        for unknown in self._stated.unknown_ends:
            place = unknown.end.place
            raise PolicyError(f"{unknown.end} is neither a workload nor outside", file=place.file, line=place.line)
        for lacking in self._stated.unknown_ports:
            place = lacking.port.place
            raise PolicyError(f"{lacking.destination} has no port {lacking.port}", file=place.file, line=place.line)
        self._namespaces = self._index.namespaces
        self._names_namespaces = len(self._namespaces) > 1 or side.overlay.tree is None
        self._wave = _common_wave(self._index)

    def files(self) -> dict[Path, str]:
        """Each file's path and text, sorted by path."""
        found: dict[Path, str] = {}
        for namespace in self._namespaces:
            home = Path(namespace) if len(self._namespaces) > 1 else Path()
            platform = self._part_of(namespace)
            denied = self._policy("default-deny", namespace, {}, platform, None)
            found[home / "platform" / FILE_NAME] = yaml_text(denied)
            shared = self._unlisted(namespace)
            if shared is not None and self._opens(shared):
                every = self._policy("every-pod", namespace, {}, platform, self._rules(shared, None))
                found[home / "platform" / f"every-pod-{FILE_NAME}"] = yaml_text(every)
            for number in range(self._population.in_git):
                endpoint = self._population.endpoint(number)
                if endpoint.namespace == namespace and endpoint.workload and not endpoint.host_network:
                    made = self._of_workload(number, endpoint, endpoint.workload, shared)
                    if made is not None:
                        found[self._folder(home, endpoint) / FILE_NAME] = yaml_text(made)
        return dict(sorted(found.items()))

    def _folder(self, home: Path, endpoint: Endpoint) -> Path:
        """Named like the workload; with its kind where another kind has the name."""
        twins = [item for item in self._index.workloads_in(endpoint.namespace) if item.name == endpoint.name]
        return home / (endpoint.name if len(twins) == 1 else f"{endpoint.name}-{endpoint.kind.lower()}")

    def _of_workload(
        self, number: int, endpoint: Endpoint, workload: Workload, shared: int | None
    ) -> dict[str, Any] | None:
        """The policy of a workload; None where that of one before it, with the same labels and flows, selects it."""
        rules = self._rules(number, shared)

        def has_the_same(other: Workload) -> bool:
            return other is workload or self._rules(self._population.number_of[id(other)], shared) == rules

        selector = self._selecting(workload, has_the_same, "their flows differ")
        if self._selected(workload, selector)[0] is not workload:
            return None
        labels = {key: value for key in _DESCRIBING if isinstance(value := workload.resource.labels.get(key), str)}
        name = self._folder(Path(), endpoint).name
        return self._policy(name, workload.namespace, selector, labels, rules)

    def _policy(
        self,
        name: str,
        namespace: str,
        selector: Mapping[str, str],
        labels: Mapping[str, str],
        rules: Mapping[Direction, list[dict[str, Any]]] | None,
    ) -> dict[str, Any]:
        metadata: dict[str, Any] = {"name": name}
        if namespace and self._names_namespaces:  # else the kustomization says it
            metadata["namespace"] = namespace
        if labels:
            metadata["labels"] = dict(labels)
        if self._wave:
            metadata["annotations"] = {_WAVE: self._wave}
        return {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": metadata,
            "spec": {
                "podSelector": {"matchLabels": dict(selector)} if selector else {},
                "policyTypes": ["Ingress", "Egress"],
                **({} if rules is None else rules),
            },
        }

    def _part_of(self, namespace: str) -> dict[str, str]:
        """What the labels of all workloads of a namespace have in common."""
        key = "app.kubernetes.io/part-of"
        values = {item.resource.labels.get(key) for item in self._index.workloads_in(namespace)}
        value = values.pop() if len(values) == 1 else None
        return {key: value} if isinstance(value, str) else {}

    def _unlisted(self, namespace: str) -> int | None:
        """The number that stands for pods of a namespace that nothing declares: ``*`` is stated for them too."""
        return next(iter(members(self._population.unlisted_in(namespace))), None)

    def _opens(self, number: int) -> bool:
        return bool(self._stated.in_permitted.of(number) or self._stated.out_permitted.of(number))

    def _rules(self, number: int, shared: int | None) -> dict[Direction, list[dict[str, Any]]]:
        """What the flows state for an end, without what another policy opens for every pod."""
        stated: tuple[tuple[Direction, Any, str], ...] = (
            ("ingress", self._stated.in_permitted, "from"),
            ("egress", self._stated.out_permitted, "to"),
        )
        found: dict[Direction, list[dict[str, Any]]] = {}
        for direction, granted, key in stated:
            grants = self._by_end(granted.of(number))
            for_all = self._by_end(granted.of(shared)) if shared is not None else {}
            own = {
                other: left
                for other, ports in grants.items()
                if (other != number or number in self._stated.itself)
                and (left := difference(ports, for_all.get(other, NO_PORTS)))
            }
            found[direction] = list(self._grouped(own, self._population.endpoint(number), key))
        return found

    def _by_end(self, granted: Granted) -> Grants:
        found: dict[End, list[PortRange]] = defaultdict(list)
        for ports, others in granted.pods.items():
            for other in members(others):
                found[other].extend(self._table.sets[ports])
        for ports, addresses in granted.addresses.items():
            for part in self._population.cells:
                if common(addresses, part):
                    found[part].extend(self._table.sets[ports])
        return {other: port_set(ports) for other, ports in found.items()}

    def _grouped(self, grants: Grants, own: Endpoint, key: str) -> Iterator[dict[str, Any]]:
        """A rule for each set of ports."""
        by_ports: dict[PortSet, list[End]] = defaultdict(list)
        for other, ports in grants.items():
            by_ports[ports].append(other)
        rules = [(list(self._peers(others, own)), ports) for ports, others in by_ports.items()]
        for peers, ports in sorted(rules, key=str):
            if peers:
                yield {key: peers, **({} if ports == ALL_PORTS else {"ports": [_port(one) for one in ports]})}

    def _peers(self, others: Sequence[End], own: Endpoint) -> Iterator[dict[str, Any]]:
        population = self._population
        left = bits_of(other for other in others if isinstance(other, int))
        for namespace, everyone in population.by_namespace.items():
            if everyone & population.pods & ~left == 0:
                left &= ~everyone
                yield _in_namespace(namespace, own.namespace, {"podSelector": {}})
        meant = left
        while left:
            number = min(members(left), key=lambda item: str(population.endpoint(item)))
            left &= ~(1 << number)
            endpoint = population.endpoint(number)
            if endpoint.workload is not None:
                self._must_be_selectable(endpoint.workload)
                labels = self._selecting(
                    endpoint.workload,
                    lambda other: bool(meant >> population.number_of[id(other)] & 1),
                    f"{own} has flows with some of them only",
                )
                left &= ~bits_of(population.number_of[id(each)] for each in self._selected(endpoint.workload, labels))
                selector: dict[str, Any] = {"podSelector": {"matchLabels": labels}}
                yield _in_namespace(endpoint.namespace, own.namespace, selector)
            elif endpoint.type is EndpointKind.OUTSIDE_PODS:
                selector = {"podSelector": {"matchLabels": dict(endpoint.labels)} if endpoint.labels else {}}
                yield _in_namespace(endpoint.namespace, own.namespace, selector)
        yield from self._blocks(joined(other for other in others if not isinstance(other, int)))

    def _blocks(self, addresses: AddressSet) -> Iterator[dict[str, Any]]:
        """The ipBlocks of what is declared outside, as it is declared, without the network of the pods."""
        left = addresses
        declared = sorted((item for item in self._topology.outside.values() if item.cidrs), key=_size, reverse=True)
        for item in declared:
            self._must_tell_pods(item)
            permitted: list[AddressSet] = []
            blocks = []
            for cidr in item.cidrs:
                block = range_of(str(cidr))
                excepted = self._pod_networks(block)
                permitted.append(minus(block, united(map(range_of, excepted))))
                blocks.append({"cidr": str(cidr), **({"except": excepted} if excepted else {})})
            whole = united(permitted)
            if common(whole, left) and not minus(whole, addresses):
                left = minus(left, whole)
                yield from ({"ipBlock": block} for block in blocks)
        yield from ({"ipBlock": {"cidr": cidr}} for one in ranges(left) for cidr in _cidrs(*one))

    def _must_tell_pods(self, item: Outside) -> None:
        """Private addresses may be those of pods, which no flow to addresses means."""
        declared = ranges_of(item)
        private = [text for text in PRIVATE if has_all(declared, range_of(text))]
        if private and not self._topology.cluster.pods:
            raise PolicyError(
                f"{item.name} holds {private[0]}, where pods may be: state under cluster the networks of pods, "
                "Services and nodes",
                file=item.place.file,
                line=item.place.line,
            )

    def _pod_networks(self, block: AddressSet) -> list[str]:
        """The networks of pods that lie within a block; all private ones, if nothing says where pods are."""
        networks = [str(network) for network in self._topology.cluster.pods] or list(PRIVATE)
        parts = [(network, range_of(network)) for network in networks]
        return [text for text, part in parts if block != part and has_all(block, part)]

    def _selecting(self, workload: Workload, may_be: Callable[[Workload], bool], why: str) -> dict[str, str]:
        """The fewest labels that select the pods of this workload and, of its namespace, of none that may not be.

        Raises:
            PolicyError: there are none; ``why`` says what keeps the others apart.
        """
        labels = workload.pod_labels
        candidates: list[dict[str, str]] = [{key: labels[key]} for key in _PREFERRED if key in labels]
        if workload.selector is not None and workload.selector.match_labels:
            candidates.append(dict(workload.selector.match_labels))
        candidates += [{key: value} for key, value in sorted(labels.items())] + [dict(labels)]
        found = [each for each in candidates if each]
        for candidate in found:
            if len(self._selected(workload, candidate)) == 1:
                return candidate
        for candidate in found:
            if all(map(may_be, self._selected(workload, candidate))):
                return candidate
        others = [item for item in self._selected(workload, labels) if not may_be(item)]
        of = f" from those of {others[0].ref}, and {why}" if labels else ": they have none"
        raise self._error(
            workload.field("metadata", "name"),
            f"the labels of the pods of {workload.ref} do not tell them{of}; give its pod template a label of its own",
        )

    def _selected(self, workload: Workload, labels: Mapping[str, str]) -> list[Workload]:
        """The workloads beside this one, itself too, whose pods a podSelector with the labels selects."""
        found = self._index.selected(workload.namespace, labels)
        return [item for item in found if not item.pod.host_network]

    def _must_be_selectable(self, workload: Workload) -> None:
        if workload.pod.host_network:
            raise self._error(
                workload.pod_field("hostNetwork"),
                f"{workload.ref} is on the host's network, so no policy can name it: take it out of the flows and name "
                "it under silent, or state the addresses of its nodes under outside, and flows with those",
            )

    def _error(self, at: Field, message: str) -> PolicyError:
        place, _ = self._overlay.place(at)
        return PolicyError(message, file=place.file, line=place.line)


def _common_wave(index: Index) -> str:
    """The sync wave of the policies that are there, if it is one: what opens a way comes before what needs it."""
    waves = {policy.resource.annotations.get(_WAVE) for policy in index.all(NetworkPolicy)}
    wave = waves.pop() if len(waves) == 1 else None
    return wave if isinstance(wave, str) else ""


def _in_namespace(namespace: str, own: str, peer: dict[str, Any]) -> dict[str, Any]:
    """A peer of a policy in ``own``; every pod of another namespace needs no podSelector."""
    if namespace == own:
        return peer
    selector = {"namespaceSelector": {"matchLabels": {_NAMESPACE_NAME: namespace}}}
    return selector if not peer["podSelector"] else {**selector, **peer}


def _size(item: Outside) -> int:
    return sum(cidr.num_addresses for cidr in item.cidrs)


def _cidrs(first: int, end: int) -> Iterator[str]:
    return map(str, summarize_address_range(ip_address(address_text(first)), ip_address(address_text(end - 1))))


def _port(one: PortRange) -> dict[str, Any]:
    if (one.first, one.last) == (FIRST_PORT, LAST_PORT):
        return {"protocol": one.protocol}
    end = {"endPort": one.last} if one.last != one.first else {}
    return {"protocol": one.protocol, "port": one.first, **end}
