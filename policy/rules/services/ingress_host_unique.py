"""No host is claimed twice: no path of it by two Ingresses of one overlay, and the host by no two environments.

Within an overlay several Ingresses may share a host, as long as each path belongs to one of them; Ingresses of
different classes are served by different controllers, and a canary of ingress-nginx repeats its Ingress on purpose.
Between the environments of policy.toml no host may be shared at all.

Why: which of two Ingresses answers depends on which is older, or on the controller. Where environments share a cluster,
or the name resolves to one of them only, a request to staging ends in production.

Fix: give every environment a host of its own, and every path of a host to one Ingress.

Bad:

```yaml
# overlays/staging/host.yaml, and the same in overlays/prod
kind: Ingress
spec:
  rules:
    - host: shop.example.com
```

Good:

```yaml
# overlays/staging/host.yaml
kind: Ingress
spec:
  rules:
    - host: staging.shop.example.com
```
"""

from __future__ import annotations

from collections.abc import Iterator

from policy.findings import Field, Finding, Severity
from policy.manifests.index import Index
from policy.manifests.ingresses import class_of, hosts, paths
from policy.manifests.resources import Ingress
from policy.rules.rule import Context, Rule
from policy.rules.subjects import Repository

_CANARY = "nginx.ingress.kubernetes.io/canary"


def check(repository: Repository, context: Context) -> Iterator[Finding]:
    for name, index in repository.indexes.items():
        yield from _paths(name, index)
    owners: dict[str, str] = {}
    for name in repository.environments:
        yield from _hosts(name, repository.indexes[name], owners)


def _paths(overlay: str, index: Index) -> Iterator[Finding]:
    claimed: dict[tuple[str, tuple[str, str, bool]], tuple[Ingress, Field]] = {}
    for ingress in index.all(Ingress):
        if ingress.resource.annotations.get(_CANARY) == "true":
            continue
        for path in paths(ingress):
            first, at = claimed.setdefault((class_of(ingress), path.key), (ingress, path.at))
            if at is not path.at:
                whose = "this Ingress" if first is ingress else str(first.ref)
                if first.namespace != ingress.namespace:
                    whose += f" in namespace {first.namespace}"
                yield Finding(
                    at=path.at,
                    message=f"{path.path} of {path.host or 'any host'} is claimed by {whose} already",
                    fix="give the path to one Ingress",
                    related=(at,),
                    overlay=overlay,
                )


def _hosts(environment: str, index: Index, owners: dict[str, str]) -> Iterator[Finding]:
    """Hosts that an earlier environment has; ``owners`` is added to."""
    told: set[str] = set()
    for ingress in index.all(Ingress):
        for host, at in hosts(ingress):
            owner = owners.setdefault(host, environment) if host else environment
            if owner != environment and host not in told:
                told.add(host)
                yield Finding(
                    at=at,
                    message=f"{environment} claims the host {host}, and so does {owner}",
                    fix="give every environment a host of its own",
                    overlay=environment,
                )


RULE = Rule(id="ingress-host-unique", applies_to=Repository, severity=Severity.ERROR, check=check)
