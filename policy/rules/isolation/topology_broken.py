"""Every flow that topology.yaml states works: the source may send it, and the destination accepts it.

A connection needs two rules: one in a policy of the source (egress) and one in a policy of the destination (ingress),
each where a policy isolates that end. A finding says which of them is missing and how it is written. A port of a flow
is the pod's; a port that no destination has is a finding too.

Where it depends on what is not known, such as labels that controllers add, or an ipBlock that perhaps admits pods, the
flow does not count as working. The finding asks for what topology.yaml could say of pods outside Git: their labels, and
those of their namespace.

Why: connections time out after the merge, and nothing in the logs of either service says why.

Fix: add the rule; or take the flow out of topology.yaml, if it is not part of the architecture.

Bad:

```yaml
# topology.yaml states "api -> db : TCP 5432"; this is the policy of api
egress: []
```

Good:

```yaml
egress:
  - to:
      - podSelector:
          matchLabels:
            app: db
    ports:
      - protocol: TCP
        port: 5432
```
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from policy.connectivity.doubts import Doubt, doubt_of
from policy.connectivity.isolation import Isolation
from policy.connectivity.policies import TYPES, Direction
from policy.connectivity.ports import described, port_set
from policy.connectivity.wording import named, rule_text
from policy.findings import Field, Finding, ObjectRef, Place, Severity
from policy.manifests.index import Index
from policy.rules.rule import Context, Rule

if TYPE_CHECKING:
    from policy.connectivity.contract import Broken


def check(index: Index, context: Context) -> Iterator[Finding]:
    isolation = context.isolation
    if isolation.proof is None:
        return
    grouped: dict[tuple[Place, tuple[Direction, ...]], list[Broken]] = {}
    muted: dict[tuple[ObjectRef, Direction], list[Broken]] = {}
    for broken in isolation.faults.broken:
        found = [(policy.ref, side) for side in broken.sides if (policy := isolation.faults.muted(broken, side))]
        if found:
            muted.setdefault(found[0], []).append(broken)
        else:
            grouped.setdefault((broken.flow.place, tuple(broken.sides)), []).append(broken)
    for (ref, direction), group in muted.items():
        yield _without_type(ref, direction, group, isolation)
    for group in grouped.values():
        yield _finding(group, isolation)
    for unknown in isolation.proof.stated.unknown_ports:
        has = isolation.connectivity.population.ports_text(unknown.destination)
        yield Finding(
            at=unknown.port.place,
            message=f"{named(unknown.destination, index)} has no port {unknown.port} (it has {has})",
            fix="name a port of its pods, or write service/ before the port of a Service",
        )


def _without_type(ref: ObjectRef, direction: Direction, group: list[Broken], isolation: Isolation) -> Finding:
    broken, index = group[0], isolation.index
    more = f" (and {len(group) - 1} more)" if len(group) > 1 else ""
    return Finding(
        at=Field(ref, ("spec", "policyTypes")),
        message=f"policyTypes lacks {TYPES[direction]}, so the {direction} rules of {ref} count for nothing: "
        f"{_cannot(broken, index)} on {described(broken.sides[direction])}, which topology.yaml states{more}",
        fix=f"add {TYPES[direction]} to policyTypes",
        related=(broken.flow.place,),
    )


def _finding(group: list[Broken], isolation: Isolation) -> Finding:
    broken, index = group[0], isolation.index
    ports = port_set(each for some in broken.sides.values() for each in some)
    more = f" (and {len(group) - 1} more of this flow)" if len(group) > 1 else ""
    reasons = [_refusal(broken, direction, isolation) for direction in broken.sides]
    places = [_at(broken, direction, isolation) for direction in broken.sides]
    fixes = []
    for direction, lacking in broken.sides.items():
        astray = isolation.faults.astray(broken, direction)
        if astray is not None:
            fixes.append(f"let the podSelector of {astray.policy.ref} select {broken.end(direction).name}")
            continue
        if (doubt := _doubt(broken, direction, isolation)) is not None:
            fixes.append(doubt.fix)
            continue
        end = broken.end(direction)
        other = broken.destination if direction == "egress" else broken.source
        where = f"spec.{direction} of {_owner(broken, direction, isolation)}"
        fixes.append(f"add to {where}: {rule_text(direction, end, other, lacking, isolation.connectivity.cluster)}")
    return Finding(
        at=places[0],
        message=f"{_cannot(broken, index)} on {described(ports)}, which topology.yaml states{more}: "
        f"{' and '.join(reasons)}",
        fix="; ".join(fixes),
        related=(*places[1:], broken.flow.place),
    )


def _cannot(broken: Broken, index: Index) -> str:
    source, destination = named(broken.source, index), named(broken.destination, index)
    if broken.source == broken.destination:
        return f"pods of {source} cannot reach each other"
    return f"{source} cannot reach {destination}"


def _refusal(broken: Broken, direction: Direction, isolation: Isolation) -> str:
    end = named(broken.end(direction), isolation.index)
    astray = isolation.faults.astray(broken, direction)
    if astray is not None:
        return f"{astray.policy.ref} has the {direction} rule for it, but does not select {end}"
    doubt = _doubt(broken, direction, isolation)
    if doubt is not None:
        return f"{doubt.rule.policy.ref} asks for {doubt.asks}"
    return (
        f"no {direction} rule of {end} allows it"
        if _policy(broken, direction, isolation)
        else (f"{end} has no policy that opens its {direction}")
    )


def _doubt(broken: Broken, direction: Direction, isolation: Isolation) -> Doubt | None:
    return doubt_of(isolation.proof, broken, direction) if isolation.proof else None


def _policy(broken: Broken, direction: Direction, isolation: Isolation) -> Field | None:
    """The policy of the end to which the rule belongs: the first that selects it and has rules."""
    connectivity = isolation.connectivity
    number = connectivity.population.number_of[broken.end(direction).key]
    for policies in (
        connectivity.sides[direction].policies(number),
        connectivity.selecting_policies(number),
    ):
        for policy in policies:
            if not policy.policy.spec.selects_every_pod:
                return policy.policy.field("spec", direction)
    return None


def _at(broken: Broken, direction: Direction, isolation: Isolation) -> Field | Place:
    astray = isolation.faults.astray(broken, direction)
    if astray is not None:
        return astray.policy.field("spec", "podSelector")
    doubt = _doubt(broken, direction, isolation)
    if doubt is not None:
        return doubt.at
    found = _policy(broken, direction, isolation)
    if found is not None:
        return found
    workload = broken.end(direction).workload
    return workload.field("metadata", "name") if workload else broken.flow.place


def _owner(broken: Broken, direction: Direction, isolation: Isolation) -> str:
    found = _policy(broken, direction, isolation)
    return str(found.object) if found else f"a new NetworkPolicy that selects {broken.end(direction).name}"


RULE = Rule(id="topology-broken", applies_to=Index, severity=Severity.ERROR, check=check)
