"""Who may reach whom on which ports, as the NetworkPolicies of an overlay let them.

A pod is isolated in a direction if some policy of its namespace selects it and has that direction; then the union of
the rules of all such policies is allowed, else everything. A connection needs the egress of its source and the ingress
of its destination. What no policy decides is not in here: replies pass, a pod reaches itself, and a node reaches its
own pods.

Two answers stand beside each other, since not everything is known: *surely* (for "this must work") and *possibly* (for
"this must be impossible"). They differ where a selector asks for labels that controllers add with unknown values or for
labels of a namespace that is not in the overlay, and where an ipBlock holds the network of the pods (the declared
``cluster.pods``, else private addresses) or, for pods on the host's network, addresses of nodes: plugins differ in it.

A few pods are told by their numbers in a ``Population``, more as integers used as bit sets over these numbers; what a
pod may do is worked out once for all pods that the same policies select.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property, partial

import msgspec

from policy.connectivity.addresses import AddressSet, common, ranges
from policy.connectivity.endpoints import Endpoint, EndpointKind
from policy.connectivity.policies import (
    DIRECTIONS,
    CompiledPolicy,
    CompiledRule,
    Compiler,
    Direction,
    Problem,
    RulePorts,
)
from policy.connectivity.population import Population, addresses_endpoint, ranges_of
from policy.connectivity.ports import PortSet, PortTable
from policy.connectivity.rows import Reach, groups_of, rows_of
from policy.connectivity.selecting import Selecting
from policy.connectivity.selections import SAFE, Ends, Group, Profile, Selection
from policy.connectivity.sides import End, Side
from policy.connectivity.topology import Cluster, Outside
from policy.connectivity.validity import blocks_of
from policy.manifests.index import Index
from policy.manifests.resources import Namespace, NetworkPolicy


class Row(msgspec.Struct, frozen=True, dict=True, eq=False):
    """Every source may reach every destination (but not itself) on the ports; the ends are made when asked for."""

    connectivity: Connectivity
    reach: Reach

    @cached_property
    def sources(self) -> tuple[Endpoint, ...]:
        return self.connectivity.endpoints_of(self.reach.sources)

    @cached_property
    def destinations(self) -> tuple[Endpoint, ...]:
        return self.connectivity.endpoints_of(self.reach.destinations)

    @property
    def ports(self) -> PortSet:
        return self.connectivity.table.sets[self.reach.ports]


class Connectivity:
    """What the policies of an overlay allow, between its workloads, what is declared outside, and all addresses.

    ``problems`` are what the API server would refuse; such a peer or port admits nobody.
    """

    def __init__(
        self,
        index: Index,
        outside: Iterable[Outside] = (),
        cluster: Cluster | None = None,
        *,
        profile: Profile = SAFE,
    ) -> None:
        self.index = index
        policies = index.all(NetworkPolicy)
        self.cluster = cluster or Cluster()
        self.population = Population(index, tuple(outside), self.cluster, profile, blocks_of(policies))
        self.table = PortTable()
        self.selecting = Selecting(self.population, index.all(Namespace))
        self.compiler = Compiler(self.population, self.selecting, self.table)
        self.policies = tuple(self.compiler.policy(policy) for policy in policies)
        self.sides: Mapping[Direction, Side] = {
            direction: Side(direction, self.policies, self.population, self.table) for direction in DIRECTIONS
        }
        self.problems: tuple[Problem, ...] = tuple(self.compiler.problems)

    @cached_property
    def rules(self) -> tuple[CompiledRule, ...]:
        """The rules of policies that select somebody."""
        return tuple(
            rule
            for policy in self.policies
            if policy.subjects.may_be_anybody
            for direction in DIRECTIONS
            for rule in policy.rules.get(direction, ())
        )

    def has_ports(self, rule: CompiledRule, wanted: int) -> bool:
        """Whether a rule has some of the ports of a set, for whichever destination."""
        return self.has_any(rule.ports, wanted)

    def has_any(self, ports: RulePorts, wanted: int) -> bool:
        """Whether ports of a rule are some of those of a set, by its number, for whichever destination."""
        return any(self.table.intersection(each, wanted) for each, _ in ports.resolved)

    def subjects_of(self, rule: CompiledRule) -> Selection:
        """Whom the policy of a rule selects."""
        return self._subjects[id(rule.policy)]

    @cached_property
    def _subjects(self) -> Mapping[int, Selection]:
        return {id(policy.policy): policy.subjects for policy in self.policies}

    def selecting_policies(self, number: int) -> Sequence[CompiledPolicy]:
        """The policies that surely select a pod."""
        return self._selecting_policies.get(number, ())

    @cached_property
    def _selecting_policies(self) -> Mapping[int, Sequence[CompiledPolicy]]:
        found: dict[int, list[CompiledPolicy]] = {}
        for policy in self.policies:
            for number in policy.subjects.members:
                found.setdefault(number, []).append(policy)
        return found

    @cached_property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """The workloads, what is declared outside, the stranger, and the addresses that policies tell apart.

        Address ranges that every policy treats alike are one endpoint; declared ones are endpoints besides.
        """
        population = self.population
        pods = [population.endpoint(number) for number in range(population.size)]
        declared = [
            addresses_endpoint(ranges_of(item), population.outside) for item in population.outside if item.cidrs
        ]
        seen = {item.addresses for item in declared}
        told_apart = [self.addresses_endpoint(group) for group in self.address_groups if group not in seen]
        return (*pods, *declared, *told_apart)

    @cached_property
    def address_groups(self) -> tuple[AddressSet, ...]:
        """The addresses, in sets that every ipBlock has all or none of."""
        blocks = {block.addresses: None for block in self.population.all_blocks}
        return tuple(groups_of(blocks, self.population.every_address))

    def addresses_endpoint(self, addresses: AddressSet) -> Endpoint:
        """One endpoint for a set of addresses."""
        return addresses_endpoint(addresses, self.population.outside)

    def endpoints_of(self, group: Group) -> tuple[Endpoint, ...]:
        """The endpoints of a group; its addresses are one endpoint."""
        pods = tuple(map(self.population.endpoint, group.members))
        return (*pods, self.addresses_endpoint(group.addresses)) if group.addresses else pods

    def ends(self, endpoint: Endpoint) -> Ends:
        """What an endpoint stands for.

        Raises:
            KeyError: it is none of this overlay.
        """
        if endpoint.type is EndpointKind.ADDRESSES:
            return Ends(0, endpoint.addresses)
        return Ends(1 << self.population.number_of[endpoint.key])

    def parts(self, endpoint: Endpoint) -> Iterable[End]:
        """The number of an endpoint of pods; of addresses, the parts of which every policy has all or nothing.

        Raises:
            KeyError: it is none of this overlay.
        """
        if endpoint.type is not EndpointKind.ADDRESSES:
            return (self.population.number_of[endpoint.key],)
        return [part for cell in self.population.cells for part in ranges(common(endpoint.addresses, cell))]

    def allowed(self, source: Endpoint, destination: Endpoint) -> PortSet:
        """The ports that surely work; for addresses, on every one of them."""
        return self.allowed_bounds(source, destination)[0]

    def allowed_bounds(self, source: Endpoint, destination: Endpoint) -> tuple[PortSet, PortSet]:
        """The ports that surely work (with every address), and those that possibly work (with any address)."""
        surely, possibly = PortTable.ALL, PortTable.NONE
        for one in self.parts(source):
            for other in self.parts(destination):
                surely = self.table.intersection(surely, self.number_between(one, other, possibly=False))
                possibly = self.table.union(possibly, self.number_between(one, other, possibly=True))
        return self.table.sets[surely], self.table.sets[possibly]

    def side_bounds(self, direction: Direction, source: Endpoint, destination: Endpoint) -> tuple[PortSet, PortSet]:
        """``allowed_bounds`` of one direction alone: of the source's egress, or of the destination's ingress."""
        surely, possibly = PortTable.ALL, PortTable.NONE
        for one in self.parts(source):
            for other in self.parts(destination):
                surely = self.table.intersection(surely, self._side(direction, one, other, possibly=False))
                possibly = self.table.union(possibly, self._side(direction, one, other, possibly=True))
        return self.table.sets[surely], self.table.sets[possibly]

    def _side(self, direction: Direction, source: End, destination: End, *, possibly: bool) -> int:
        """What one direction grants; addresses have no policies, so they are open."""
        end, other = (source, destination) if direction == "egress" else (destination, source)
        if not isinstance(end, int):
            return PortTable.ALL
        return self.sides[direction].granted(end, possibly=possibly).on(other, self.table)

    def number_between(self, source: End, destination: End, *, possibly: bool) -> int:
        """The number of the port set that possibly, or else surely, works between two ends."""
        if source == destination:
            return PortTable.ALL
        return self.table.intersection(
            self._side("egress", source, destination, possibly=possibly),
            self._side("ingress", source, destination, possibly=possibly),
        )

    def among_themselves(self, number: int) -> PortSet:
        """The ports that surely work between different pods of an end."""
        sent, accepted = (side.surely(number).on(number, self.table) for side in self.sides.values())
        return self.table.sets[self.table.intersection(sent, accepted)]

    def rows(self, *, possibly: bool = False) -> Iterator[Row]:
        """Everything allowed (surely, or else possibly), grouped: each pair of different ends is in one row at most.

        Pairs of ends that are both not in Git are left out, and no pair of a pod with itself is meant.
        """
        return map(partial(Row, self), rows_of(self.population, self.sides, self.table, possibly=possibly))
