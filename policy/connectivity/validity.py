"""What of a NetworkPolicy the API server refuses, and what it accepts instead.

Source: the validation of ``networking.k8s.io`` in the API server, and of the expressions of label selectors in
apimachinery; how keys and values of labels may be written is not asked here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from policy.connectivity.addresses import AddressSet, range_of
from policy.connectivity.ports import LAST_PORT, PROTOCOLS
from policy.connectivity.selections import Block
from policy.findings import FieldPath
from policy.manifests.ports import port_problem
from policy.manifests.resources import NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort
from policy.manifests.selectors import LabelSelector

_CIDR = "an address and the length of its network: 10.0.0.0/8, 192.0.2.7/32, 2001:db8::/32"


class Refusal(NamedTuple):
    """Why something is refused, what to write instead, and which field of it is wrong; () for the whole."""

    message: str
    fix: str
    path: FieldPath = ()


EMPTY_PEER = Refusal(
    "an empty peer admits nobody: the API server refuses it",
    "say who is meant by podSelector, namespaceSelector or ipBlock; for everybody leave out the list",
)


class Ranges(dict[str, AddressSet]):
    """The addresses of CIDRs, of which most stand in many policies.

    What is no CIDR raises a ``ValueError``, what is no text either that or a ``TypeError``.
    """

    def __missing__(self, cidr: str) -> AddressSet:
        found = self[cidr] = range_of(str(cidr))
        return found


def blocks_of(policies: Sequence[NetworkPolicy]) -> Iterator[Block]:
    """Every valid ipBlock of the policies."""
    ranges = Ranges()
    for policy in policies:
        sending = [peer for rule in policy.spec.egress or () for peer in rule.peers or ()]
        accepting = [peer for rule in policy.spec.ingress or () for peer in rule.peers or ()]
        for peer in (*sending, *accepting):
            block = parts_of_block(peer, ranges) if peer.ip_block is not None else EMPTY_PEER
            if not isinstance(block, Refusal):
                yield Block(block[0], tuple(block[1]))


def parts_of_block(peer: NetworkPolicyPeer, ranges: Ranges) -> tuple[AddressSet, Sequence[AddressSet]] | Refusal:
    """The range of a peer's ipBlock, and the parts of it that are excepted, in order."""
    if peer.pod_selector is not None or peer.namespace_selector is not None:
        return Refusal(
            "an ipBlock stands alone: this peer has a selector too",
            "make two items of it, of which either is enough; both at once cannot be asked for",
        )
    raw = peer.ip_block or {}
    cidr, excepted = raw.get("cidr"), raw.get("except")
    if not cidr:
        return Refusal("an ipBlock has a cidr", f"write under cidr {_CIDR}", ("ipBlock",))
    try:
        whole = ranges[cidr]
    except (TypeError, ValueError):
        return _no_cidr(cidr, "cidr")
    if not excepted:
        return whole, ()
    if not isinstance(excepted, list):
        fix = f"write except: [{excepted}]" if isinstance(excepted, str) else f"write a list, of each item {_CIDR}"
        return Refusal(f"except is a list of parts of {cidr}", fix, ("ipBlock", "except"))
    start, end = whole
    parts = []
    for position, item in enumerate(excepted):
        try:
            part = ranges[item]
        except (TypeError, ValueError):
            return _no_cidr(item, "except", position)
        first, after = part
        if first < start or after > end or part == whole:
            fix = "except a smaller network within the cidr, or delete the exception"
            return Refusal(f"except {item} is no part of {cidr}", fix, ("ipBlock", "except", position))
        parts.append(part)
    parts.sort()
    return whole, parts


def _no_cidr(value: object, *path: str | int) -> Refusal:
    said = repr(value) if isinstance(value, str) else "this"
    return Refusal(f"{said} is no CIDR like 10.0.0.0/8", f"write {_CIDR}", ("ipBlock", *path))


def ports_refusal(port: NetworkPolicyPort) -> Refusal | None:
    """Why the API server refuses a port of a rule."""
    protocol = "TCP" if port.protocol is None else port.protocol  # only null is TCP, "" is refused
    if protocol not in PROTOCOLS:
        message = f"{protocol or repr(protocol)} is no protocol: there are {', '.join(PROTOCOLS)}"
        return Refusal(message, "write TCP, UDP or SCTP", ("protocol",))
    if port.port is not None:
        problem = port_problem(port.port)
        if problem is not None:
            fix = f"write a number from 1 to {LAST_PORT}, or the name that the pods give their port"
            return Refusal(f"port {port.port}: {problem}", fix, ("port",))
    if port.end_port is not None:
        if not isinstance(port.port, int):
            fix = "write the first port of the range as a number in port, or delete endPort"
            return Refusal("endPort needs a port that is a number", fix, ("endPort",))
        if not port.port <= port.end_port <= LAST_PORT:
            fix = f"write the last port of the range: at least port, at most {LAST_PORT}"
            return Refusal(f"endPort {port.end_port} is not from {port.port} to {LAST_PORT}", fix, ("endPort",))
    return None


def is_valid(selector: LabelSelector | None) -> bool:
    """Whether the API server accepts a selector's expressions."""
    return selector is None or not selector.match_expressions or selector_refusal(selector) is None


def selector_refusal(selector: LabelSelector | None) -> Refusal | None:
    """Why the API server refuses a selector's expressions."""
    for position, each in enumerate((selector.match_expressions or ()) if selector else ()):
        at = ("matchExpressions", position)
        if each.operator not in ("In", "NotIn", "Exists", "DoesNotExist"):
            operators = "In, NotIn, Exists {} DoesNotExist"
            message = f"{each.operator} is no operator: there are {operators.format('and')}"
            return Refusal(message, f"write {operators.format('or')}", (*at, "operator"))
        if each.operator in ("In", "NotIn") and not each.values:
            fix = "list the values; where any value is meant, write Exists instead of In"
            return Refusal(f"{each.key} {each.operator} needs values", fix, at)
        if each.operator in ("Exists", "DoesNotExist") and each.values:
            fix = "delete the values, or write In or NotIn"
            return Refusal(f"{each.key} {each.operator} takes no values", fix, (*at, "values"))
    return None
