"""Every host of the cluster that a manifest names is a Service, with that port, of this overlay.

Why: a misspelt host shows when the first request fails. A complete name with another environment's namespace is worse:
it works, and production reads staging's database.

Fix: name a Service of this overlay and a port that it serves. Prefer the short name (`redis`, not
`redis.shop.svc.cluster.local`): it stays right when an overlay changes the namespace.

Bad:

```yaml
env:
  - name: REDIS_HOST
    value: redis.shop-dev.svc.cluster.local
```

Good:

```yaml
env:
  - name: REDIS_HOST
    value: redis
```

Looked into are values of environment variables, commands and arguments, ConfigMaps (also as the variables that they
become) and the target of a Service of type ExternalName. A word counts as a host only where its surroundings say so: in
the authority of a URL, before a common port (`redis:6379`), by its ending `.svc`, in a variable, flag or key such as
`DB_HOST`, `--redis-addr` or `CART_SERVICE_ADDR`, in a connection string, in commands such as `nc` and `pg_isready`, and
in configurations of nginx (`proxy_pass`, the servers of an `upstream`), HAProxy and Redis. The port may stand in the
variable beside it (`DB_HOST`, `DB_PORT`). Variables within a name match whatever there is.

`svc`, `svc.ns`, `svc.ns.svc`, the complete name and the pods of a StatefulSet (`redis-0.redis`) are understood. Names
of other domains are not judged. Names in a namespace that the overlay does not have are reported as not checked, unless
a Service of that name is here: then it is taken for another environment's. `outside` under `[rules.hostname-resolves]`
in policy.toml lists what exists elsewhere, with `*` for any part, e.g. `outside = ["*.monitoring.svc"]`;
`cluster-domain` is `cluster.local` by default.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase

from policy.findings import Finding, Severity, Skipped
from policy.manifests.cluster_dns import Answer, ClusterDns
from policy.manifests.host_mentions import (
    Mention,
    host_aliases,
    of_config_map,
    of_container,
    variables_by_key,
)
from policy.manifests.hostnames import hosts_in_value
from policy.manifests.index import Index
from policy.manifests.resources import ConfigMap, Service
from policy.rules.rule import Context, Options, Rule


class HostOptions(Options, frozen=True):
    """Names that exist outside of the manifests, and the cluster's domain."""

    outside: tuple[str, ...] = ()
    cluster_domain: str = "cluster.local"


def check(index: Index, context: Context) -> Iterator[Finding | Skipped]:
    options = context.options(HostOptions)
    dns = ClusterDns(index, options.cluster_domain)
    for workload in index.workloads:
        aliases = host_aliases(workload)
        for container in workload.containers:
            mentions = of_container(container, workload)
            yield from _judged((one for one in mentions if one.host.labels[0] not in aliases), dns, options)
    names = variables_by_key(index)
    for config_map in index.all(ConfigMap):
        yield from _judged(of_config_map(config_map, names), dns, options)
    for service in index.all(Service):
        target = service.spec.external_name
        if service.spec.type == "ExternalName" and target and target.endswith((".svc", f".{options.cluster_domain}")):
            at = service.field("spec", "externalName")
            hosts = hosts_in_value("externalName", target)
            yield from _judged((Mention(host, at, "externalName", service.namespace) for host in hosts), dns, options)


def _judged(mentions: Iterable[Mention], dns: ClusterDns, options: HostOptions) -> Iterator[Finding | Skipped]:
    said = set()
    for mention in mentions:
        host = mention.host
        if (mention.at, host.labels, host.port) in said:
            continue
        said.add((mention.at, host.labels, host.port))
        if any(fnmatchcase(".".join(host.labels), pattern) for pattern in options.outside):
            continue
        if host.sure or dns.is_near_a_service(host, mention.namespace):
            yield from _verdict(mention, dns)


def _verdict(mention: Mention, dns: ClusterDns) -> Iterator[Finding | Skipped]:
    host = mention.host
    found = dns.resolve(host, mention.namespace)
    if found.answer is Answer.UNKNOWN:
        yield Skipped(mention.at, f"{mention.who} names {host.text}: {found.reason}")
    elif found.answer is Answer.WRONG:
        near = f"; did you mean {found.suggestion}?" if found.suggestion else ""
        yield Finding(
            at=mention.at,
            message=f"{mention.who} names {host.text}: {found.reason}{near}",
            fix=f"write {found.suggestion}" if found.suggestion else "name a Service of this overlay",
        )
    elif found.answer is Answer.FOUND and host.port is not None:
        serves = dns.wrong_port(found, host.port)
        if serves:
            implied = f" (port {host.port}, which {host.implied_by} implies)" if host.implied_by else ""
            yield Finding(
                at=mention.at,
                message=f"{mention.who} names {host.text}{implied}: {serves}",
                fix="name a port that the Service serves",
                related=tuple(service.field("spec", "ports") for service in found.services),
            )


RULE = Rule(id="hostname-resolves", applies_to=Index, severity=Severity.ERROR, check=check, options=HostOptions)
