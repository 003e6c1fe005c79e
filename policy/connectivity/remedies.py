"""What the API server accepts instead of a part of a NetworkPolicy that it refuses."""

from __future__ import annotations

from policy.connectivity.policies import Problem

_CIDR = "an address and the length of its network: 10.0.0.0/8, 192.0.2.7/32, 2001:db8::/32"
_ACCEPTED = {
    " is neither Ingress nor Egress": "write Ingress, Egress, or both",
    " is no operator": "write In, NotIn, Exists or DoesNotExist",
    " needs values": "list the values; where any value is meant, write Exists instead of In",
    " takes no values": "delete the values, or write In or NotIn",
    "an empty peer ": "say who is meant by podSelector, namespaceSelector or ipBlock; for everybody leave out the list",
    "an ipBlock stands alone": "make two items of it, of which either is enough; both at once cannot be asked for",
    "an ipBlock has a cidr": f"write under cidr {_CIDR}",
    " is no CIDR ": f"write {_CIDR}",
    " is no part of ": "except a smaller network within the cidr, or delete the exception",
    " is no protocol": "write TCP, UDP or SCTP",
    "endPort needs ": "write the first port of the range as a number in port, or delete endPort",
    "endPort ": "write the last port of the range: at least port, at most 65535",
    "port ": "write a number from 1 to 65535, or the name that the pods give their port",
}
"""By what is said of a problem; the first that is found there counts."""


def accepted(problem: Problem) -> str | None:
    """What to write; None where the problem itself says all there is to say."""
    return next((fix for words, fix in _ACCEPTED.items() if words in problem.message), None)
