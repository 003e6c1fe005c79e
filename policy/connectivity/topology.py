"""topology.yaml: who may talk to whom. ``topology_file`` reads it, which not every check has to load.

```yaml
outside:                       # what is not in Git: addresses (cidrs), or pods (namespace, labels, ports;
                               # namespaceLabels, where policies select the namespace by other labels than its name)
  internet: {cidrs: [0.0.0.0/0, "::/0"]}
  dns: {namespace: kube-system, labels: {k8s-app: kube-dns}, ports: {dns: "UDP 53, TCP 53"}}
cluster: {pods: [10.244.0.0/16], services: [10.96.0.0/12], nodes: [192.0.2.0/24]}
flows:                         # sources -> destinations : ports
  - "* -> dns : UDP 53, TCP 53"
  - "web, shop/worker -> StatefulSet/db : TCP 5432"
silent: [mailer]               # workloads that talk to nobody, and nobody to them, but for what * states
```

An end of a flow is ``*`` (every workload), something outside, or a workload: ``name``, ``namespace/name``,
``Kind/name`` or ``namespace/Kind/name``. A port is a name or a number of the destination's pods (``http``, ``8080``,
``TCP 5432``, ``UDP 53``, ``TCP 8000-8100``), a port of a Service in front of them (``service/http``, ``service/80``),
every port of a protocol (``TCP``), or ``all``. A flow from a workload to itself alone is for its different pods.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network

import msgspec

from policy.findings import Place

FILE_NAME = "topology.yaml"
EVERY = "*"
"""Every workload, as the end of a flow."""
PROTOCOLS = ("TCP", "UDP", "SCTP")
FIRST_PORT, LAST_PORT = 1, 65535

Network = IPv4Network | IPv6Network


class NamedPort(msgspec.Struct, frozen=True):
    """A port that an outside pod declares: what a policy that names ports resolves against."""

    name: str
    protocol: str
    number: int


class Outside(msgspec.Struct, frozen=True):
    """What is not in Git: pods of a namespace (all of them where there are no labels), or address ranges.

    ``namespace_labels`` are labels of the namespace; no other namespace that is not in Git has them all.
    """

    name: str
    namespace: str | None
    labels: Mapping[str, str]
    cidrs: tuple[Network, ...]
    ports: tuple[NamedPort, ...]
    place: Place
    namespace_labels: Mapping[str, str] = {}


class Cluster(msgspec.Struct, frozen=True):
    """The address ranges of the cluster; empty where they are not stated."""

    pods: tuple[Network, ...] = ()
    services: tuple[Network, ...] = ()
    nodes: tuple[Network, ...] = ()


class FlowEnd(msgspec.Struct, frozen=True, eq=False):
    """A source or destination as written; ``namespace`` and ``kind`` are "" where the flow leaves them open."""

    name: str
    namespace: str
    kind: str
    place: Place

    def __eq__(self, other: object) -> bool:
        """Wherever they stand."""
        return isinstance(other, FlowEnd) and self._stated == other._stated

    def __hash__(self) -> int:
        return hash(self._stated)

    @property
    def _stated(self) -> tuple[str, str, str]:
        return self.name, self.namespace, self.kind

    @property
    def is_every(self) -> bool:
        return self.name == EVERY

    def __str__(self) -> str:
        return "/".join(part for part in (self.namespace, self.kind, self.name) if part)


class FlowPort(msgspec.Struct, frozen=True, eq=False):
    """What a flow lets through, of one protocol.

    ``name`` is a port's name, "" where ``first`` to ``last`` (inclusive) are numbers. ``protocol`` is "" where every
    protocol is meant (``all``), or whichever the name has. With ``of_service`` the port is that of a Service.
    """

    protocol: str
    name: str
    first: int
    last: int
    of_service: bool
    place: Place

    def __eq__(self, other: object) -> bool:
        """Wherever they stand."""
        return isinstance(other, FlowPort) and self._stated == other._stated

    def __hash__(self) -> int:
        return hash(self._stated)

    @property
    def _stated(self) -> tuple[str, str, int, int, bool]:
        return self.protocol, self.name, self.first, self.last, self.of_service

    @property
    def is_all(self) -> bool:
        return not self.protocol and not self.name and not self.of_service

    def __str__(self) -> str:
        if self.is_all:
            return "all"
        if not self.name and (self.first, self.last) == (FIRST_PORT, LAST_PORT):
            return self.protocol
        numbers = str(self.first) if self.first == self.last else f"{self.first}-{self.last}"
        port = ("service/" if self.of_service else "") + (self.name or numbers)
        return f"{self.protocol} {port}".strip()


class Flow(msgspec.Struct, frozen=True):
    """Every source may reach every destination on every port.

    ``text`` is the flow as written, ``before`` and ``behind`` what stands on either side of the arrow; the same texts
    of a file are one object.
    """

    sources: tuple[FlowEnd, ...]
    destinations: tuple[FlowEnd, ...]
    ports: tuple[FlowPort, ...]
    place: Place
    text: str
    before: str
    behind: str


class Topology(msgspec.Struct, frozen=True):
    """The contract: what is stated here must work, and nothing else may."""

    file: str
    outside: Mapping[str, Outside]
    cluster: Cluster
    flows: tuple[Flow, ...]
    silent: tuple[FlowEnd, ...] = ()
    """Workloads that no flow names, and of which all is impossible that ``*`` does not state."""
