"""One direction of an overlay's policies: what each end is granted by the rules of all policies that select it.

What a pod may do is worked out once for all pods that the same policies select.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property

import msgspec

from policy.connectivity.addresses import NO_ADDRESSES, AddressSet, holds_address, union
from policy.connectivity.bits import are_few, bits_of, few_members, members
from policy.connectivity.policies import CompiledPolicy, CompiledRule, Direction
from policy.connectivity.population import Population
from policy.connectivity.ports import FIRST_PORT, LAST_PORT, PortRange, PortTable

End = int | AddressSet
"""A pod by its number, or addresses that nothing tells apart."""


class Grants(msgspec.Struct, eq=False, gc=False):
    """What one end may do: on which ports with which other ends, by the numbers of port sets.

    Other pods are told one by one where some rule has but a few (``each``, with the port set of each), or as bits (by
    port set, ``sets``). A pod may be in several of them, which count together.
    """

    sets: Mapping[int, int]
    addresses: Mapping[int, AddressSet]
    each: Mapping[int, int] = msgspec.field(default_factory=dict)
    _pods: Mapping[int, int] | None = None

    @property
    def pods(self) -> Mapping[int, int]:
        """By port set all other pods, as bits."""
        if self._pods is None:
            self._pods = sets_of(self.each, self.sets) if self.each else self.sets
        return self._pods

    def __bool__(self) -> bool:
        return bool(self.sets or self.each or self.addresses)

    def is_alike(self, other: Grants) -> bool:
        """Whether it is written alike; what is not may be the same all the same."""
        return self.each == other.each and self.sets == other.sets and self.addresses == other.addresses

    def on(self, other: End, table: PortTable) -> int:
        """The number of the port set for another end."""
        if not isinstance(other, int):
            found = PortTable.NONE
            for ports, addresses in self.addresses.items():
                if holds_address(addresses, other[0]):
                    found = table.union(found, ports)
            return found
        found = self.each.get(other, PortTable.NONE)
        if self.sets:
            bit = 1 << other
            for ports, bits in self.sets.items():
                if bits & bit:
                    found = table.union(found, ports)
        return found


def sets_of(each: Mapping[int, int], sets: Mapping[int, int] | None = None) -> dict[int, int]:
    """Numbers with a port set each, as port sets with their numbers as bits; added to others, if there are any."""
    found = dict(sets) if sets else {}
    for number, ports in each.items():
        found[ports] = found.get(ports, 0) | 1 << number
    return found


NOTHING = Grants({}, {}, {})


class Side:
    """One direction for every pod: who is isolated, and what the rules grant.

    ``isolated`` are those that surely are; ``doubtful`` those that possibly are, but not surely.
    """

    def __init__(
        self, direction: Direction, policies: Iterable[CompiledPolicy], population: Population, table: PortTable
    ) -> None:
        self.direction, self._population, self._table = direction, population, table
        self._selecting: dict[int, list[CompiledPolicy]] = {}
        self._doubtful: dict[int, list[CompiledPolicy]] = {}
        isolated: list[int] = []
        self.isolated = possibly = 0
        for policy in policies:
            rules = policy.rules.get(direction)
            if rules is None:
                continue
            subjects = policy.subjects
            if subjects.numbers is None:
                self.isolated |= subjects.surely
            else:
                isolated += subjects.numbers
            for number in subjects.members if rules else ():
                known = self._selecting.get(number)
                if known is None:
                    self._selecting[number] = [policy]
                else:
                    known.append(policy)
            if not subjects.is_certain:
                possibly |= subjects.possibly
                for number in members(subjects.possibly & ~subjects.surely):
                    self._doubtful.setdefault(number, []).append(policy)
        self.isolated |= bits_of(isolated)
        self.doubtful = possibly & ~self.isolated
        self.open = Grants({PortTable.ALL: population.everyone}, {PortTable.ALL: population.every_address})
        self._rows: dict[tuple[int, ...], tuple[Grants, Grants]] = {}
        self._known: list[tuple[Grants, Grants] | None] = [None] * population.size

    @cached_property
    def ruled(self) -> int:
        """Those that some policy with rules selects: only they have grants of their own."""
        return bits_of(self._selecting) | bits_of(self._doubtful)

    def policies(self, number: int) -> tuple[CompiledPolicy, ...]:
        """The policies with rules that surely select an end, and those with this direction that possibly do."""
        return (*self._selecting.get(number, ()), *self._doubtful.get(number, ()))

    def rules(self, number: int) -> Sequence[CompiledRule]:
        """The rules of ``policies``."""
        if not self._doubtful:
            known = self._selecting.get(number, ())
            if len(known) == 1:
                return known[0].rules[self.direction]
        return [rule for policy in self.policies(number) for rule in policy.rules[self.direction]]

    def granted(self, number: int, *, possibly: bool) -> Grants:
        """What may be granted, or else what is granted for certain; one object for many ends where that pays."""
        found = self._known[number]
        if found is None:
            found = self._known[number] = self._granted(number)
        return found[possibly]

    @cached_property
    def every(self) -> tuple[Sequence[Grants], Sequence[Grants]]:
        """By number what each end is granted: surely, and possibly."""
        known = self._known
        for number, found in enumerate(known):
            if found is None:
                known[number] = self._granted(number)
        both = [found for found in known if found]
        return [surely for surely, _ in both], [possibly for _, possibly in both]

    def surely(self, number: int) -> Grants:
        """What is granted for certain."""
        return self.granted(number, possibly=False)

    def _granted(self, number: int) -> tuple[Grants, Grants]:
        surely = self._selecting.get(number, ())
        if not self._doubtful:
            return self._of(surely, number) if surely or self.isolated >> number & 1 else (self.open, self.open)
        doubtful = self._doubtful.get(number, ())
        if self.isolated >> number & 1:
            return self._of(surely, number)[0], self._of((*surely, *doubtful), number)[1]
        if not doubtful:
            return self.open, self.open
        return self._of(doubtful, number)[0] if len(doubtful) == 1 else NOTHING, self.open

    def _of(self, policies: Sequence[CompiledPolicy], number: int) -> tuple[Grants, Grants]:
        """What the rules of policies grant an end, surely and possibly."""
        rules: Sequence[CompiledRule] = policies[0].rules[self.direction] if policies else ()
        if len(policies) > 1:
            rules = [rule for policy in policies for rule in policy.rules[self.direction]]
        is_certain, has_names = True, False
        for rule in rules:
            if rule.ports.names:
                has_names = True
            if rule.peers.numbers is None and not rule.peers.is_certain:
                is_certain = False
        is_unknown = has_names and number in self._population.numbers_with_unknown_ports
        if has_names and (self.direction == "egress" or is_unknown):
            is_certain = False
        is_only_subject = len(policies) == 1 and len(policies[0].subjects.numbers or ()) == 1
        if is_only_subject and (len(rules) > 1 or (rules and rules[0].peers.numbers)):
            return self._bounds(rules, number, is_certain=is_certain)  # hardly anybody else has the same
        if len(rules) == 1:
            key: tuple[int, ...] = (id(rules[0].peers), id(rules[0].ports))
        else:
            key = tuple(map(id, policies))
        if has_names:  # which ports have the names; for egress, those of the others decide
            key = (*key, is_unknown, id(self._population.own_ports(number)) if self.direction == "ingress" else 0)
        found = self._rows.get(key)
        if found is None:
            found = self._rows[key] = self._bounds(rules, number, is_certain=is_certain)
        return found

    def _bounds(self, rules: Sequence[CompiledRule], number: int, *, is_certain: bool) -> tuple[Grants, Grants]:
        surely = self.of_rules(rules, number, 0)
        if is_certain:
            return surely, surely
        possibly = self.of_rules(rules, number, 1)
        return surely, surely if possibly.is_alike(surely) else possibly

    def of_rules(self, rules: Sequence[CompiledRule], number: int, bound: int) -> Grants:
        """What rules grant an end, surely (``bound`` 0) or possibly (1)."""
        each: dict[int, int] = {}
        sets: dict[int, int] | None = None
        addresses: dict[int, AddressSet] | None = None
        for rule in rules:
            peers = rule.peers
            if peers.numbers is None:
                sets = {} if sets is None else sets
                self._add_set(sets, rule, number, bound)
            elif len(peers.numbers) == 1 and not rule.ports.names:  # most rules of egress
                [other], ports = peers.numbers, rule.ports.numeric
                if ports:
                    each[other] = self._table.union(each[other], ports) if other in each else ports
            elif peers.numbers:
                self._add_each(each, rule, number, bound)
            if peers.addresses:
                addresses = {} if addresses is None else addresses
                self._add_addresses(addresses, rule, number, bound)
        if not are_few(len(each)):
            return self._of_many(rules, number, bound)
        return Grants(sets or NOTHING.sets, addresses or NOTHING.addresses, each)

    def _of_many(self, rules: Sequence[CompiledRule], number: int, bound: int) -> Grants:
        """The same where few peers of each rule are many together."""
        sets: dict[int, int] = {}
        addresses: dict[int, AddressSet] = {}
        for rule in rules:
            self._add_set(sets, rule, number, bound)
            self._add_addresses(addresses, rule, number, bound)
        return Grants(sets, addresses)

    def _add_addresses(self, addresses: dict[int, AddressSet], rule: CompiledRule, number: int, bound: int) -> None:
        """Adds what a rule grants to addresses, which call none of their ports by name."""
        ports = rule.ports.numeric if self.direction == "egress" else self.held(rule, number, bound)
        if ports and rule.peers.addresses:
            addresses[ports] = union(addresses.get(ports, NO_ADDRESSES), rule.peers.addresses)

    def _add_each(self, each: dict[int, int], rule: CompiledRule, number: int, bound: int) -> None:
        """Adds what a rule grants to its peers, which are few."""
        numbers, union = rule.peers.numbers or (), self._table.union
        if rule.ports.names and self.direction == "egress":
            for other in numbers:
                ports = self.held(rule, other, bound)
                if ports:
                    each[other] = union(each[other], ports) if other in each else ports
            return
        ports = self.held(rule, number, bound)
        if ports and not each:
            each.update(dict.fromkeys(numbers, ports))
        elif ports:
            for other in numbers:
                each[other] = union(each[other], ports) if other in each else ports

    def _add_set(self, sets: dict[int, int], rule: CompiledRule, number: int, bound: int) -> None:
        """Adds what a rule grants to its peers, as bits."""
        bits = rule.peers.possibly if bound else rule.peers.surely
        ports = rule.ports.numeric if self.direction == "egress" else self.held(rule, number, bound)
        if bits and ports:
            sets[ports] = self._with(sets[ports], bits) if ports in sets else bits
        if bits and rule.ports.names and self.direction == "egress":
            for named, others in self._to_named(rule, bits, bound):
                sets[named] = self._with(sets[named], others) if named in sets else others

    def _with(self, known: int, bits: int) -> int:
        """Both sets; everyone stays one object, which others compare fast."""
        everyone = self._population.everyone
        return everyone if known is everyone or bits is everyone else known | bits

    def _to_named(self, rule: CompiledRule, bits: int, bound: int) -> Iterator[tuple[int, int]]:
        """Ports by name with the destinations (bits) that call them so; a few destinations are asked one by one."""
        few = few_members(bits)
        if few is not None:
            for destination in few:
                own = self._population.own_ports(destination)
                for name in rule.ports.names:
                    for port in own.get(name, ()):
                        yield self._table.single(name[0], port), 1 << destination
        else:
            for ports, holders in rule.ports.resolved[1 if rule.ports.numeric else 0 :]:
                if bits & holders:
                    yield ports, bits & holders
        unstated = bits & self._population.with_unknown_ports if bound else 0
        for ports in self._whole(rule) if unstated else ():
            yield ports, unstated

    def _whole(self, rule: CompiledRule) -> Iterator[int]:
        """Every port of the protocols of ports by name: a pod of which nobody says it may call any number so."""
        for protocol, _ in rule.ports.names:
            yield self._table.number((PortRange(protocol, FIRST_PORT, LAST_PORT),))

    def held(self, rule: CompiledRule, destination: End, bound: int = 1) -> int:
        """The number of the port set that a rule has for a destination, surely (``bound`` 0) or possibly (1)."""
        if not rule.ports.names or not isinstance(destination, int):
            return rule.ports.numeric
        found = rule.ports.at(self._population.own_ports(destination))
        if bound and destination in self._population.numbers_with_unknown_ports:
            for ports in self._whole(rule):
                found = self._table.union(found, ports)
        return found
