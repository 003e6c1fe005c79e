"""``policy explain``: why one end can reach another or why not, rule by rule, with the lines that decide it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_address

from policy.connectivity.addresses import V6
from policy.connectivity.bits import members
from policy.connectivity.endpoints import Endpoint, EndpointKind
from policy.connectivity.policies import DIRECTIONS, PEERS, CompiledPolicy, CompiledRule, Direction
from policy.connectivity.ports import (
    PROTOCOLS,
    PortRange,
    PortSet,
    described,
    difference,
    intersection,
    port_set,
)
from policy.connectivity.topology import Flow, FlowEnd, FlowPort, Outside, parse_port
from policy.errors import PolicyError
from policy.findings import Field, Place
from policy.reports.plain import one_line
from policy.topology.names import find
from policy.topology.reading import Side
from policy.topology.show import connectivity_of
from policy.topology.wording import peers_in_words, ports_in_words

_DNS = Outside("dns", "kube-system", {"k8s-app": "kube-dns"}, (), (), Place("", 1))
"""Where clusters commonly answer names, for a contract that does not say."""
_DNS_PORTS: PortSet = (PortRange("UDP", 53, 53),)


def explain(sides: Sequence[Side], source: str, destination: str, port: str | None) -> tuple[bool, str]:
    """Whether the connection works for certain, and the explanation; without a port, whether any works.

    Raises:
        PolicyError: an end or the port is not known, or there are several overlays.
    """
    if len(sides) != 1:
        raise PolicyError(
            f"these are {len(sides)} overlays ({', '.join(side.overlay.name for side in sides)}): name one"
        )
    return _Explanation(sides[0]).of(source, destination, port)


@dataclass(frozen=True, slots=True)
class _Pair:
    source: Endpoint
    destination: Endpoint
    sources: tuple[int, ...]
    destinations: tuple[int, ...]

    def ends(self, direction: Direction) -> tuple[Endpoint, Endpoint]:
        """Whose policies decide, and the other end."""
        return (self.source, self.destination) if direction == "egress" else (self.destination, self.source)

    def numbers(self, direction: Direction) -> tuple[tuple[int, ...], tuple[int, ...]]:
        return (self.sources, self.destinations) if direction == "egress" else (self.destinations, self.sources)


class _Explanation:
    def __init__(self, side: Side) -> None:
        self._side = side
        outside = dict(side.topology.outside)
        self._dns = _dns_of(outside) or outside.setdefault("dns", _DNS)
        self._connectivity = connectivity_of(replace(side, topology=replace(side.topology, outside=outside)))
        self._table = self._connectivity.table

    def of(self, source: str, destination: str, port: str | None) -> tuple[bool, str]:
        pair = self._pair(source, destination)
        wanted = self._wanted(port, pair.destination) if port else None
        if pair.source == pair.destination:
            return True, f"{pair.source} is both ends: a pod always reaches itself, and more is not judged.\n"
        allowed, possible = self._connectivity.allowed_bounds(pair.source, pair.destination)
        lines = [self._verdict(pair, allowed, possible, wanted), ""]
        for direction in DIRECTIONS:
            lines.extend(self._direction(pair, direction, wanted))
        lines.extend(self._names(pair))
        lines.extend(self._contract(pair))
        text = "".join(one_line(line).rstrip() + "\n" for line in lines)
        return bool(allowed) if wanted is None else not difference(wanted, allowed), text

    def _pair(self, source: str, destination: str) -> _Pair:
        (one, ones), (other, others) = self._end(source), self._end(destination)
        if not one.is_in_git and not other.is_in_git:
            raise PolicyError(f"neither {one} nor {other} is in Git: no policy of these manifests is about them")
        return _Pair(one, other, ones, others)

    def _end(self, word: str) -> tuple[Endpoint, tuple[int, ...]]:
        """What a word means: an endpoint by its name or its beginning, or a single address."""
        population = self._connectivity.population
        try:
            address = ip_address(word)
        except ValueError:
            endpoint = find(word, self._connectivity.endpoints)
            return endpoint, tuple(members(self._connectivity.bits(endpoint)))
        number = int(address) + (V6 if address.version == 6 else 0)
        cell = bisect_right(population.starts, number) - 1
        found = population.endpoint(population.first_address + cell)
        return replace(found, name=word, outside=None), (population.first_address + cell,)

    def _wanted(self, text: str, destination: Endpoint) -> PortSet:
        try:
            port = parse_port(text, Place("", 1))
        except ValueError as error:
            raise PolicyError(str(error)) from error
        if port.of_service:
            raise PolicyError(f"{text} is a Service's port; policies act on the port of the pods: name that")
        if not port.name:
            protocols = (port.protocol,) if port.protocol else PROTOCOLS
            return port_set(PortRange(protocol, port.first, port.last) for protocol in protocols)
        return self._named(port, destination)

    def _named(self, port: FlowPort, destination: Endpoint) -> PortSet:
        population = self._connectivity.population
        own = self._connectivity.bits(destination) if destination.type is not EndpointKind.ADDRESSES else 0
        found = port_set(
            PortRange(protocol, number, number)
            for (protocol, name), numbers in population.named_ports.items()
            if name == port.name and port.protocol in ("", protocol)
            for number, holders in numbers.items()
            if holders & own
        )
        if not found:
            raise PolicyError(f"{destination} has no port {port}: name a protocol and a number, like TCP 8080")
        return found

    def _verdict(self, pair: _Pair, allowed: PortSet, possible: PortSet, wanted: PortSet | None) -> str:
        ends = f"{pair.source} {{}} {pair.destination}"
        if wanted is None:
            if allowed:
                return ends.format("can reach") + f" on {_ports(allowed)}."
            perhaps = f"; perhaps on {_ports(possible)}, which is not certain" if possible else ""
            return ends.format("cannot reach") + f"{perhaps}."
        works, refused = intersection(wanted, allowed), difference(wanted, allowed)
        if not refused:
            return ends.format("can reach") + f" on {_ports(wanted)}."
        partly = f", only on {_ports(works)}" if works else ""
        perhaps = ", which is not certain" if intersection(refused, possible) else ""
        return ends.format("cannot reach") + f" on {_ports(refused)}{perhaps}{partly}."

    def _direction(self, pair: _Pair, direction: Direction, wanted: PortSet | None) -> Iterator[str]:
        """What the policies of one end say, rule by rule."""
        end, _ = pair.ends(direction)
        numbers, others = pair.numbers(direction)
        title = f"{direction} of {end}"
        if not end.is_in_git:
            yield f"{title}: not in Git, so taken to be open"
            return
        if end.host_network:
            yield f"{title}: on the network of its node, where no policy holds"
            return
        (number,) = numbers
        policies = [policy for policy in self._connectivity.policies if self._selects(policy, number, direction)]
        if not policies:
            yield f"{title}: no policy selects it, so it is open"
            return
        granted = self._granted(policies, others, pair, direction)
        if not granted:
            yield f"{title}: refused"
        elif wanted and difference(wanted, granted):
            yield f"{title}: refused, since it is allowed only on {_ports(granted)}"
        else:
            yield f"{title}: allowed on {_ports(granted)}"
        for policy in policies:
            yield from self._policy(policy, direction, pair, wanted)

    def _selects(self, policy: CompiledPolicy, number: int, direction: Direction) -> bool:
        return direction in policy.rules and bool(policy.subjects.possibly >> number & 1)

    def _granted(
        self, policies: Sequence[CompiledPolicy], others: tuple[int, ...], pair: _Pair, direction: Direction
    ) -> PortSet:
        """The ports that the rules surely allow with every one of the others."""
        rules = [rule for policy in policies for rule in policy.rules[direction]]
        with_each = []
        for other in others:
            matching = (rule for rule in rules if rule.peers.surely >> other & 1)
            with_each.append(port_set(one for rule in matching for one in self._on(rule, pair)))
        result = with_each[0]
        for ports in with_each[1:]:
            result = intersection(result, ports)
        return result

    def _on(self, rule: CompiledRule, pair: _Pair) -> PortSet:
        """The ports of a rule, where they are ports of the destination."""
        held = (ports.number for ports in rule.ports if any(ports.destinations >> one & 1 for one in pair.destinations))
        return port_set(one for number in held for one in self._table.sets[number])

    def _policy(
        self, policy: CompiledPolicy, direction: Direction, pair: _Pair, wanted: PortSet | None
    ) -> Iterator[str]:
        item = policy.policy
        (number,), _ = pair.numbers(direction)
        is_sure = policy.subjects.surely >> number & 1
        selects = "selects it" if is_sure else "perhaps selects it (by labels that no manifest states)"
        rules = policy.rules[direction]
        nothing = "" if rules else f", with no {direction} rule: it opens nothing"
        yield f"  {self._place(item.field('spec', 'podSelector'))}: {item.ref} {selects}{nothing}"
        for rule in rules:
            raw = (item.spec.egress if direction == "egress" else item.spec.ingress) or ()
            words = f"{PEERS[direction]} {peers_in_words(raw[rule.position].peers)}"
            on = f"on {ports_in_words(raw[rule.position].ports)}"
            yield f"    {self._place(rule.at)}: {self._match(rule, direction, pair, wanted)}: {words}, {on}"

    def _match(self, rule: CompiledRule, direction: Direction, pair: _Pair, wanted: PortSet | None) -> str:
        _, other = pair.ends(direction)
        _, others = pair.numbers(direction)
        matching = [bool(rule.peers.surely >> number & 1) for number in others]
        if all(matching):
            ports = self._on(rule, pair)
            is_right = intersection(wanted, ports) if wanted else ports
            return "lets it through" if is_right else f"is about {other}, but not about this port"
        if any(rule.peers.possibly >> number & 1 for number in others):
            return f"is about a part of {other}" if any(matching) else f"is perhaps about {other}"
        return f"is not about {other}"

    def _place(self, at: Field) -> Place:
        return self._side.overlay.place(at)[0]

    def _names(self, pair: _Pair) -> Iterator[str]:
        """Whether the source can ask for the name of the destination."""
        if not pair.source.is_in_git or pair.destination.outside is self._dns:
            return
        dns = next(item for item in self._connectivity.endpoints if item.outside is self._dns)
        can = not difference(_DNS_PORTS, self._connectivity.allowed(pair.source, dns))
        where = f"{dns} on {described(_DNS_PORTS)}"
        yield f"names: {pair.source} " + (
            f"can resolve them at {where}" if can else f"cannot resolve any: it does not reach {where}"
        )

    def _contract(self, pair: _Pair) -> Iterator[str]:
        if not self._side.has_contract:
            return
        flows = [flow for flow in self._side.topology.flows if self._states(flow, pair)]
        for flow in flows:
            yield f"contract: {flow.place}: {flow.text}"
        if not flows:
            yield f"contract: {self._side.topology.file} states no flow from {pair.source} to {pair.destination}"

    def _states(self, flow: Flow, pair: _Pair) -> bool:
        return self._is_one_of(flow.sources, pair.source) and self._is_one_of(flow.destinations, pair.destination)

    def _is_one_of(self, ends: Sequence[FlowEnd], endpoint: Endpoint) -> bool:
        return any(
            endpoint.is_in_git
            if end.is_every
            else end.name == endpoint.name
            and end.namespace in ("", endpoint.namespace)
            and end.kind in ("", endpoint.kind)
            for end in ends
        )


def _dns_of(outside: Mapping[str, Outside]) -> Outside | None:
    """What the contract calls the DNS: ``dns``, or pods with the label that those have."""
    by_label = (item for item in outside.values() if item.labels.get("k8s-app") == "kube-dns")
    return outside.get("dns") or next(by_label, None)


def _ports(ports: PortSet) -> str:
    return "every port" if described(ports) == "all" else described(ports)
