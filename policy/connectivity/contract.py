"""topology.yaml against the policies: what is possible and not stated, and what is stated and does not work.

A leak is judged by what is *possibly* allowed, a broken flow by what *surely* is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property

import msgspec

from policy.connectivity.addresses import AddressSet, common, minus
from policy.connectivity.bits import members
from policy.connectivity.differences import beyond
from policy.connectivity.endpoints import Endpoint
from policy.connectivity.granted import Granted
from policy.connectivity.leaking import Leaking
from policy.connectivity.leaks import Bundle, Leak
from policy.connectivity.matrix import Connectivity
from policy.connectivity.policies import PEERS, CompiledRule, Direction
from policy.connectivity.population import outside_endpoint
from policy.connectivity.ports import PortSet, PortTable
from policy.connectivity.sides import Grants, Side
from policy.connectivity.stated import Stated
from policy.connectivity.topology import Flow, Topology
from policy.connectivity.validity import Refusal
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
        return self._leaking.excess(side, number, grants)

    @cached_property
    def _leaking(self) -> Leaking:
        return Leaking(self.connectivity, self.stated, self._ignored)

    @cached_property
    def leaks(self) -> tuple[Leak, ...]:
        """Everything possible that no flow states, one for each rule (or end without a policy) that lets it through."""
        grouped: dict[object, tuple[CompiledRule | None, list[Bundle]]] = {}
        for rule, part in self._leaking.by_rule():
            key = id(rule) if rule else (part.direction, part.end)
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
            if not isinstance(selection, Refusal) and selection.may_be(others):
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
            for (source, destination), refused in sorted(missing.items(), key=lambda item: item[0])
        ]
        together = [*found, *to_addresses, *self._broken_among_themselves()]
        return tuple(sorted(together, key=lambda item: item.flow.place.start))

    def _broken_among_themselves(self) -> Iterator[Broken]:
        """Workloads whose pods cannot surely reach each other, as a flow states."""
        stated = ((number, *each) for number, flows in self.stated.itself.items() for each in flows)
        for number, ports, flow in stated:
            refused: dict[Direction, PortSet] = {}
            for direction, side in self.connectivity.sides.items():
                lacking = self._table.difference(ports, side.every[0][number].on(number, self._table))
                if lacking and not self._ignored >> number & 1:
                    refused[direction] = self._table.sets[lacking]
            if refused:
                end = self._population.endpoint(number)
                yield Broken(flow, end, end, refused)

    def _without_addresses(
        self, direction: Direction, number: int, ports: int, missing: AddressSet
    ) -> Iterator[Broken]:
        """What a pod lacks of addresses, parted by the flows that state them and by the outsides that these name."""
        end, refused = self._population.endpoint(number), {direction: self._table.sets[ports]}
        while missing:
            if direction == "egress":
                flow = self.stated.flow_of(number, missing[:2], ports)
                others = flow.destinations
            else:
                flow = self.stated.flow_of(missing[:2], number, ports)
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
            for number in sorted(granted.numbers):
                allowed = side.every[0][number]
                if allowed is side.open or self._ignored >> number & 1:
                    continue
                wanted = granted.of(number)
                if self._has_all(allowed, wanted):  # most ends of a good overlay
                    continue
                lacking = beyond(wanted, allowed, self._table, 1 << number | self._ignored)
                if lacking:
                    yield direction, number, lacking

    def _has_all(self, allowed: Grants, wanted: Grants) -> bool:
        """Whether it is seen fast that all is allowed: it is written alike, or all have the ports."""
        if wanted.addresses or wanted.sets:
            return False
        if wanted.each == allowed.each:
            return True
        everyone = self._population.everyone
        wide = {ports for ports, others in allowed.sets.items() if others is everyone}
        return PortTable.ALL in wide or (bool(wide) and wide.issuperset(wanted.each.values()))
