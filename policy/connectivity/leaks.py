"""What a report shows of connections that are possible and that no flow of topology.yaml states."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import msgspec

from policy.connectivity.addresses import AddressSet
from policy.connectivity.bits import first
from policy.connectivity.endpoints import Endpoint
from policy.connectivity.policies import CompiledRule, Direction
from policy.connectivity.ports import PortSet
from policy.connectivity.selections import Ends

if TYPE_CHECKING:
    from policy.connectivity.contract import Proof


class Bundle(msgspec.Struct, frozen=True, eq=False, gc=False):
    """Connections between one end, whose policies ``direction`` speaks of, and others."""

    direction: Direction
    end: int
    ports: int
    others: Ends


class Leak(msgspec.Struct, frozen=True, dict=True, eq=False):
    """Connections that are possible, that no flow states, and that the same rule lets through.

    ``by`` is the rule, of the policies of the end that ``direction`` speaks of; None where no policy isolates that end.
    What a report shows is worked out when it is asked for: ``source``, ``destination`` and ``ports`` are one of the
    connections, and ``pairs`` counts the pairs of ends, all addresses being one end.
    """

    proof: Proof
    by: CompiledRule | None
    bundles: Sequence[Bundle]

    @property
    def direction(self) -> Direction:
        return self.bundles[0].direction

    @property
    def source(self) -> Endpoint:
        return self.other if self.direction == "ingress" else self.end

    @property
    def destination(self) -> Endpoint:
        return self.end if self.direction == "ingress" else self.other

    @property
    def ports(self) -> PortSet:
        return self.proof.connectivity.table.sets[self._shown.ports]

    @property
    def pairs(self) -> int:
        return sum(bundle.others.pods.bit_count() + bool(bundle.others.addresses) for bundle in self.bundles)

    @cached_property
    def end(self) -> Endpoint:
        """The end whose policies let it through."""
        return self.proof.connectivity.population.endpoint(self._shown.end)

    @cached_property
    def other(self) -> Endpoint:
        connectivity, example = self.proof.connectivity, self._example
        if isinstance(example, int):
            return connectivity.population.endpoint(example)
        return connectivity.addresses_endpoint(example)

    @cached_property
    def through(self) -> CompiledRule | None:
        """A rule of the other end that lets the same connection through, if that end is isolated."""
        shown, other = self._shown, self._example
        if not isinstance(other, int):
            return None
        if self.direction == "egress":
            return next(self.proof.rules_for("ingress", other, shown.end, shown.ports, other), None)
        return next(self.proof.rules_for("egress", other, shown.end, shown.ports, shown.end), None)

    @cached_property
    def _shown(self) -> Bundle:
        return min(self.bundles, key=self._order) if len(self.bundles) > 1 else self.bundles[0]

    def _order(self, bundle: Bundle) -> tuple[int, int, int, PortSet]:
        """Pods come before addresses."""
        pods, addresses = bundle.others.pods, bundle.others.addresses
        ports = self.proof.connectivity.table.sets[bundle.ports]
        if pods:
            return first(pods), 0, bundle.end, ports
        return self.proof.connectivity.population.size, addresses[0], bundle.end, ports

    @cached_property
    def _example(self) -> int | AddressSet:
        """One of the other ends; rather an unknown pod than a declared one that would need more labels than stated."""
        others, rule, population = self._shown.others, self.by, self.proof.connectivity.population
        if not others.pods:
            return others.addresses
        number = first(others.pods)
        if rule is None or number < population.in_git or rule.peers.surely >> number & 1:
            return number
        stranger = population.stranger
        if stranger is not None and others.pods >> stranger & 1:
            return stranger
        return first(others.pods & population.unknown_outside or others.pods)
