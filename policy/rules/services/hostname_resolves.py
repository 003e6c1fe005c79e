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

from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase

import msgspec

from policy.findings import Field, Finding, Severity, Skipped
from policy.manifests.cluster_dns import Answer, ClusterDns
from policy.manifests.hostnames import (
    Host,
    hosts_in_arguments,
    hosts_in_file,
    hosts_in_value,
    port_name,
    substituted,
)
from policy.manifests.index import Index
from policy.manifests.resources import ConfigMap, Service
from policy.manifests.workloads import Container, Workload
from policy.rules.rule import Context, Options, Rule


class HostOptions(Options, frozen=True):
    """Names that exist outside of the manifests, and the cluster's domain."""

    outside: tuple[str, ...] = ()
    cluster_domain: str = "cluster.local"


class _Mention(msgspec.Struct, frozen=True):
    """A host, where it stands, and how the place is called."""

    host: Host
    at: Field
    who: str
    namespace: str


def check(index: Index, context: Context) -> Iterator[Finding | Skipped]:
    options = context.options(HostOptions)
    dns = ClusterDns(index, options.cluster_domain)
    for workload in index.workloads:
        aliases = _host_aliases(workload)
        for container in workload.containers:
            mentions = _of_container(container, workload)
            yield from _judged((one for one in mentions if one.host.labels[0] not in aliases), dns, options)
    names = _variables_by_key(index)
    for config_map in index.all(ConfigMap):
        yield from _judged(_of_config_map(config_map, names), dns, options)
    for service in index.all(Service):
        target = service.spec.external_name
        if service.spec.type == "ExternalName" and target and target.endswith((".svc", f".{options.cluster_domain}")):
            at = service.field("spec", "externalName")
            hosts = hosts_in_value("externalName", target)
            yield from _judged((_Mention(host, at, "externalName", service.namespace) for host in hosts), dns, options)


def _of_container(container: Container, workload: Workload) -> Iterator[_Mention]:
    known = _known_variables(container, workload)
    values = {entry.name: (number, entry.value) for number, entry in enumerate(container.spec.env or ()) if entry.value}
    for name, (number, value) in values.items():
        at = container.field("env", number, "value")
        for host in hosts_in_value(name, substituted(value, known)):
            sibling = values.get(port_name(name) or "")
            if host.port is None and sibling and sibling[1].isdigit():
                beside = Host(f"{host.text}, port {sibling[1]}", host.labels, int(sibling[1]), host.sure)
                yield _Mention(beside, at, f"{name} of {container}", workload.namespace)
            else:
                yield _Mention(host, at, f"{name} of {container}", workload.namespace)
    command = [("command", number, text) for number, text in enumerate(container.spec.command or ())]
    command += [("args", number, text) for number, text in enumerate(container.spec.args or ())]
    for position, host in hosts_in_arguments([substituted(text, known) for _, _, text in command]):
        field, number, _ = command[position]
        yield _Mention(host, container.field(field, number), f"{field} of {container}", workload.namespace)


def _known_variables(container: Container, workload: Workload) -> Mapping[str, str]:
    """What the kubelet fills in for ``$(X)`` and the manifests tell: literal values, and the pod's own namespace."""
    known: dict[str, str] = {}
    spec = container.spec
    texts = [*(spec.command or ()), *(spec.args or ()), *(entry.value or "" for entry in spec.env or ())]
    if not any("$(" in text for text in texts):
        return known
    for entry in spec.env or ():
        field = (entry.value_from.field_ref or {}).get("fieldPath") if entry.value_from else None
        if entry.value is not None:
            known[entry.name] = substituted(entry.value, known)
        elif field == "metadata.namespace" and workload.namespace:
            known[entry.name] = workload.namespace
    return known


def _host_aliases(workload: Workload) -> frozenset[str]:
    """Names that the pod knows from its own /etc/hosts; they stand for themselves, up to the first dot."""
    aliases = workload.pod_raw.get("hostAliases")
    return frozenset(
        str(name).partition(".")[0]
        for alias in (aliases if isinstance(aliases, list) else ())
        if isinstance(alias, Mapping) and isinstance(alias.get("hostnames"), list)
        for name in alias["hostnames"]
    )


def _variables_by_key(index: Index) -> Mapping[tuple[str, str, str], tuple[str, ...]]:
    """The variables that take their value from a key of a ConfigMap: namespace, name and key."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for workload in index.workloads:
        for container in workload.containers:
            for entry in container.spec.env or ():
                source = entry.value_from.config_map_key_ref if entry.value_from else None
                if source:
                    found.setdefault((workload.namespace, source.name, source.key), []).append(entry.name)
    return {key: tuple(dict.fromkeys(names)) for key, names in found.items()}


def _of_config_map(
    config_map: ConfigMap, variables: Mapping[tuple[str, str, str], tuple[str, ...]]
) -> Iterator[_Mention]:
    data = config_map.spec.data or {}
    for key, value in data.items():
        at = config_map.field("data", key)
        if "\n" in value.rstrip():
            for host in hosts_in_file(key, value):
                yield _Mention(host, at, f"line {host.line} of {key}", config_map.namespace)
            continue
        names = (key, *variables.get((config_map.namespace, config_map.name, key), ()))
        for host in dict.fromkeys(host for name in names for host in hosts_in_value(name, value)):
            sibling = data.get(port_name(key) or "", "")
            if host.port is None and sibling.isdigit():
                host = Host(f"{host.text}, port {sibling}", host.labels, int(sibling), host.sure)
            yield _Mention(host, at, key, config_map.namespace)


def _judged(mentions: Iterable[_Mention], dns: ClusterDns, options: HostOptions) -> Iterator[Finding | Skipped]:
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


def _verdict(mention: _Mention, dns: ClusterDns) -> Iterator[Finding | Skipped]:
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
