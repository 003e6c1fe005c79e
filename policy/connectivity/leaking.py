"""What is possible and not stated: which connections, and which rules let them through.

Both sides of a connection are held against the contract on their own, as sets: only what is too much on both sides is a
leak. So an end whose policies let through no more than flows state need not be looked at from the other side.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property

from policy.connectivity.addresses import NO_ADDRESSES, common, minus
from policy.connectivity.bits import bits_of, members
from policy.connectivity.differences import Among, beyond
from policy.connectivity.granted import Granted
from policy.connectivity.leaks import Bundle
from policy.connectivity.matrix import Connectivity
from policy.connectivity.policies import CompiledRule, Direction
from policy.connectivity.ports import PortTable
from policy.connectivity.rows import disjoint
from policy.connectivity.selections import Ends, Selection
from policy.connectivity.sides import NOTHING, Grants, Side
from policy.connectivity.stated import Stated

_Part = tuple[int, Ends]
"""Ends, by the number of a port set."""


class _Senders:
    """The possible sources of a destination (bits), by the ports on which they may send to it."""

    def __init__(self, by_ports: Mapping[int, int]) -> None:
        self.by_ports = by_ports

    @cached_property
    def among(self) -> Among:
        together = 0
        for sources in self.by_ports.values():
            together |= sources
        return Among(together)


class Leaking:
    """Finds what leaks; ``ignored`` are ends (bits) of which nothing is said."""

    def __init__(self, connectivity: Connectivity, stated: Stated, ignored: int) -> None:
        self._stated, self._ignored = stated, ignored
        self._population, self._table = connectivity.population, connectivity.table
        self._egress, self._ingress = connectivity.sides["egress"], connectivity.sides["ingress"]
        self._in_git = (1 << self._population.in_git) - 1

    def by_rule(self) -> Iterator[tuple[CompiledRule | None, Bundle]]:
        """What leaks, with the rule that lets it through; None where no policy isolates the end."""
        for bundle in self._bundles():
            yield from self._divided(bundle)

    def excess(self, side: Side, number: int, grants: Grants, among: Among | None = None) -> Grants:
        """What an end is granted beyond the contract (with some others only), itself left out."""
        if self._ignored >> number & 1:
            return NOTHING
        stated = self._permitted(side).of(number)
        return beyond(grants, stated, self._table, 1 << number | self._ignored, among)

    def _permitted(self, side: Side) -> Granted:
        return self._stated.out_permitted if side is self._egress else self._stated.in_permitted

    def _bundles(self) -> Iterator[Bundle]:
        """What leaks, seen from the side to blame: the one that isolates; the destination's, where both do."""
        everyone, in_git = self._population.everyone, self._in_git
        sending, accepting = list(self._unlike(self._egress)), list(self._unlike(self._ingress))
        unbound, open_destinations = everyone & ~self._egress.isolated, everyone & ~self._ingress.isolated
        for destination, senders in self._with_senders(accepting, sending, unbound):
            excess = self.excess(self._ingress, destination, self._ingress.every[1][destination], senders.among)
            if excess:
                yield from self._admitted(destination, excess, senders.by_ports)
        to_all, to_git = Among(open_destinations), Among(open_destinations & in_git)
        for source in sending:
            among = to_all if source < self._population.in_git else to_git
            excess = self.excess(self._egress, source, self._egress.every[1][source], among)
            yield from self._of("egress", source, excess)
        yield from self._between_open(unbound, open_destinations)

    def _unlike(self, side: Side) -> Iterator[int]:
        """The isolated ends that are not granted what the contract states; most ends of a good overlay are."""
        stated, every = self._permitted(side), side.every[1]
        for number in members(side.isolated):
            if not stated.is_alike(number, every[number]):
                yield number

    def _with_senders(
        self, destinations: Sequence[int], sending: Iterable[int], unbound: int
    ) -> Iterator[tuple[int, _Senders]]:
        """Destinations with their possible sources: those of ``sending``, and ``unbound`` (bits).

        What other sources send, flows state, so that it cannot leak. Destinations of the same sources share an object.
        """
        senders: dict[int, tuple[Grants, list[int]]] = {}
        for source in sending if destinations else ():
            row = self._egress.every[1][source]
            senders.setdefault(id(row), (row, []))[1].append(source)
        asked, default = bits_of(destinations), {PortTable.ALL: unbound} if unbound else {}
        found: dict[int, dict[int, int]] = {}
        for row, numbers in senders.values():
            sources = bits_of(numbers)
            joined: dict[int, tuple[int, int]] = {}  # by identity: with these sources, so that the same stay one object
            for ports, others in disjoint(row.pods, self._table).items():
                for destination in members(others & asked):
                    by_ports = found.get(destination)
                    if by_ports is None:
                        by_ports = found[destination] = dict(default)
                    before = by_ports.get(ports, 0)
                    both = joined.get(id(before))
                    if both is None:
                        both = joined[id(before)] = before, before | sources
                    by_ports[ports] = both[1]
        known: dict[tuple[tuple[int, int], ...], _Senders] = {}
        unbound_only = _Senders(default)
        for destination in destinations:
            by_ports = found.get(destination)
            if by_ports is None:
                yield destination, unbound_only
                continue
            key = tuple((ports, id(sources)) for ports, sources in by_ports.items())
            if key not in known:
                known[key] = _Senders(by_ports)
            yield destination, known[key]

    def _admitted(self, destination: int, excess: Grants, senders: Mapping[int, int]) -> Iterator[Bundle]:
        """What a destination admits too much, as far as its possible sources send it, and addresses."""
        is_in_git = destination < self._population.in_git
        addresses = dict(excess.addresses) if is_in_git and excess.addresses else {}
        is_only = len(addresses) == 1  # then a bundle of pods tells of them too
        for sent, sources in senders.items():
            asked = sources if is_in_git else sources & self._in_git
            for ports, others in excess.pods.items():
                both = self._table.intersection(ports, sent)
                found = others & asked if both else 0
                if found:
                    found = others if found == others else found  # one object for many takes less memory
                    more = addresses.pop(both, NO_ADDRESSES) if is_only else NO_ADDRESSES
                    yield Bundle("ingress", destination, both, Ends(found, more))
        for ports, some in addresses.items():
            yield Bundle("ingress", destination, ports, Ends(0, some))

    def _of(self, direction: Direction, end: int, excess: Grants) -> Iterator[Bundle]:
        """The excess of an end; that of addresses, if it is in Git."""
        addresses = excess.addresses if end < self._population.in_git else NOTHING.addresses
        pods = excess.pods
        for ports, others in pods.items():
            yield Bundle(direction, end, ports, Ends(others, addresses.get(ports, NO_ADDRESSES)))
        for ports, some in addresses.items():
            if ports not in pods:
                yield Bundle(direction, end, ports, Ends(0, some))

    def _between_open(self, sources: int, destinations: int) -> Iterator[Bundle]:
        """What leaks where no policy isolates either end; pairs in Git are told at the destination."""
        among = Among(sources)
        for destination in members(destinations & self._in_git):
            yield from self._of("ingress", destination, self._open_excess(self._ingress, destination, among))
        among = Among(destinations & ~self._in_git)
        for source in members(sources & self._in_git):
            yield from self._of("egress", source, self._open_excess(self._egress, source, among))

    def _open_excess(self, side: Side, number: int, among: Among) -> Grants:
        return self.excess(side, number, side.open, among)

    def _divided(self, bundle: Bundle) -> Iterator[tuple[CompiledRule | None, Bundle]]:
        """The bundle, divided by the first rule of the end that lets each of it through."""
        direction, end, ports = bundle.direction, bundle.end, bundle.ports
        side = self._egress if direction == "egress" else self._ingress
        if not side.isolated >> end & 1:
            yield None, bundle
            return
        rules = [rule for rule in side.rules(end) if _could_admit(rule.peers, bundle.others)]
        if len(rules) == 1:  # all that is possible comes of it
            yield rules[0], bundle
            return
        left = [(ports, bundle.others)]
        for rule in rules:
            left, through = self._parted(left, self._held(side, rule, end))
            for both, others in through:
                yield rule, Bundle(direction, end, both, others)
            if not left:
                return

    def _parted(self, parts: Iterable[_Part], held: Sequence[_Part]) -> tuple[list[_Part], list[_Part]]:
        """What is left of some ends on some ports without what a rule holds, and what it lets through of it."""
        left: list[_Part] = []
        through: list[_Part] = []
        for ports, others in parts:
            for has, some in held:
                both = self._table.intersection(ports, has)
                found = _common(others, some) if both else _NOBODY
                if not found:
                    continue
                through.append((both, found))
                rest = self._table.difference(ports, both)
                if rest:
                    left.append((rest, found))
                others = _NOBODY if found is others else _without(others, found)
            if others:
                left.append((ports, others))
        return left, through

    def _held(self, side: Side, rule: CompiledRule, end: int) -> Sequence[_Part]:
        """Whom a rule possibly admits, on which ports; nobody twice."""
        peers, ports = rule.peers, rule.ports.numeric
        if rule.ports.names and side is self._egress:
            granted = side.of_rules([rule], end, 1)
            pods = disjoint(granted.pods, self._table)
            some = [(each, Ends(others)) for each, others in pods.items()]
            return [*some, *((each, Ends(0, others)) for each, others in granted.addresses.items())]
        if rule.ports.names:
            ports = side.held(rule, end)
        bits = peers.possibly if peers.numbers is None else bits_of(peers.numbers)
        return [(ports, Ends(bits, peers.addresses))]


_NOBODY = Ends(0)


def _could_admit(peers: Selection, others: Ends) -> bool:
    """Whether some of the others may be among the peers; both having addresses, these are not compared."""
    if others.addresses and peers.addresses:
        return True
    if not others.pods:
        return False
    return bool(others.pods & (peers.possibly if peers.numbers is None else bits_of(peers.numbers)))


def _common(some: Ends, others: Ends) -> Ends:
    """Those of the first that are among the others; the same object where that is all of them."""
    pods, addresses = some.pods & others.pods, common(some.addresses, others.addresses)
    if pods == some.pods and addresses == some.addresses:
        return some
    return Ends(pods, addresses) if pods or addresses else _NOBODY


def _without(some: Ends, others: Ends) -> Ends:
    """Those of the first that are not among the others, all of which are of the first."""
    return Ends(some.pods ^ others.pods, minus(some.addresses, others.addresses))
