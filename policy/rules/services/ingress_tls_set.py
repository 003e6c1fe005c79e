"""Every host of an Ingress has a certificate.

Each host is in the `hosts` of an entry of `tls` that names a `secretName`; a wildcard such as `*.example.com` stands
for one label. An entry without `hosts` is for all. Where a cloud's controller takes the certificate from an annotation,
there need be no entry: `certificate-annotations` under `[rules.ingress-tls-set]` in policy.toml names those
annotations, by default the ones of AWS and Google.

It is a warning unless policy.toml makes it an error: `[rules.ingress-tls-set.environments.prod] severity = "error"`.

Why: without an entry the controller serves the host over plain HTTP, or with a certificate of its own that no client
trusts; passwords and sessions can be read on the way.

Fix: add the host to `tls`, with the Secret that holds its certificate.

Bad:

```yaml
spec:
  rules:
    - host: shop.example.com
```

Good:

```yaml
spec:
  tls:
    - hosts:
        - shop.example.com
      secretName: shop-tls
  rules:
    - host: shop.example.com
```
"""

from __future__ import annotations

from collections.abc import Iterator

from policy.findings import Finding, Severity
from policy.manifests.ingresses import certificates, hosts
from policy.manifests.resources import Ingress
from policy.rules.rule import Context, Options, Rule


class IngressTlsSetOptions(Options, frozen=True):
    """``certificate-annotations``: annotations that name a certificate for all hosts of an Ingress."""

    certificate_annotations: tuple[str, ...] = (
        "alb.ingress.kubernetes.io/certificate-arn",
        "ingress.gcp.kubernetes.io/pre-shared-cert",
        "networking.gke.io/managed-certificates",
    )


def check(ingress: Ingress, context: Context) -> Iterator[Finding]:
    names = context.options(IngressTlsSetOptions).certificate_annotations
    if any(ingress.resource.annotations.get(name) for name in names):
        return
    entries = certificates(ingress)
    bare = {host: at for host, at in hosts(ingress) if not any(entry.covers(host) for entry in entries)}
    if bare:
        names_of_them = ", ".join(host or "any host" for host in bare)
        yield Finding(
            at=ingress.field("spec", "tls"),
            message=f"no certificate for {names_of_them}: "
            + ("no entry of tls names it" if entries else "there is no tls"),
            fix="add an entry to tls with the host and the Secret of its certificate",
            related=tuple(bare.values()),
        )
    for entry in entries:
        if entry.secret is None:
            yield Finding(
                at=entry.at["secretName"],
                message=f"{', '.join(entry.hosts) or 'this entry'} names no Secret: "
                "the controller answers with a certificate of its own",
                fix="name the Secret that holds the certificate",
            )


RULE = Rule(
    id="ingress-tls-set",
    applies_to=Ingress,
    severity=Severity.WARNING,
    check=check,
    options=IngressTlsSetOptions,
)
