"""No environment is less protected than the one before it.

The order is that of `[environments]` in policy.toml, the last one is production; `[rules.prod-not-weaker] order =
["staging", "prod"]` says otherwise, and leaves out what is not to be compared. Compared are, for every workload that
both have: probes, requests and limits, security settings, the fewest replicas, disruption budgets and network policies
by direction; and for the namespaces quotas, limit ranges and the enforced pod security level. Names are compared
without the prefixes and suffixes that Kustomize adds.

Why: what production lacks and staging has is what the tests in staging relied on. It is lost by a patch that was meant
for one environment and made in the other.

Fix: state it in the base, so that every environment has it; overlays only change values.

Bad:

```yaml
# overlays/prod: a patch that staging does not have
spec:
  template:
    spec:
      containers:
        - name: web
          readinessProbe: null
```

Good:

```yaml
# base/web/deployment.yaml
containers:
  - name: web
    readinessProbe:
      httpGet: {path: /ready, port: http}
```
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise

from policy.findings import Finding, ObjectRef, Severity
from policy.manifests.safeguards import Key, NameOf, Safeguard, safeguards
from policy.rules.rule import Context, Options, Rule
from policy.rules.subjects import Repository


class ProdNotWeakerOptions(Options, frozen=True):
    """``order``: the environments from the least to the best protected; those of policy.toml in its order if empty."""

    order: tuple[str, ...] = ()


def check(repository: Repository, context: Context) -> Iterator[Finding]:
    order = context.options(ProdNotWeakerOptions).order or repository.environments
    present = [name for name in order if name in repository.indexes and repository.indexes[name].resources]
    found = {name: safeguards(repository.indexes[name], _names(repository, name)) for name in present}
    for before, after in pairwise(present):
        for guard, stronger in _weaker(found[before], found[after]):
            yield _finding(guard, stronger, before, after)


def _weaker(before: Mapping[Key, Safeguard], after: Mapping[Key, Safeguard]) -> Iterator[tuple[Safeguard, Safeguard]]:
    """What is weaker after than before; what only one environment has is not compared."""
    for key, guard in after.items():
        stronger = before.get(key)
        if stronger is not None and guard.strength < stronger.strength:
            yield guard, stronger


def _finding(guard: Safeguard, stronger: Safeguard, before: str, after: str) -> Finding:
    message = f"{guard.subject} has no {guard.what} in {after}, and has one in {before}"
    fix = "state it in the base, or here too"
    if guard.what == "replicas":
        counts = f"{guard.strength} in {after}, and {stronger.strength} in {before}"
        message = f"the fewest pods of {guard.subject} are {counts}"
        fix = f"have {stronger.strength} or more"
    elif guard.what == "pod security level":
        message = f"{guard.subject} enforces a lower {guard.what} in {after} than in {before}"
        fix = "enforce the same level"
    return Finding(at=guard.at, message=message, fix=fix, overlay=after)


def _names(repository: Repository, overlay: str) -> NameOf:
    """Names as they were before the overlay's kustomizations changed them."""
    origins = repository.origins[overlay]()
    emulation = origins.emulation if origins is not None else None
    objects = emulation.objects if emulation is not None else []
    original = {(each.kind, each.name, each.namespace): each.original.name for each in objects}

    def name_of(ref: ObjectRef) -> str:
        return original.get((ref.kind, ref.name, ref.namespace), ref.name)

    return name_of


RULE = Rule(
    id="prod-not-weaker",
    applies_to=Repository,
    severity=Severity.ERROR,
    check=check,
    options=ProdNotWeakerOptions,
)
