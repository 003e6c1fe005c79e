"""Everything that an object names exists: ConfigMaps and their keys, accounts, claims, classes, roles, volumes.

Looked at are variables, environments and volumes (projected ones too), `serviceAccountName`, `priorityClassName`,
claims by name, the StorageClass of claims and of `volumeClaimTemplates`, the Role and the ServiceAccounts of bindings,
and the volumes that containers mount. A reference that is `optional` needs nothing. In every cluster there are the
ServiceAccount `default`, the ConfigMap `kube-root-ca.crt` and the PriorityClasses `system-cluster-critical` and
`system-node-critical`. A claim such as `data-db-0` is made by the StatefulSet `db`. Secrets are the matter of
`secret-has-producer`.

What is there and not in Git is named under `[rules.reference-exists]` in policy.toml, with `*` for any part:
`provided = ["StorageClass/gp3", "ConfigMap/istio-*"]`.

Why: a pod that names a ConfigMap or key that is not there is never started, and one that names a missing
ServiceAccount, claim or class is never made or never scheduled. It shows after the merge, as a rollout that hangs.

Fix: correct the name, or add what it names.

Bad:

```yaml
env:
  - name: LOG_LEVEL
    valueFrom:
      configMapKeyRef:
        name: settings
        key: loglevel   # the ConfigMap has log-level
```

Good:

```yaml
env:
  - name: LOG_LEVEL
    valueFrom:
      configMapKeyRef:
        name: settings
        key: log-level
```
"""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from itertools import chain

from policy.findings import Finding, Severity
from policy.manifests.index import Index
from policy.manifests.names import nearest
from policy.manifests.references import Reference, missing_volumes, of_binding, of_claim, of_workload
from policy.manifests.resources import ConfigMap, PersistentVolumeClaim, RoleBinding
from policy.rules.rule import Context, Options, Rule

_IN_EVERY_CLUSTER = frozenset(
    {
        ("ConfigMap", "kube-root-ca.crt"),
        ("PriorityClass", "system-cluster-critical"),
        ("PriorityClass", "system-node-critical"),
        ("ServiceAccount", "default"),
    }
)


class ReferenceExistsOptions(Options, frozen=True):
    """``provided``: what exists and is not in Git, as ``Kind/name``, with ``*`` for any part."""

    provided: tuple[str, ...] = ()


def check(index: Index, context: Context) -> Iterator[Finding]:
    provided = context.options(ReferenceExistsOptions).provided
    references = chain(
        chain.from_iterable(map(of_workload, index.workloads)),
        chain.from_iterable(map(of_claim, index.all(PersistentVolumeClaim))),
        chain.from_iterable(of_binding(binding, index) for binding in index.all(RoleBinding)),
    )
    told: set[object] = set()
    for reference in references:
        for finding in _judged(reference, index, provided):
            if finding.at not in told:
                told.add(finding.at)
                yield finding
    for workload in index.workloads:
        for container, name, at in missing_volumes(workload):
            yield Finding(
                at=at,
                message=f"{container} mounts volume {name}, which the pod does not have",
                fix="add the volume, or correct the name",
            )


def _judged(reference: Reference, index: Index, provided: tuple[str, ...]) -> Iterator[Finding]:
    kind, name = reference.kind, reference.name
    if index.resource(kind, reference.namespace, name) is not None:
        yield from _key(reference, index)
        return
    if (kind, name) in _IN_EVERY_CLUSTER or any(fnmatchcase(f"{kind}/{name}", pattern) for pattern in provided):
        return
    if kind == "PersistentVolumeClaim" and _is_made(reference, index):
        return
    where = f"in namespace {reference.namespace}" if reference.namespace else "here"
    needs = f"{reference.who} needs the {kind} {name}, which is not {where}" if reference.who else ""
    yield Finding(
        at=reference.at,
        message=(needs or f"there is no {kind} {name} {where}") + nearest(name, index.names(kind, reference.namespace)),
        fix=f"correct the name, add the {kind}, or name it under provided of this rule in policy.toml",
    )


def _key(reference: Reference, index: Index) -> Iterator[Finding]:
    config = index.find(ConfigMap, reference.namespace, reference.name) if reference.key is not None else None
    if config is None or reference.key is None or reference.key_at is None:
        return
    keys = [*(config.spec.data or ()), *(config.spec.binary_data or ())]
    if reference.key not in keys:
        yield Finding(
            at=reference.key_at,
            message=f"{reference.who} needs the key {reference.key} of the ConfigMap {reference.name}, which has "
            f"{', '.join(sorted(keys)) or 'none'}{nearest(reference.key, keys)}",
            fix="correct the key, or add it",
            related=(config.field("data"),),
        )


def _is_made(reference: Reference, index: Index) -> bool:
    """Whether a StatefulSet makes the claim: ``template-statefulset-ordinal``."""
    made, _, ordinal = reference.name.rpartition("-")
    return ordinal.isdigit() and (reference.namespace, made) in index.claims_of_stateful_sets


RULE = Rule(
    id="reference-exists",
    applies_to=Index,
    severity=Severity.ERROR,
    check=check,
    options=ReferenceExistsOptions,
)
