"""topology.yaml names every workload, and nothing that there is not.

A workload that no flow names is not in the diagram: whether it may talk to anyone, nobody has decided, and nothing is
proven of it. So there are no exceptions to this rule. A flow for everybody (`*`) names nobody. A flow that names what
is neither in the overlay nor under `outside` is a finding too.

Why: a new service arrives with its policies, and the picture of the system stays the old one.

Fix: state the flows of the new workload; name one that talks to nobody under `silent`.

Bad:

```yaml
# overlays/prod has a Deployment mailer
flows:
  - "ingress-controller -> web : http"
```

Good:

```yaml
flows:
  - "ingress-controller -> web : http"
  - "web -> mailer : http"
silent:
  - night-report  # talks to nobody, and nobody to it: this is proven
```
"""

from __future__ import annotations

from collections.abc import Iterator

from policy.findings import Finding, Place, Severity
from policy.manifests.index import Index
from policy.manifests.names import nearest
from policy.rules.rule import Context, Rule


def check(index: Index, context: Context) -> Iterator[Finding]:
    proof = context.isolation.proof
    if proof is None:
        return
    stated = proof.stated
    missing = stated.unknown_workloads
    for workload in missing:
        yield Finding(
            at=workload.field("metadata", "name"),
            message=f"{workload.ref} is in no flow of topology.yaml",
            fix=f'state whom it talks to, as in "{workload.ref.name} -> dns : UDP 53, TCP 53", and who talks to it; or '
            "name it under silent",
            related=(Place(proof.topology.file, 1),),
        )
    known = sorted({item.ref.name for item in index.workloads} | proof.topology.outside.keys())
    seen = set()
    for unknown in stated.unknown_ends:
        told = unknown.end.place, str(unknown.end)  # the names of a flow over several lines stand at one place
        if told not in seen:
            seen.add(told)
            yield Finding(
                at=unknown.end.place,
                message=f"{unknown.end} is neither a workload nor outside{nearest(unknown.end.name, known)}",
                fix="name a workload of every overlay, or declare it under outside",
            )


RULE = Rule(id="topology-complete", applies_to=Index, severity=Severity.ERROR, check=check, exceptable=False)
