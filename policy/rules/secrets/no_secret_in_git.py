"""No credential is in Git: in no Secret, no variable, no argument and no ConfigMap.

A Secret with a value is one, unless the value only refers to one (`${VAR}`, a vault's path, an encrypted value).
Elsewhere a value is judged by its form (private keys, tokens, URLs with a password), by its name (`DB_PASSWORD`,
`apiKey`; not `PASSWORD_FILE`), and by how random it is. The value itself is never shown.

Why: what was committed once is in every clone for ever, and base64 is no encryption. It has to be treated as known.

Fix: change the credential; let the cluster make it or a secret store deliver it, and mount it as a file.

Bad:

```yaml
env:
  - name: DB_PASSWORD
    value: hunter2
```

Good:

```yaml
env:
  - name: DB_PASSWORD_FILE
    value: /run/secrets/users-db/password
```
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from policy.findings import Field, Finding, Severity
from policy.manifests.credentials import (
    credentials_in_command,
    credentials_in_file,
    decoded,
    is_reference,
    why_credential,
    why_credential_variable,
)
from policy.manifests.index import Index
from policy.manifests.resources import ConfigMap, Secret
from policy.manifests.workloads import Container
from policy.rules.rule import Context, Rule

_FIX = "change the credential, and let a secret store or the cluster itself provide it"


def check(index: Index, context: Context) -> Iterator[Finding]:
    for secret in index.all(Secret):
        data = {key: decoded(value) for key, value in (secret.spec.data or {}).items()}
        yield from _secret(data, secret.field("data"), secret)
        yield from _secret(secret.spec.string_data or {}, secret.field("stringData"), secret)
    for workload in index.workloads:
        for container in workload.containers:
            yield from _variables(container)
            yield from _command(container)
    for settings in index.all(ConfigMap):
        yield from _settings(settings)


def _secret(data: Mapping[str, str], at: Field, secret: Secret) -> Iterator[Finding]:
    keys = [key for key, value in data.items() if value.strip() and not is_reference(value)]
    if keys:
        yield Finding(at=at, message=f"{secret.ref} has values in Git: {', '.join(keys)}", fix=_FIX)


def _variables(container: Container) -> Iterator[Finding]:
    for index, variable in enumerate(container.spec.env or ()):
        why = why_credential_variable(variable.name, variable.value) if variable.value else None
        if why is not None:
            yield Finding(
                at=container.field("env", index, "value"),
                message=f"the variable {variable.name} of {container} {why}",
                fix=_FIX,
            )


def _command(container: Container) -> Iterator[Finding]:
    for field, words in (("command", container.spec.command), ("args", container.spec.args)):
        found = {index: (name, why) for index, name, why in credentials_in_command(words or ())}
        for index, (name, why) in found.items():
            what = f"{name} in an argument" if name else "an argument"
            yield Finding(at=container.field(field, index), message=f"{what} of {container} {why}", fix=_FIX)


def _settings(settings: ConfigMap) -> Iterator[Finding]:
    for key, value in (settings.spec.data or {}).items():
        why = why_credential(key, value)
        found = [("", why)] if why is not None else list(credentials_in_file(key, value))
        if found:
            says = "; ".join(f"{name} {reason}" if name else f"it {reason}" for name, reason in found)
            yield Finding(at=settings.field("data", key), message=f"{key} of {settings.ref}: {says}", fix=_FIX)


RULE = Rule(id="no-secret-in-git", applies_to=Index, severity=Severity.ERROR, check=check)
