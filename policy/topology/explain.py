"""``policy explain``: why one end can reach another or why not, rule by rule, with the lines that decide it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import ip_address

from policy.connectivity.addresses import V6
from policy.connectivity.endpoints import Endpoint, EndpointKind
from policy.connectivity.explain import Explanation, Reason, SideReasons, Verdict
from policy.connectivity.explain import explain as reasons_for
from policy.connectivity.policies import PEERS, Direction
from policy.connectivity.ports import (
    ALL_PORTS,
    PROTOCOLS,
    PortRange,
    PortSet,
    described,
    difference,
    intersection,
    port_set,
)
from policy.connectivity.topology import Flow, FlowEnd, FlowPort
from policy.connectivity.topology_file import parse_port
from policy.errors import PolicyError
from policy.findings import Field, Place
from policy.reports.plain import one_line
from policy.topology.names import find
from policy.topology.reading import Side
from policy.topology.show import connectivity_of, left_out
from policy.topology.wording import peers_in_words, ports_in_words


def explain(sides: Sequence[Side], source: str, destination: str, port: str | None) -> tuple[bool, str]:
    """Whether the connection works for certain, and the explanation; without a port, whether any works.

    Raises:
        PolicyError: an end or the port is not known, or there are several overlays.
    """
    if len(sides) != 1:
        raise PolicyError(
            f"these are {len(sides)} overlays ({', '.join(side.overlay.name for side in sides)}): name one"
        )
    return Questions(sides[0]).answer(source, destination, port)


class Questions:
    """Answers about one overlay."""

    def __init__(self, side: Side) -> None:
        self._side = side
        self._connectivity = connectivity_of(side)

    def answer(self, source: str, destination: str, port: str | None) -> tuple[bool, str]:
        """Whether the connection works for certain, and why; see ``explain``."""
        one, other = self._end(source), self._end(destination)
        if not one.is_in_git and not other.is_in_git:
            raise PolicyError(f"neither {one} nor {other} is in Git: no policy of these manifests is about them")
        ends = {end.namespace for end in (one, other) if end.is_in_git}
        omitted = [each for each in left_out(self._side) if ends & set(each.namespaces)]
        caveats = "".join(f"left out: {line}\n" for line in dict.fromkeys(map(str, omitted)))
        can, text = self._among_themselves(one, port) if one == other else self._between(one, other, port)
        verdict, _, reasons = text.partition("\n")
        return can, f"{verdict}\n{caveats}{reasons}"

    def _between(self, one: Endpoint, other: Endpoint, port: str | None) -> tuple[bool, str]:
        """Whether pods of one end reach those of another, and the rules that decide it."""
        wanted = self._wanted(port, other) if port else None
        found = reasons_for(self._connectivity, one, other, wanted or ALL_PORTS)
        lines = [_verdict(found, wanted), ""]
        for side in (found.egress, found.ingress):
            lines.extend(self._side_lines(side, found, wanted))
        lines.extend(_names(found))
        lines.extend(self._contract(found))
        text = "".join(one_line(line).rstrip() + "\n" for line in lines)
        return bool(found.surely) if wanted is None else not difference(wanted, found.surely), text

    def _among_themselves(self, end: Endpoint, port: str | None) -> tuple[bool, str]:
        """Whether the pods of one end reach each other."""
        connectivity, number = self._connectivity, self._connectivity.population.number_of[end.key]
        if not connectivity.population.has_pods_besides(number):
            return True, f"{end} is both ends: a pod always reaches itself.\n"
        wanted = self._wanted(port, end) if port else None
        found = connectivity.among_themselves(number)
        reached = f"reach each other on {described(found)}" if found else "do not surely reach each other"
        text = f"{end} is both ends: a pod always reaches itself; its pods {reached}.\n"
        return (bool(found) if wanted is None else not difference(wanted, found)), text

    def _end(self, word: str) -> Endpoint:
        """What a word means: an endpoint by its name or its beginning, or a single address."""
        population = self._connectivity.population
        try:
            address = ip_address(word)
        except ValueError:
            return find(word, self._connectivity.endpoints)
        number = int(address) + (V6 if address.version == 6 else 0)
        cell = next(one for one in population.cells if number < one[1])
        return Endpoint(word, "", "", EndpointKind.ADDRESSES, addresses=cell)

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
        own = self._connectivity.ends(destination).pods
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

    def _side_lines(self, side: SideReasons, found: Explanation, wanted: PortSet | None) -> Iterator[str]:
        """What the policies of one end say, rule by rule."""
        title = f"{side.direction} of {side.end}"
        other = found.destination if side.direction == "egress" else found.source
        if not side.end.is_in_git:
            yield f"{title}: not in Git, so taken to be open"
        elif side.end.host_network:
            yield f"{title}: on the network of its node, where no policy holds"
        elif side.is_isolated is False:
            yield f"{title}: no policy selects it, so it is open"
        elif not side.surely:
            yield f"{title}: " + ("not certain" if side.possibly else "refused")
        elif wanted and difference(wanted, side.surely):
            yield f"{title}: allowed only on {_ports(side.surely)}"
        else:
            yield f"{title}: allowed on {_ports(side.surely)}"
        told: object = None
        for reason in side.reasons:
            if reason.policy is not told:
                yield f"  {self._policy(reason, side.direction)}"
                told = reason.policy
            if reason.verdict is not Verdict.NO_RULE:
                yield f"    {self._place(reason.at)}: {self._rule(reason, side.direction, other)}"

    def _policy(self, reason: Reason, direction: Direction) -> str:
        item = reason.policy.policy
        what = f"{item.ref} selects {'every pod' if item.spec.selects_every_pod else item.spec.pod_selector}"
        nothing = f" and has no {direction} rule: it opens nothing" if reason.verdict is Verdict.NO_RULE else ""
        return f"{self._place(item.field('spec', 'podSelector'))}: {what}{nothing}"

    def _rule(self, reason: Reason, direction: Direction, other: Endpoint) -> str:
        spec = reason.policy.policy.spec
        rules = (spec.egress if direction == "egress" else spec.ingress) or ()
        rule = rules[int(reason.at.path[-1])]
        said = {
            Verdict.ADMITS: "lets it through" if reason.is_certain else "perhaps lets it through",
            Verdict.OTHER_PORTS: f"is about {other}, but about other ports",
        }.get(reason.verdict, f"is not about {other}")
        return f"{said}: {PEERS[direction]} {peers_in_words(rule.peers)}, on {ports_in_words(rule.ports)}"

    def _place(self, at: Field) -> Place:
        return self._side.overlay.place(at)[0]

    def _contract(self, found: Explanation) -> Iterator[str]:
        if not self._side.has_contract:
            return
        flows = [flow for flow in self._side.topology.flows if _states(flow, found)]
        for flow in flows:
            yield f"contract: {flow.place}: {flow.text}"
        if not flows:
            yield f"contract: {self._side.topology.file} states no flow from {found.source} to {found.destination}"


def _verdict(found: Explanation, wanted: PortSet | None) -> str:
    can, cannot = (f"{found.source} {word} reach {found.destination}" for word in ("can", "cannot"))
    if wanted is None:
        if found.surely:
            return f"{can} on {_ports(found.surely)}."
        perhaps = f"; perhaps on {_ports(found.possibly)}, which is not certain" if found.possibly else ""
        return f"{cannot}{perhaps}."
    refused = difference(wanted, found.surely)
    if not refused:
        return f"{can} on {_ports(wanted)}."
    partly = f", only on {_ports(found.surely)}" if found.surely else ""
    perhaps = ", which is not certain" if intersection(refused, found.possibly) else ""
    return f"{cannot} on {_ports(refused)}{perhaps}{partly}."


def _names(found: Explanation) -> Iterator[str]:
    """Whether the source can ask for the name of the destination."""
    if found.source.is_in_git and found.destination.is_in_git:
        lacks = f"cannot resolve names: it does not reach the DNS on {described(found.dns)}"
        yield f"names: {found.source} {lacks if found.dns else 'can resolve them'}"


def _states(flow: Flow, found: Explanation) -> bool:
    return _is_one_of(flow.sources, found.source) and _is_one_of(flow.destinations, found.destination)


def _is_one_of(ends: Sequence[FlowEnd], endpoint: Endpoint) -> bool:
    return any(
        endpoint.is_in_git
        if end.is_every
        else end.name == endpoint.name and end.namespace in ("", endpoint.namespace) and end.kind in ("", endpoint.kind)
        for end in ends
    )


def _ports(ports: PortSet) -> str:
    return "every port" if described(ports) == "all" else described(ports)
