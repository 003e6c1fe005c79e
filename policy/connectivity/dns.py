"""Name resolution: without the ports of the DNS pods, a pod that may reach a Service never finds it."""

from __future__ import annotations

from collections.abc import Mapping

from policy.connectivity.bits import members
from policy.connectivity.dns_names import misspelled_dns
from policy.connectivity.matrix import Connectivity
from policy.connectivity.policies import CompiledRule
from policy.connectivity.ports import (
    DNS_PORTS,
    NO_PORTS,
    PortRange,
    PortSet,
    PortTable,
    difference,
    intersection,
    port_set,
)
from policy.findings import Field
from policy.manifests.index import Index
from policy.manifests.resources import NetworkPolicyPeer

_OPENSHIFT = port_set(PortRange(each.protocol, 5353, 5353) for each in DNS_PORTS)
"""What the pods of OpenShift's DNS listen on, behind port 53 of their Service."""


def dns_ends(connectivity: Connectivity) -> Mapping[PortSet, int]:
    """The DNS ends (bits), by the ports that topology.yaml states for them, else ``DNS_PORTS``."""
    found: dict[PortSet, int] = {}
    for end in members(connectivity.population.dns):
        wanted = _ports_of(connectivity, end)
        found[wanted] = found.get(wanted, 0) | 1 << end
    return found


def missing_dns(connectivity: Connectivity, number: int, known: Mapping[PortSet, int]) -> PortSet:
    """What an end lacks of the ports of DNS ends, which are ``known`` by them: of those that it is nearest to.

    Where no such end is known, a rule for port 53 whose peers may be outside of Git is taken to mean one.
    """
    egress = connectivity.sides["egress"]
    if not (egress.isolated | egress.doubtful) >> number & 1:
        return NO_PORTS
    if not known:
        return _missing(DNS_PORTS, [port for rule in egress.rules(number) for port in _perhaps_dns(rule, connectivity)])
    pods, sets = egress.surely(number).pods, connectivity.table.sets
    missing = (
        _missing(wanted, [port for ports, others in pods.items() if others & ends for port in sets[ports]])
        for wanted, ends in known.items()
    )
    return min(missing, key=len)


def _missing(wanted: PortSet, found: list[PortRange]) -> PortSet:
    if tuple(found) == wanted:  # as it mostly is
        return NO_PORTS
    return difference(wanted, intersection(wanted, port_set(found)))


def _ports_of(connectivity: Connectivity, end: int) -> PortSet:
    """The ports that a DNS end is stated to listen on: those named ``dns…``, or all, if none is."""
    outside = connectivity.population.outside_of(end)
    if outside is None or not outside.ports:
        return DNS_PORTS
    named = [port for port in outside.ports if port.name.startswith("dns")] or outside.ports
    return port_set(PortRange(port.protocol, port.number, port.number) for port in named)


def misspelled_peer(connectivity: Connectivity, number: int) -> tuple[Field, str] | None:
    """A peer of an end's rules for DNS that is a typo: its place, and what it says and should; if no DNS is known."""
    if connectivity.population.dns:
        return None
    for rule in connectivity.sides["egress"].rules(number):
        for position, peer in enumerate(rule.raw.peers or ()):
            said = misspelled_dns(peer, connectivity.index)
            if said is not None and _ports_for_dns(rule, connectivity.table):
                return rule.at["to"][position], said
    return None


def _perhaps_dns(rule: CompiledRule, connectivity: Connectivity) -> PortSet:
    """The ports for DNS of a rule that may lead out of Git."""
    ports = _ports_for_dns(rule, connectivity.table)
    peers = rule.raw.peers
    if not ports or not peers or any(_may_be_dns(peer, connectivity.index) for peer in peers):
        return ports
    return NO_PORTS


def _may_be_dns(peer: NetworkPolicyPeer, index: Index) -> bool:
    if peer.ip_block is not None:
        return True
    return peer.namespace_selector is not None and misspelled_dns(peer, index) is None


def _ports_for_dns(rule: CompiledRule, table: PortTable) -> PortSet:
    """The ports of a rule that are for DNS; those of OpenShift's pods count as the same."""
    if rule.ports.for_dns:
        return rule.ports.for_dns
    of_pods = [each for ports, _ in rule.ports.resolved for each in intersection(_OPENSHIFT, table.sets[ports])]
    return port_set(PortRange(each.protocol, 53, 53) for each in of_pods)
