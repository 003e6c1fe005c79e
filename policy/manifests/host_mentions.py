"""Where manifests name hosts: variables, commands and arguments of containers, and ConfigMaps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from policy.findings import Field
from policy.manifests.hostnames import (
    Host,
    hosts_in_arguments,
    hosts_in_file,
    hosts_in_value,
    port_name,
    substituted,
)
from policy.manifests.index import Index
from policy.manifests.resources import ConfigMap
from policy.manifests.workloads import Container, Workload


class Mention(msgspec.Struct, frozen=True):
    """A host, where it stands, and how the place is called."""

    host: Host
    at: Field
    who: str
    namespace: str


def of_container(container: Container, workload: Workload) -> Iterator[Mention]:
    """The hosts in the variables, the command and the arguments of a container."""
    known = _known_variables(container, workload)
    values = {entry.name: (number, entry.value) for number, entry in enumerate(container.spec.env or ()) if entry.value}
    for name, (number, value) in values.items():
        at = container.field("env", number, "value")
        for host in hosts_in_value(name, substituted(value, known)):
            sibling = values.get(port_name(name) or "")
            if host.port is None and sibling and sibling[1].isdigit():
                beside = Host(f"{host.text}, port {sibling[1]}", host.labels, int(sibling[1]), host.sure)
                yield Mention(beside, at, f"{name} of {container}", workload.namespace)
            else:
                yield Mention(host, at, f"{name} of {container}", workload.namespace)
    command = [("command", number, text) for number, text in enumerate(container.spec.command or ())]
    command += [("args", number, text) for number, text in enumerate(container.spec.args or ())]
    for position, host in hosts_in_arguments(tuple([substituted(text, known) for _, _, text in command])):
        field, number, _ = command[position]
        yield Mention(host, container.field(field, number), f"{field} of {container}", workload.namespace)


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


def host_aliases(workload: Workload) -> frozenset[str]:
    """Names that the pod knows from its own /etc/hosts; they stand for themselves, up to the first dot."""
    aliases = workload.pod_raw.get("hostAliases")
    return frozenset(
        str(name).partition(".")[0]
        for alias in (aliases if isinstance(aliases, list) else ())
        if isinstance(alias, Mapping) and isinstance(alias.get("hostnames"), list)
        for name in alias["hostnames"]
    )


def variables_by_key(index: Index) -> Mapping[tuple[str, str, str], tuple[str, ...]]:
    """The variables that take their value from a key of a ConfigMap: namespace, name and key."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for workload in index.workloads:
        for container in workload.containers:
            for entry in container.spec.env or ():
                source = entry.value_from.config_map_key_ref if entry.value_from else None
                if source:
                    found.setdefault((workload.namespace, source.name, source.key), []).append(entry.name)
    return {key: tuple(dict.fromkeys(names)) for key, names in found.items()}


def of_config_map(
    config_map: ConfigMap, variables: Mapping[tuple[str, str, str], tuple[str, ...]]
) -> Iterator[Mention]:
    """The hosts in a ConfigMap; ``variables`` are those that take their value from a key of it."""
    data = config_map.spec.data or {}
    for key, value in data.items():
        at = config_map.field("data", key)
        if "\n" in value.rstrip():
            for host in hosts_in_file(key, value):
                yield Mention(host, at, f"line {host.line} of {key}", config_map.namespace)
            continue
        names = (key, *variables.get((config_map.namespace, config_map.name, key), ()))
        for host in dict.fromkeys(host for name in names for host in hosts_in_value(name, value)):
            sibling = data.get(port_name(key) or "", "")
            if host.port is None and sibling.isdigit():
                host = Host(f"{host.text}, port {sibling}", host.labels, int(sibling), host.sure)
            yield Mention(host, at, key, config_map.namespace)
