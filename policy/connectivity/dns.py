"""Name resolution: without UDP and TCP 53 to the DNS pods, a pod that may reach a Service never finds it."""

from __future__ import annotations

from policy.connectivity.matrix import Connectivity
from policy.connectivity.policies import CompiledRule
from policy.connectivity.ports import DNS_PORTS, NO_PORTS, PortRange, PortSet, difference, intersection, port_set


def missing_dns(connectivity: Connectivity, number: int) -> PortSet:
    """What an end lacks of ``DNS_PORTS`` towards some DNS end.

    Where none is declared, a rule for port 53 whose peers may be outside of Git is taken to mean it.
    """
    egress = connectivity.sides["egress"]
    if not (egress.isolated | egress.doubtful) >> number & 1:
        return NO_PORTS
    ends = connectivity.population.dns
    found: list[PortRange] = []
    if ends:
        for ports, others in egress.surely(number).pods.items():
            if others & ends:
                found.extend(connectivity.table.sets[ports])
    else:
        for rule in egress.rules(number):
            found.extend(_perhaps_dns(rule))
    if tuple(found) == DNS_PORTS:  # as it mostly is
        return NO_PORTS
    return difference(DNS_PORTS, intersection(DNS_PORTS, port_set(found)))


def _perhaps_dns(rule: CompiledRule) -> PortSet:
    """The ports for DNS of a rule that may lead out of Git."""
    if not rule.ports.for_dns:
        return NO_PORTS
    peers = rule.raw.peers
    if peers and not any(peer.namespace_selector is not None or peer.ip_block is not None for peer in peers):
        return NO_PORTS
    return rule.ports.for_dns
