"""Mistakes in policies, as data."""

from __future__ import annotations

import msgspec

from policy.connectivity.endpoints import Endpoint
from policy.connectivity.policies import PEERS, CompiledPolicy, CompiledRule, Direction
from policy.connectivity.ports import NO_PORTS, PortSet
from policy.findings import Field
from policy.manifests.resources import NetworkPolicyPeer, NetworkPolicyPort, Service
from policy.manifests.workloads import Workload

RuleKey = tuple[int, Direction, int]
"""A rule by its policy's identity, direction and position."""


def key_of(rule: CompiledRule) -> RuleKey:
    return id(rule.policy), rule.direction, rule.position


class DeadPolicy(msgspec.Struct, frozen=True):
    """A policy whose podSelector selects no pod.

    ``elsewhere`` are workloads of other namespaces that it would select, ``on_host`` those that it selects in vain.
    """

    policy: CompiledPolicy
    elsewhere: tuple[Workload, ...]
    on_host: tuple[Workload, ...]


class DeadPeer(msgspec.Struct, frozen=True):
    """A peer that admits nobody who is known.

    ``together_with`` is the index of the peer beside it that, taken with it as one, admits somebody; ``breaks`` says
    that a flow of the contract does not work because of it, or something leaks; ``opens`` that it lets in whoever is
    made outside of Git as it asks for.
    """

    rule: CompiledRule
    number: int
    peer: NetworkPolicyPeer
    namespace: str | None
    """The namespace that it looks into, if that is a single one; ``is_unknown`` if nothing says who is in it."""
    is_unknown: bool
    together_with: int | None
    breaks: bool = False
    opens: bool = False

    @property
    def at(self) -> Field:
        return self.rule.at[PEERS[self.rule.direction]][self.number]


class UnservedPort(msgspec.Struct, frozen=True):
    """A port of a rule that none of its destinations has; ``service`` is one in front of them that has it."""

    rule: CompiledRule
    number: int
    port: NetworkPolicyPort
    destinations: tuple[Workload, ...]
    service: Service | None
    target: int | None
    """Where that Service leads to, on the first destination."""

    @property
    def at(self) -> Field:
        return self.rule.at["ports"][self.number]["port"]


class DnsGap(msgspec.Struct, frozen=True):
    """A workload that may reach others by name, but resolves none: ``missing`` are ports of DNS.

    ``misspelled`` is the peer of a rule for DNS that is a typo, and what it says and was meant to say.
    """

    workload: Workload
    policy: CompiledPolicy
    missing: PortSet
    misspelled: tuple[Field, str] | None = None


class Needless(msgspec.Struct, frozen=True):
    """A rule that no flow needs; or, where ends are given, one that would allow what no flow states."""

    rule: CompiledRule
    source: Endpoint | None = None
    destination: Endpoint | None = None
    ports: PortSet = NO_PORTS
