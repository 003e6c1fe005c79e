"""Every Secret that a pod needs is made by somebody, with the key that the pod needs.

A variable, an environment or a volume that is `optional` needs none. Makers are Secrets, SealedSecrets, ExternalSecrets
and Certificates among the checked objects, and what the setting states: the work of a Job cannot be read off its
manifest, nor what is made outside.

Why: a pod whose Secret or key is missing never starts, and waits without an end for what nobody makes.

Fix: correct the name or the key, add the object that makes the Secret, or state in the setting who does.

Settings: `provided`, the Secrets and keys that a maker provides; the maker is an object (`"Job/credentials"`), which
has to be there, or `"outside"`. An empty list stands for keys that are not known.

```toml
[rules.secret-has-producer.provided."Job/credentials"]
users-db = ["password"]
```

Bad:

```yaml
# the key is spelt password in the Secret
secretKeyRef:
  name: users-db
  key: passwd
```

Good:

```yaml
secretKeyRef:
  name: users-db
  key: password
```
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from policy.findings import Finding, Severity
from policy.manifests.index import Index
from policy.manifests.secret_producers import Keys, produced_secrets
from policy.manifests.secret_uses import secret_uses
from policy.rules.rule import Context, Options, Rule

OUTSIDE = "outside"


class SecretHasProducerOptions(Options, frozen=True):
    provided: dict[str, dict[str, tuple[str, ...]]] = msgspec.field(default_factory=dict)


def check(index: Index, context: Context) -> Iterator[Finding]:
    produced = produced_secrets(index)
    provided = _provided(index, context.options(SecretHasProducerOptions).provided)
    for workload in index.workloads:
        missing = set()
        for use in secret_uses(workload):
            place = (workload.namespace, use.name)
            if place not in produced and use.name not in provided:
                if use.name_at not in missing:
                    yield Finding(
                        at=use.name_at,
                        message=f"{use.who} needs the Secret {use.name}, which nothing makes",
                        fix="correct the name, add what makes it, or state its maker in the setting provided",
                    )
                missing.add(use.name_at)
                continue
            keys = _both(produced.get(place, frozenset()), provided.get(use.name, frozenset()))
            if use.key is not None and keys is not None and use.key not in keys:
                yield Finding(
                    at=use.key_at,
                    message=f"{use.who} needs the key {use.key} of the Secret {use.name}, which has "
                    f"{', '.join(sorted(keys)) or 'none'}",
                    fix="correct the key, or have it made",
                )


def _provided(index: Index, stated: Mapping[str, Mapping[str, tuple[str, ...]]]) -> Mapping[str, Keys]:
    """What the setting states, without the makers that are not there."""
    objects = {str(resource.ref) for resource in index.resources}
    found: dict[str, Keys] = {}
    for maker, secrets in stated.items():
        if maker == OUTSIDE or maker in objects:
            for name, keys in secrets.items():
                found[name] = _both(found.get(name, frozenset()), frozenset(keys) or None)
    return found


def _both(one: Keys, other: Keys) -> Keys:
    return None if one is None or other is None else one | other


RULE = Rule(
    id="secret-has-producer",
    applies_to=Index,
    severity=Severity.ERROR,
    check=check,
    options=SecretHasProducerOptions,
)
