"""Who calls whom, as far as the configuration says: which Services workloads name as hosts, and what Ingresses name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from policy.connectivity.ports import PortRange
from policy.manifests.cluster_dns import Answer, ClusterDns
from policy.manifests.host_mentions import Mention, host_aliases, of_config_map, of_container, variables_by_key
from policy.manifests.index import Index
from policy.manifests.ingresses import backends
from policy.manifests.pod_spec import IntOrString
from policy.manifests.ports import target_port
from policy.manifests.references import of_workload
from policy.manifests.resources import ConfigMap, Ingress, Service
from policy.manifests.workloads import Workload


@dataclass
class Configured:
    """Calls between workloads (by identity) with the ports of the pods; who asks the DNS; what Ingresses lead to.

    ``questions`` are hosts of which the manifests do not tell what they are.
    """

    calls: dict[tuple[int, int], list[PortRange]] = field(default_factory=lambda: defaultdict(list))
    asking: list[int] = field(default_factory=list)
    entered: dict[int, list[PortRange]] = field(default_factory=lambda: defaultdict(list))
    questions: list[str] = field(default_factory=list)


def flows_of_configuration(index: Index) -> Configured:
    """The calls that the environment, the arguments and the ConfigMaps of workloads name."""
    found = Configured()
    dns = ClusterDns(index)
    variables = variables_by_key(index)
    for workload in index.workloads:
        named = list(_mentions(workload, index, variables))
        if named:
            found.asking.append(id(workload))
        for mention in named:
            _add(found, workload, mention, index, dns)
    for ingress in index.all(Ingress):
        for backend in backends(ingress):
            service = index.find(Service, ingress.namespace, backend.service or "")
            if service is not None:
                for target, port in _targets(index, service, backend.port):
                    found.entered[id(target)].append(port)
    return found


def _mentions(
    workload: Workload, index: Index, variables: Mapping[tuple[str, str, str], tuple[str, ...]]
) -> Iterator[Mention]:
    """The hosts that a workload names itself, and those of the ConfigMaps that it reads."""
    aliases = host_aliases(workload)
    for container in workload.containers:
        yield from (one for one in of_container(container, workload) if one.host.labels[0] not in aliases)
    read = {each.name for each in of_workload(workload) if each.kind == "ConfigMap"}
    for name in sorted(read):
        config_map = index.find(ConfigMap, workload.namespace, name)
        if config_map is not None:
            yield from of_config_map(config_map, variables)


def _add(found: Configured, workload: Workload, mention: Mention, index: Index, dns: ClusterDns) -> None:
    host = mention.host
    if not host.sure and not dns.is_near_a_service(host, workload.namespace):
        return
    resolved = dns.resolve(host, workload.namespace)
    if resolved.answer is not Answer.FOUND or not resolved.services:
        found.questions.append(f"{workload.name} names {host.text}, which is in none of these manifests")
    for service in resolved.services:
        if service.spec.type == "ExternalName":
            found.questions.append(f"{workload.name} calls {service.name}, which is {service.spec.external_name}")
        for target, port in _targets(index, service, host.port):
            if target is not workload:
                found.calls[id(workload), id(target)].append(port)


def _targets(index: Index, service: Service, port: IntOrString | None) -> Iterator[tuple[Workload, PortRange]]:
    """The pods behind a Service and the port there that a port of the Service means; every one, where none is named."""
    stated = service.spec.ports or ()
    chosen = [each for each in stated if port in (each.port, each.name)] or list(stated)
    for workload in index.pods_of(service):
        for each in chosen:
            declared = target_port(workload, each.target, each.transport)
            number = declared.container_port if declared else each.target
            if isinstance(number, int):
                yield workload, PortRange(each.transport, number, number)
