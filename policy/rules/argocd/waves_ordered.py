"""Nothing that Argo CD deploys waits for what it deploys later, and an Ingress comes last.

Why: a wave begins when all of the one before is healthy. A Deployment whose ServiceAccount, ConfigMap, database or
credentials come in a later wave never becomes healthy, so that wave never comes: the sync hangs until it times out. An
Ingress that comes early sends people to what is not there yet.

Fix: a lower `sync-wave` for what is needed, or a higher one for what needs it.

Bad:

```yaml
kind: ServiceAccount
metadata:
  name: web
  annotations:
    argocd.argoproj.io/sync-wave: "2"
# and the Deployment that runs under it has none, so it is in wave 0
```

Good:

```yaml
kind: ServiceAccount
metadata:
  name: web
  annotations:
    argocd.argoproj.io/sync-wave: "-1"
```

A need is what the manifests show: the namespace, the account and what binds it, ConfigMaps, claims, Jobs that make a
Secret, quotas and policies of the pods, Services that are called and the pods behind them, what is scaled or protected.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from policy.argocd.waves import PHASES, WAVE, Need, Step, WaveError, is_ordered, step_of, too_late, when
from policy.findings import Field, Finding, Severity
from policy.manifests.index import Index
from policy.manifests.resources import Ingress, Resource
from policy.rules.rule import Context, Rule

_MOST = 3
"""How many of those that need it a message names."""


def check(index: Index, context: Context) -> Iterator[Finding]:
    ordered = [resource for resource in index.annotated if is_ordered(resource)]
    wrong = list(_senseless(ordered))
    yield from wrong
    if not ordered or wrong or len({step_of(resource) for resource in index.resources}) < 2:
        return  # what is applied in one wave has no order to be wrong
    late: dict[Field, list[Need]] = {}
    for need in too_late(index):
        late.setdefault(_at(need), []).append(need)
    for at, needs in late.items():
        yield _finding(at, needs)
    yield from _ingresses(index)


def _senseless(ordered: Iterable[Resource]) -> Iterator[Finding]:
    for resource in ordered:
        try:
            step_of(resource)
        except WaveError as error:
            at = resource.field("metadata", "annotations", error.annotation)
            fix = "write a whole number" if error.annotation == WAVE else "write PreSync, Sync or PostSync"
            yield Finding(at=at, message=f"{resource.ref}: {error}", fix=fix)


def _at(need: Need) -> Field:
    """The annotation that makes it late: of what is needed, unless only what needs it has one."""
    resource = need.needed if need.needed.annotations.get(WAVE) is not None else need.user
    return resource.field("metadata", "annotations", WAVE)


def _finding(at: Field, needs: list[Need]) -> Finding:
    first = needs[0]
    if at.object == first.needed.ref:
        users = list(dict.fromkeys(f"{need.user.ref} in {when(need.user)} ({need.why})" for need in needs))
        shown = ", ".join(users[:_MOST]) + (f" and {len(users) - _MOST} more" if len(users) > _MOST else "")
        message = f"{first.needed.ref} comes in {when(first.needed)}, after what needs it: {shown}"
        return Finding(at=at, message=message, fix="give it a lower sync-wave")
    needed = list(dict.fromkeys(f"{need.needed.ref} in {when(need.needed)} ({need.why})" for need in needs))
    shown = ", ".join(needed[:_MOST]) + (f" and {len(needed) - _MOST} more" if len(needed) > _MOST else "")
    message = f"{first.user.ref} comes in {when(first.user)}, before what it needs: {shown}"
    return Finding(at=at, message=message, fix="give it a higher sync-wave")


def _ingresses(index: Index) -> Iterator[Finding]:
    """An Ingress before the last step of its namespace's objects; hooks after the sync do not count."""
    for ingress in index.all(Ingress):
        mine = step_of(ingress.resource)
        last = _last_of(index, ingress.namespace)
        if mine is not None and last is not None and _step(last) > mine:
            yield Finding(
                at=ingress.field("metadata", "annotations", WAVE),
                message=f"{ingress.ref} comes in {when(ingress.resource)}, before {last.ref} in {when(last)}",
                fix="give it the highest sync-wave: people come last",
            )


def _last_of(index: Index, namespace: str) -> Resource | None:
    """What is applied last in a namespace, up to the end of the sync itself."""
    sync = PHASES.index("Sync")
    applied = [resource for resource in index.resources_in(namespace) if _step(resource)[0] <= sync]
    return max(applied, key=_step, default=None)


def _step(resource: Resource) -> Step:
    """When it is applied; what is not applied by a sync comes after everything."""
    return step_of(resource) or (len(PHASES), 0)


RULE = Rule(id="waves-ordered", applies_to=Index, severity=Severity.ERROR, check=check)
