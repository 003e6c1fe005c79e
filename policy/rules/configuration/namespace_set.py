"""Every object that lives in a namespace says in which, and it is not `default`.

Kinds of Kubernetes itself are known, and custom ones whose CustomResourceDefinition is in the input; whether others
have a namespace is reported as not checked, unless `cluster-scoped` under `[rules.namespace-set]` in policy.toml names
them: `cluster-scoped = ["ClusterIssuer.cert-manager.io"]`.

Why: without a namespace an object goes where the context of whoever applies it points. In `default` everybody's objects
meet, and no policy, quota or role was meant for them.

Fix: set `namespace` in the kustomization of each environment.

Bad:

```yaml
# overlays/prod/kustomization.yaml
resources:
  - ../../base
```

Good:

```yaml
# overlays/prod/kustomization.yaml
namespace: ecommerce
resources:
  - ../../base
```
"""

from __future__ import annotations

from collections.abc import Iterator

from policy.findings import Finding, Severity, Skipped
from policy.manifests.index import Index
from policy.manifests.resources import Resource
from policy.manifests.scopes import Scopes
from policy.rules.rule import Context, Options, Rule

_FIX = "set namespace in the kustomization, or in the object's metadata"


class NamespaceSetOptions(Options, frozen=True):
    """``cluster-scoped``: custom kinds that have no namespace, as ``Kind.group``."""

    cluster_scoped: tuple[str, ...] = ()


def check(index: Index, context: Context) -> Iterator[Finding | Skipped]:
    without = [resource for resource in index.resources if not resource.ref.namespace]
    known = frozenset(context.options(NamespaceSetOptions).cluster_scoped)
    scopes = Scopes(index.resources)
    bare: list[Resource] = []
    unknown: set[str] = set()
    for resource in without:
        is_namespaced = scopes.is_namespaced(resource.group, resource.ref.kind)
        kind = f"{resource.ref.kind}.{resource.group}"
        if is_namespaced:
            bare.append(resource)
        elif is_namespaced is None and kind not in known and kind not in unknown:
            unknown.add(kind)
            yield Skipped(
                resource.field("metadata", "namespace"),
                f"whether {kind} has a namespace is not known: its CustomResourceDefinition is not in the input",
            )
    yield from _without(bare, index, scopes)
    for resource in index.resources:
        if resource.ref.namespace == "default":
            yield Finding(
                at=resource.field("metadata", "namespace"),
                message="is in the namespace default, which is everybody's",
                fix="give it a namespace of its own",
            )


def _without(bare: list[Resource], index: Index, scopes: Scopes) -> Iterator[Finding]:
    """Each object by itself, or all at once where no object has a namespace: that has one cause."""
    has_any = any(
        resource.ref.namespace and scopes.is_namespaced(resource.group, resource.ref.kind) is not False
        for resource in index.resources
    )
    if has_any or len(bare) == 1:
        for resource in bare:
            yield Finding(at=resource.field("metadata", "namespace"), message="has no namespace", fix=_FIX)
    elif bare:
        yield Finding(
            at=bare[0].field("metadata", "namespace"),
            message=f"none of {len(bare)} objects has a namespace",
            fix=_FIX,
        )


RULE = Rule(
    id="namespace-set",
    applies_to=Index,
    severity=Severity.ERROR,
    check=check,
    options=NamespaceSetOptions,
)
