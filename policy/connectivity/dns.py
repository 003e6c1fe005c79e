"""Name resolution: without UDP and TCP 53 to the DNS pods, a pod that may reach a Service never finds it."""

from __future__ import annotations

from policy.connectivity.matrix import Connectivity
from policy.connectivity.policies import CompiledRule
from policy.connectivity.ports import NO_PORTS, PortRange, PortSet, difference, intersection, port_set

DNS_PORTS: PortSet = port_set(PortRange(protocol, 53, 53) for protocol in ("TCP", "UDP"))
"""Resolvers ask over UDP and, where the answer is long, over TCP (RFC 7766)."""


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
        for ports, others in egress.surely(number).items():
            if others & ends:
                found.extend(connectivity.table.sets[ports])
    else:
        for policy in egress.policies(number):
            for rule in policy.rules.get("egress", ()):
                found.extend(_perhaps_dns(rule, connectivity))
    return difference(DNS_PORTS, intersection(DNS_PORTS, port_set(found)))


def _perhaps_dns(rule: CompiledRule, connectivity: Connectivity) -> PortSet:
    """The ports of a rule that may lead out of Git; a port named like CoreDNS names its own counts."""
    raw = rule.raw
    if raw.peers and not any(peer.namespace_selector is not None or peer.ip_block is not None for peer in raw.peers):
        return NO_PORTS
    found = [each for ports, _ in rule.ports for each in connectivity.table.sets[ports]]
    named = [port.protocol or "TCP" for port in raw.ports or () if port.port in ("dns", "dns-tcp")]
    found.extend(PortRange(protocol, 53, 53) for protocol in named)
    return port_set(found)
