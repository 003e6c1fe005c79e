"""Why a connection is allowed or not, rule by rule: the egress of its source, and the ingress of its destination."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass

from policy.connectivity.dns import dns_ends, missing_dns
from policy.connectivity.endpoints import Endpoint
from policy.connectivity.matrix import Connectivity
from policy.connectivity.policies import DIRECTIONS, CompiledPolicy, Direction
from policy.connectivity.ports import NO_PORTS, PortSet, intersection
from policy.connectivity.selections import Ends
from policy.connectivity.sides import End
from policy.findings import Field


class Verdict(enum.Enum):
    """What a rule says of the connection."""

    ADMITS = "admits it"
    OTHER_PEER = "is about other peers"
    OTHER_PORTS = "is about other ports"
    NO_RULE = "has no rule, so it admits nothing"


@dataclass(frozen=True, slots=True)
class Reason:
    """One rule of a policy that selects the end, or the policy itself where it has none.

    ``ports`` are those of the asked ones that the rule has. ``is_certain`` is False where it depends on what is not
    known: labels that controllers add, or whether the plugin holds ipBlocks against pods.
    """

    policy: CompiledPolicy
    at: Field
    verdict: Verdict
    ports: PortSet
    is_certain: bool


@dataclass(frozen=True, slots=True)
class SideReasons:
    """One direction: whether policies isolate the end (None: perhaps), what of the asked ports passes, and why."""

    direction: Direction
    end: Endpoint
    is_isolated: bool | None
    surely: PortSet
    possibly: PortSet
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """The answer for one pair of ends and the asked ports.

    ``dns`` is what the source lacks to resolve names (of UDP 53 and TCP 53); nothing for what is not in Git.
    """

    source: Endpoint
    destination: Endpoint
    asked: PortSet
    egress: SideReasons
    ingress: SideReasons
    dns: PortSet

    @property
    def surely(self) -> PortSet:
        if self.source == self.destination and self.source.is_pod:
            return self.asked
        return intersection(self.egress.surely, self.ingress.surely)

    @property
    def possibly(self) -> PortSet:
        if self.source == self.destination and self.source.is_pod:
            return self.asked
        return intersection(self.egress.possibly, self.ingress.possibly)


def explain(connectivity: Connectivity, source: Endpoint, destination: Endpoint, asked: PortSet) -> Explanation:
    """Why ``source`` may, or may not, reach ``destination`` on the asked ports.

    Raises:
        KeyError: an end is none of this overlay.
    """
    sides = {direction: _side(connectivity, direction, source, destination, asked) for direction in DIRECTIONS}
    dns = NO_PORTS
    if source.is_in_git:
        dns = missing_dns(connectivity, connectivity.population.number_of[source.key], dns_ends(connectivity))
    return Explanation(source, destination, asked, sides["egress"], sides["ingress"], dns)


def _side(
    connectivity: Connectivity, direction: Direction, source: Endpoint, destination: Endpoint, asked: PortSet
) -> SideReasons:
    end, other = (source, destination) if direction == "egress" else (destination, source)
    side = connectivity.sides[direction]
    surely, possibly = connectivity.side_bounds(direction, source, destination)
    own, reached = next(iter(connectivity.parts(end))), next(iter(connectivity.parts(destination)))
    others = connectivity.ends(other)
    if not isinstance(own, int):  # addresses have no policies
        return SideReasons(direction, end, False, intersection(asked, surely), intersection(asked, possibly), ())
    is_isolated = True if side.isolated >> own & 1 else None if side.doubtful >> own & 1 else False
    reasons = tuple(
        reason
        for policy in connectivity.policies
        if direction in policy.rules and policy.subjects.possibly >> own & 1
        for reason in _reasons(connectivity, policy, direction, own, others, reached, asked)
    )
    return SideReasons(direction, end, is_isolated, intersection(asked, surely), intersection(asked, possibly), reasons)


def _reasons(
    connectivity: Connectivity,
    policy: CompiledPolicy,
    direction: Direction,
    number: int,
    others: Ends,
    destination: End,
    asked: PortSet,
) -> Iterator[Reason]:
    is_selected = bool(policy.subjects.surely >> number & 1)
    if not policy.rules[direction]:
        at = policy.policy.field("spec", direction)
        yield Reason(policy, at, Verdict.NO_RULE, NO_PORTS, is_selected)
    for rule in policy.rules[direction]:
        surely, possibly = (connectivity.sides[direction].held(rule, destination, bound) for bound in (0, 1))
        passing = intersection(asked, connectivity.table.sets[possibly])
        verdict = Verdict.ADMITS
        if not rule.peers.may_be(others):
            verdict = Verdict.OTHER_PEER
        elif not passing:
            verdict = Verdict.OTHER_PORTS
        is_certain = is_selected and (
            verdict is not Verdict.ADMITS or (surely == possibly and rule.peers.must_be(others))
        )
        yield Reason(policy, rule.at, verdict, passing, is_certain)
