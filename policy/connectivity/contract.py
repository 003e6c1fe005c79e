"""topology.yaml against the policies: what is possible and not stated, and what is stated and does not work.

A leak is judged by what is *possibly* allowed, a broken flow by what *surely* is. Both sides of a connection are held
against the contract on their own, as sets: only what is too much on both sides is a leak, so that the one side need
never be transposed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property

import msgspec

from policy.connectivity.addresses import NO_ADDRESSES, AddressSet, common, minus
from policy.connectivity.bits import bits_of, members
from policy.connectivity.differences import beyond
from policy.connectivity.endpoints import Endpoint
from policy.connectivity.leaks import Bundle, Leak
from policy.connectivity.matrix import Connectivity
from policy.connectivity.policies import PEERS, CompiledRule, Direction
from policy.connectivity.population import outside_endpoint
from policy.connectivity.ports import PortSet, PortTable
from policy.connectivity.rows import disjoint
from policy.connectivity.selections import Ends
from policy.connectivity.sides import NOTHING, Grants, Side
from policy.connectivity.stated import Granted, Stated
from policy.connectivity.topology import Flow, Topology
from policy.findings import Field
from policy.manifests.resources import NetworkPolicyPeer


class Broken(msgspec.Struct, frozen=True):
    """A connection that a flow states and that does not surely work; ``sides`` are those that refuse it, and what."""

    flow: Flow
    source: Endpoint
    destination: Endpoint
    sides: Mapping[Direction, PortSet]

    def end(self, direction: Direction) -> Endpoint:
        return self.source if direction == "egress" else self.destination

    def other(self, direction: Direction) -> Endpoint:
        return self.destination if direction == "egress" else self.source


class Proof:
    """The contract held against the policies of one overlay; everything is worked out when it is asked for."""

    def __init__(self, connectivity: Connectivity, topology: Topology, unproven: int = 0) -> None:
        """``unproven`` are ends of which nothing is said, beside the workloads that the contract does not know."""
        self.connectivity, self.topology = connectivity, topology
        self.stated = Stated(connectivity, topology)
        self._ignored = unproven | self.stated.unknown_bits
        self._population, self._table = connectivity.population, connectivity.table

    def excess(self, side: Side, number: int, grants: Grants) -> Grants:
        """What an end is granted beyond the contract, itself left out."""
        stated = self._permitted(side)
        return NOTHING if stated.is_alike(number, grants) else self._beyond_of(grants, stated.of(number), number)

    def _beyond_of(self, grants: Grants, stated: Grants, number: int) -> Grants:
        """What is granted to an end that counts, without what is stated."""
        if self._ignored >> number & 1:
            return NOTHING
        return beyond(grants, stated, self._table, 1 << number | self._ignored)

    @cached_property
    def leaks(self) -> tuple[Leak, ...]:
        """Everything possible that no flow states, one for each rule (or end without a policy) that lets it through."""
        grouped: dict[object, tuple[CompiledRule | None, list[Bundle]]] = {}
        for bundle in self._leaking():
            for rule, part in self._by_rule(bundle):
                key = id(rule) if rule else (bundle.direction, bundle.end)
                known = grouped.get(key)
                if known is None:
                    grouped[key] = rule, [part]
                else:
                    known[1].append(part)
        return tuple(Leak(self, rule, bundles) for rule, bundles in grouped.values())

    def peer_of(self, leak: Leak) -> tuple[Field, NetworkPolicyPeer] | None:
        """The first peer of the leak's rule that lets the other end through; None where the rule has no peers."""
        rule = leak.by
        if rule is None:
            return None
        others = self.connectivity.ends(leak.other)
        for number, peer in enumerate(rule.raw.peers or ()):
            selection = self.connectivity.compiler.peer(rule.policy, peer)
            if not isinstance(selection, str) and selection.may_be(others):
                return rule.at[PEERS[rule.direction]][number], peer
        return None

    def required(self, direction: Direction, number: int) -> Grants:
        """What must work for an end."""
        stated = self.stated.out_required if direction == "egress" else self.stated.in_required
        return stated.of(number)

    def lacking(self, wanted: Grants, rules: Iterable[CompiledRule], number: int) -> Grants:
        """What rules do not surely grant an end of what is wanted."""
        rules = list(rules)
        if not rules:
            return wanted
        granted = self.connectivity.sides[rules[0].direction].of_rules(rules, number, 0)
        return beyond(wanted, granted, self._table, 1 << number)

    def _by_rule(self, bundle: Bundle) -> Iterator[tuple[CompiledRule | None, Bundle]]:
        """The bundle, divided by the first rule of the end that lets each of it through."""
        direction, end, ports = bundle.direction, bundle.end, bundle.ports
        side = self.connectivity.sides[direction]
        if not side.isolated >> end & 1:
            yield None, bundle
            return
        rules = side.rules(end)
        if len(rules) == 1:  # all that is possible comes of it
            yield rules[0], bundle
            return
        pods, addresses = bundle.others.pods, bundle.others.addresses
        for rule in rules:
            some = pods & self._held(side, rule, bundle)
            others = NO_ADDRESSES
            if addresses and rule.peers.addresses and self._has_port(side, rule, bundle):
                others = common(addresses, rule.peers.addresses)
            if some == pods and others == addresses:  # so it is for most, at the first rule
                yield rule, Bundle(direction, end, ports, Ends(pods, addresses))
                return
            if some or others:
                pods, addresses = pods ^ some, minus(addresses, others)
                yield rule, Bundle(direction, end, ports, Ends(some, others))

    def _has_port(self, side: Side, rule: CompiledRule, bundle: Bundle) -> bool:
        """Whether a rule has some of the ports, whoever the other end is."""
        ports = rule.ports.numeric
        if rule.ports.names and bundle.direction == "ingress":
            ports = side.held(rule, bundle.end)
        return bool(self._table.intersection(ports, bundle.ports))

    def _held(self, side: Side, rule: CompiledRule, bundle: Bundle) -> int:
        """The pods that a rule possibly admits on some of the ports."""
        if self._has_port(side, rule, bundle):
            return rule.peers.possibly
        if bundle.direction == "ingress" or not rule.ports.names:
            return 0
        granted = side.of_rules([rule], bundle.end, 1)  # of the rule's peers, those that call such a port so
        return _any(bits for each, bits in granted.pods.items() if self._table.intersection(each, bundle.ports))

    def _leaking(self) -> Iterator[Bundle]:
        """What leaks, seen from the side to blame: the one that isolates; the destination's, where both do."""
        population = self._population
        egress, ingress = self.connectivity.sides["egress"], self.connectivity.sides["ingress"]
        in_git = (1 << population.in_git) - 1
        too_much, sending = dict(self._beyond(ingress)), dict(self._beyond(egress))
        everybody = population.everyone & ~egress.isolated
        unbound = {PortTable.ALL: everybody} if everybody else {}
        reaching = self._reaching(bits_of(number for number, row in too_much.items() if row.pods), sending, unbound)
        for destination, row in too_much.items():
            yield from self._admitted(destination, row, reaching.get(destination, unbound))
        open_destinations = population.everyone & ~ingress.isolated
        for source, row in sending.items():
            asked = open_destinations if source < population.in_git else open_destinations & in_git
            yield from self._bundles("egress", source, row, asked)
        yield from self._between_open(in_git)

    def _admitted(self, destination: int, excess: Grants, senders: Mapping[int, int]) -> Iterator[Bundle]:
        """What a destination admits too much, as far as its possible sources send it, and addresses."""
        in_git = (1 << self._population.in_git) - 1
        is_in_git = destination < self._population.in_git
        addresses = dict(excess.addresses) if is_in_git else {}
        is_only = len(addresses) == 1  # then a bundle of pods tells of them too
        for sent, sources in senders.items():
            asked = sources if is_in_git else sources & in_git
            for ports, others in excess.pods.items():
                both = self._table.intersection(ports, sent)
                found = others & asked if both else 0
                if found:
                    more = addresses.pop(both, NO_ADDRESSES) if is_only else NO_ADDRESSES
                    yield Bundle("ingress", destination, both, Ends(found, more))
        for ports, some in addresses.items():
            yield Bundle("ingress", destination, ports, Ends(0, some))

    def _beyond(self, side: Side) -> Iterator[tuple[int, Grants]]:
        """The isolated ends with what they may do beyond the contract; most ends of a good overlay have nothing."""
        stated, every = self._permitted(side), side.every[1]
        for number in members(side.isolated):
            grants = every[number]
            if not stated.is_alike(number, grants):  # most ends of a good overlay are
                excess = self._beyond_of(grants, stated.of(number), number)
                if excess:
                    yield number, excess

    def _permitted(self, side: Side) -> Granted:
        return self.stated.out_permitted if side.direction == "egress" else self.stated.in_permitted

    def _bundles(self, direction: Direction, end: int, excess: Grants, asked: int) -> Iterator[Bundle]:
        """The excess of an end with those others that are asked for, and with addresses, if it is in Git."""
        for ports, others in excess.pods.items():
            addresses = excess.addresses.get(ports, NO_ADDRESSES) if end < self._population.in_git else NO_ADDRESSES
            if others & asked or addresses:
                yield Bundle(direction, end, ports, Ends(others & asked, addresses))
        for ports, addresses in excess.addresses.items() if end < self._population.in_git else ():
            if ports not in excess.pods:
                yield Bundle(direction, end, ports, Ends(0, addresses))

    def _reaching(
        self, destinations: int, sending: Iterable[int], unbound: Mapping[int, int]
    ) -> Mapping[int, Mapping[int, int]]:
        """For each of some destinations: its possible sources (bits), by the ports on which they may send to it.

        ``sending`` are the isolated sources to count, as flows state what others send. ``unbound`` are the sources that
        are not isolated, which are the only ones of a destination that is left out.
        """
        egress = self.connectivity.sides["egress"]
        senders: dict[int, tuple[Grants, list[int]]] = {}
        for source in sending:
            row = egress.every[1][source]
            senders.setdefault(id(row), (row, []))[1].append(source)
        found: dict[int, dict[int, int]] = {}
        for row, numbers in senders.values():
            sources = bits_of(numbers)
            for ports, others in disjoint(row.pods, self._table).items():
                for destination in members(others & destinations):
                    by_ports = found.get(destination)
                    if by_ports is None:
                        by_ports = found[destination] = dict(unbound)
                    by_ports[ports] = by_ports.get(ports, 0) | sources
        return found

    def _between_open(self, in_git: int) -> Iterator[Bundle]:
        """What leaks where no policy isolates either end; pairs in Git are told at the destination."""
        egress, ingress = self.connectivity.sides["egress"], self.connectivity.sides["ingress"]
        sources = self._population.everyone & ~egress.isolated
        destinations = self._population.everyone & ~ingress.isolated
        for destination in members(destinations & in_git):
            yield from self._bundles("ingress", destination, self.excess(ingress, destination, ingress.open), sources)
        for source in members(sources & in_git):
            excess = self.excess(egress, source, egress.open)
            yield from self._bundles("egress", source, excess, destinations & ~in_git)

    def rules_for(
        self, direction: Direction, number: int, other: int, ports: int, destination: int
    ) -> Iterator[CompiledRule]:
        """The rules for an end that possibly let some of the ports through to or from another end."""
        side = self.connectivity.sides[direction]
        for rule in side.rules(number):
            if rule.peers.possibly >> other & 1 and self._table.intersection(side.held(rule, destination), ports):
                yield rule

    @cached_property
    def broken(self) -> tuple[Broken, ...]:
        """Each stated connection that does not surely work, in the order of the flows."""
        missing: dict[tuple[int, int], dict[Direction, int]] = {}
        to_addresses: list[Broken] = []
        for direction, number, lacking in self._lacking():
            for ports, bits in lacking.pods.items():
                for other in members(bits):
                    known = missing.setdefault((number, other) if direction == "egress" else (other, number), {})
                    known[direction] = self._table.union(known.get(direction, 0), ports)
            for ports, addresses in lacking.addresses.items():
                to_addresses.extend(self._without_addresses(direction, number, ports, addresses))
        found = [
            Broken(
                self.stated.flow_of(source, destination, next(iter(refused.values()))),
                self._population.endpoint(source),
                self._population.endpoint(destination),
                {direction: self._table.sets[ports] for direction, ports in refused.items()},
            )
            for (source, destination), refused in missing.items()
        ]
        return tuple(sorted([*found, *to_addresses], key=lambda item: item.flow.place))

    def _without_addresses(
        self, direction: Direction, number: int, ports: int, missing: AddressSet
    ) -> Iterator[Broken]:
        """What a pod lacks of addresses, parted by the flows that state them and by the outsides that these name."""
        end, refused = self._population.endpoint(number), {direction: self._table.sets[ports]}
        while missing:
            if direction == "egress":
                flow = self.stated.flow_of(number, missing[0], ports)
                others = flow.destinations
            else:
                flow = self.stated.flow_of(missing[0], number, ports)
                others = flow.sources
            for outside in self.stated.ranges_of(others):
                wanted = self.stated.required_of(outside)
                part = common(missing, wanted)
                if part:
                    missing = minus(missing, part)
                    other = outside_endpoint(outside) if part == wanted else self.connectivity.addresses_endpoint(part)
                    yield Broken(flow, *((end, other) if direction == "egress" else (other, end)), refused)

    def _lacking(self) -> Iterator[tuple[Direction, int, Grants]]:
        """What each end lacks of what must work for it."""
        stated: tuple[tuple[Direction, Granted], ...] = (
            ("egress", self.stated.out_required),
            ("ingress", self.stated.in_required),
        )
        for direction, granted in stated:
            side = self.connectivity.sides[direction]
            for number in granted.numbers:
                allowed = side.every[0][number]
                if granted.is_alike(number, allowed) or allowed is side.open:  # most ends of a good overlay
                    continue
                lacking = self._beyond_of(granted.of(number), allowed, number)
                if lacking:
                    yield direction, number, lacking


def _any(sets: Iterable[int]) -> int:
    found = 0
    for bits in sets:
        found |= bits
    return found
