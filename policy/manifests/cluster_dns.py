"""What the cluster's DNS would answer, as far as the manifests tell.

Source: Kubernetes DNS-Based Service Discovery. A pod's search list makes ``svc``, ``svc.ns`` and ``svc.ns.svc``
complete; the pods of a StatefulSet are ``pod-0.svc…`` under its governing Service; a Service of type ExternalName is an
alias.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import cached_property

import msgspec

from policy.manifests.hostnames import HOLE, Host
from policy.manifests.index import Index
from policy.manifests.resources import Service
from policy.manifests.workloads import Workload
from policy.patterns import Pattern

_ORDINAL = Pattern(r"(.+)-([0-9]+)")


class Answer(enum.Enum):
    """Whether a name resolves."""

    FOUND = "there is such a Service"
    WRONG = "there cannot be such a name"
    UNKNOWN = "it is in a namespace that is not in the input"
    OUTSIDE = "it is no name of the cluster, or nobody can tell"


class Resolution(msgspec.Struct, frozen=True):
    """The answer for a name: the Services that it may mean, or what is wrong with it and what may be meant."""

    answer: Answer
    services: tuple[Service, ...] = ()
    reason: str = ""
    suggestion: str | None = None
    is_pod: bool = False


_OUTSIDE = Resolution(Answer.OUTSIDE)


class ClusterDns:
    """Resolves names against the Services of an input."""

    def __init__(self, index: Index, domain: str = "cluster.local") -> None:
        self._index = index
        self._domain = tuple(domain.split("."))
        self._namespaces = {resource.ref.namespace for resource in index.resources}
        self._namespaces |= {resource.ref.name for resource in index.resources if resource.ref.kind == "Namespace"}

    def resolve(self, host: Host, namespace: str) -> Resolution:
        """What the name means to a pod of that namespace."""
        labels = host.labels
        if "svc" in labels[1:]:
            return self._complete(labels, labels.index("svc", 1), namespace)
        has_hole = any(HOLE in label for label in labels)
        if len(labels) == 1:
            found = self._service(labels[0], namespace, namespace)
            return _OUTSIDE if has_hole and found.answer is Answer.WRONG else found
        if len(labels) > 3:
            return _OUTSIDE
        found = self._short(labels, namespace)
        return _OUTSIDE if has_hole and found.answer is not Answer.FOUND else found

    def is_near_a_service(self, host: Host, namespace: str) -> bool:
        """Whether a name is that of a Service, or one misspelt."""
        known = [service.name for service in self._index.in_namespace(Service, namespace)]
        return host.labels[0] in known or _nearest(host.labels[0], known, cutoff=0.8) is not None

    def wrong_port(self, resolution: Resolution, port: int) -> str | None:
        """Why nothing of what was found serves that port; None where something does, or may."""
        services = resolution.services
        if not services or any(service.spec.type == "ExternalName" or not service.spec.ports for service in services):
            return None
        if any(port in self._served(service, is_pod=resolution.is_pod) for service in services):
            return None
        served = ", ".join(
            f"{item.port} ({item.name})" if item.name else str(item.port) for item in services[0].spec.ports or ()
        )
        return f"{services[0].ref} serves {served}"

    def _served(self, service: Service, *, is_pod: bool) -> Iterator[int]:
        yield from (port.port for port in service.spec.ports or ())
        if is_pod or service.spec.cluster_ip == "None":  # the name is that of the pods themselves
            yield from (port.target for port in service.spec.ports or () if isinstance(port.target, int))
            if service.spec.selector:
                for workload in self._index.selected(service.namespace, service.spec.selector):
                    for container in workload.containers:
                        yield from (port.container_port for port in container.spec.ports or ())

    def _complete(self, labels: Sequence[str], svc: int, namespace: str) -> Resolution:
        before, after = labels[:svc], tuple(labels[svc + 1 :])
        if (after and after != self._domain and not any(HOLE in label for label in after)) or svc > 3:
            return _OUTSIDE
        if len(before) == 1:
            if HOLE in before[0]:
                return _OUTSIDE
            suggestion = before[0] if self._matching(before[0], namespace) else None
            return Resolution(Answer.WRONG, reason="it lacks the namespace before .svc", suggestion=suggestion)
        *pod, service, home = before
        best = self._in_namespace(service, home, namespace)
        return self._pod(pod[0], best) if pod else best

    def _short(self, labels: Sequence[str], namespace: str) -> Resolution:
        """``svc.ns``, ``pod.svc`` or ``pod.svc.ns``."""
        if labels[-1] in self._namespaces and labels[-1]:
            found = self._in_namespace(labels[-2], labels[-1], namespace)
            return self._pod(labels[0], found) if len(labels) == 3 else found
        if HOLE in labels[-1]:
            return self._in_namespace(labels[-2], labels[-1], namespace)
        if len(labels) == 3:
            return _OUTSIDE
        governing = self._service(labels[1], namespace, namespace)
        if governing.answer is Answer.FOUND:
            return self._pod(labels[0], governing)
        if self._service(labels[0], namespace, namespace).answer is Answer.FOUND and not _is_public(labels[1]):
            return self._in_namespace(labels[0], labels[1], namespace)
        return _OUTSIDE

    def _in_namespace(self, service: str, home: str, own: str) -> Resolution:
        if (service, home) == ("kubernetes", "default"):
            return Resolution(Answer.FOUND)
        if HOLE in home:
            ordered = [own, *sorted(self._namespaces - {own})]
            candidates = [one for one in ordered if fnmatchcase(one, home)] or ordered
            found = [self._service(service, one, own) for one in candidates]
            return next((one for one in found if one.answer is Answer.FOUND), found[0])
        if home in self._namespaces:
            return self._service(service, home, own)
        if self._namespaces <= {""}:
            return Resolution(Answer.UNKNOWN, reason="these manifests name no namespace")
        elsewhere = [one for one in [own, *sorted(self._namespaces - {own})] if self._matching(service, one)]
        if elsewhere and HOLE not in service:
            place = "the pod's own" if elsewhere[0] == own else elsewhere[0]
            reason = f"namespace {home} is not in this overlay, {service} is in {place}"
            return Resolution(Answer.WRONG, reason=reason, suggestion=service if elsewhere[0] == own else None)
        return Resolution(Answer.UNKNOWN, reason=f"namespace {home} is not in this overlay")

    def _service(self, pattern: str, namespace: str, own: str) -> Resolution:
        found = self._matching(pattern, namespace)
        if found:
            return Resolution(Answer.FOUND, found)
        known = [service.name for service in self._index.in_namespace(Service, namespace)]
        where = f" in namespace {namespace}" if namespace != own else ""
        return Resolution(
            Answer.WRONG,
            reason=f"there is no Service {pattern}{where}",
            suggestion=_nearest(pattern, known, cutoff=0.6),
        )

    def _matching(self, pattern: str, namespace: str) -> tuple[Service, ...]:
        if HOLE not in pattern:
            service = self._index.find(Service, namespace, pattern)
            return (service,) if service else ()
        services = self._index.in_namespace(Service, namespace)
        return tuple(service for service in services if fnmatchcase(service.name, pattern))

    def _pod(self, pod: str, governing: Resolution) -> Resolution:
        """A pod under its governing Service."""
        if governing.answer is not Answer.FOUND or not governing.services or HOLE in pod:
            return Resolution(governing.answer, governing.services, governing.reason, governing.suggestion, True)
        reasons = []
        for service in governing.services:
            reason = self._lacks_pod(service, pod)
            if reason is None:
                return Resolution(Answer.FOUND, (service,), is_pod=True)
            reasons.append(reason)
        return Resolution(Answer.WRONG, reason=reasons[0])

    def _lacks_pod(self, service: Service, pod: str) -> str | None:
        if (service.namespace, service.name, pod) in self._named_pods:
            return None
        match = _ORDINAL.fullmatch(pod)
        workload = self._stateful_sets.get((service.namespace, match[1])) if match else None
        if match is None or workload is None:
            return f"{service.ref} has no pod {pod}"
        if workload.spec.service_name != service.name:
            return f"the serviceName of {workload.ref} is {workload.spec.service_name}, not {service.name}"
        first, count = self._ordinals(workload)
        if first <= int(match[2]) < first + count:
            return None
        return f"the pods of {workload.ref} are {workload.name}-{first} to {workload.name}-{first + count - 1}"

    @cached_property
    def _stateful_sets(self) -> Mapping[tuple[str, str], Workload]:
        return {(item.namespace, item.name): item for item in self._index.workloads if item.kind == "StatefulSet"}

    @cached_property
    def _named_pods(self) -> frozenset[tuple[str, str, str]]:
        """Pods that state their name under a Service: namespace, ``subdomain`` and ``hostname``."""
        return frozenset(
            (item.namespace, item.pod_raw["subdomain"], item.pod_raw["hostname"])
            for item in self._index.workloads
            if isinstance(item.pod_raw.get("subdomain"), str) and isinstance(item.pod_raw.get("hostname"), str)
        )

    def _ordinals(self, workload: Workload) -> tuple[int, int]:
        """The first ordinal, and how many pods there may be."""
        ordinals = (workload.resource.raw.get("spec") or {}).get("ordinals") or {}
        replicas = self._index.replicas_of(workload)
        return ordinals.get("start", 0), replicas.ceiling if replicas else 1


def _nearest(name: str, known: Sequence[str], *, cutoff: float) -> str | None:
    import difflib  # only names that are not found need it

    return next(iter(difflib.get_close_matches(name, known, n=1, cutoff=cutoff)), None)


_COMMON_TLDS = frozenset(
    {"com", "org", "net", "io", "dev", "app", "cloud", "ai", "local", "internal", "lan", "home", "corp", "test"}
    | {"example", "invalid", "localhost", "info", "biz", "edu", "gov", "mil", "int", "arpa", "xyz", "tech", "online"}
    | {"shop", "store", "site", "page", "run", "sh", "co", "me", "tv", "onion"}
)


def _is_public(label: str) -> bool:
    """Whether a last label may be that of a public or private domain; country codes have two letters."""
    return label in _COMMON_TLDS or (len(label) == 2 and label.isalpha())
