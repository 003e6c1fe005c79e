"""What topology.yaml leaves open of pods outside Git, so that a rule lets them through only perhaps."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from policy.connectivity.endpoints import Endpoint, EndpointKind
from policy.connectivity.policies import PEERS, CompiledRule, Direction
from policy.connectivity.selections import pinned
from policy.connectivity.validity import Refusal
from policy.findings import Field

if TYPE_CHECKING:
    from policy.connectivity.contract import Broken, Proof


class Doubt(NamedTuple):
    """``asks`` is what the rule asks for that nobody states, ``at`` where, and ``fix`` how to state it."""

    at: Field
    rule: CompiledRule
    asks: str
    fix: str


def doubt_of(proof: Proof, broken: Broken, direction: Direction) -> Doubt | None:
    """The first rule that perhaps lets a broken connection through; None where there is none that labels decide."""
    other, population = broken.other(direction), proof.connectivity.population
    if other.type is not EndpointKind.OUTSIDE_PODS:
        return None
    end, destination = (population.number_of[each.key] for each in (broken.end(direction), broken.destination))
    number, ports = population.number_of[other.key], proof.connectivity.table.number(broken.sides[direction])
    for rule in proof.rules_for(direction, end, number, ports, destination):
        found = _labels(proof, rule, number, other)
        if found is not None:
            return found
    return None


def _labels(proof: Proof, rule: CompiledRule, number: int, other: Endpoint) -> Doubt | None:
    """What the first peer that perhaps admits an end asks for and topology.yaml does not say of it."""
    for position, peer in enumerate(rule.raw.peers or ()):
        selection = proof.connectivity.compiler.peer(rule.policy, peer)
        if isinstance(selection, Refusal) or not selection.possibly >> number & 1 or selection.surely >> number & 1:
            continue
        at, pods, namespaces = rule.at[PEERS[rule.direction]][position], peer.pod_selector, peer.namespace_selector
        if pods is not None and not proof.connectivity.selecting.labelled.of(pods).surely >> number & 1:
            asks = f"pods with {pods}, which topology.yaml does not say of {other.name}"
            return Doubt(at["podSelector"], rule, asks, f"state the labels of {other.name} under outside")
        if namespaces is not None and pinned(namespaces) is None:
            fix = (
                f"state under outside which labels namespace {other.namespace} has (namespaceLabels of {other.name}), "
                "or select it by its name: kubernetes.io/metadata.name"
            )
            asks = f"namespaces with {namespaces}, which topology.yaml does not say of {other.namespace}"
            return Doubt(at["namespaceSelector"], rule, asks, fix)
    return None
