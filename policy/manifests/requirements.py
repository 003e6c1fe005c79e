"""What the containers of a pod request and are limited to, after everything that fills in a value has done so.

The order is the API server's (``SetDefaults_Pod``, ``SetDefaults_LimitRangeItem``, admission plugin LimitRanger):

1. a container's limit becomes its request where it states none;
2. with pod-level limits (KEP-2837), a pod-level request that is absent becomes what the containers request together,
   or the pod-level limit where none of them requests that resource;
3. a LimitRange's defaults fill what a container still lacks. In an item of type Container, ``max`` is the default
   limit where none is given, and the default request is the default limit, or else ``min``.

Where several LimitRanges give a default, the first in the stream counts; the API server promises no order. A value
that is no quantity, or is negative, is kept apart: the API server refuses it, so it is neither set nor absent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property

import msgspec

from policy.findings import Field
from policy.manifests.pod_spec import Quantity, ResourceRequirements
from policy.manifests.quantities import parse_quantity
from policy.manifests.resources import LimitRange, LimitRangeItem
from policy.manifests.workloads import Container, Role, Workload

Amounts = Mapping[str, int]
"""Resource name to amount in nano-units."""

POD_LEVEL_RESOURCES = ("cpu", "memory")
"""The resources that may be given for a pod as a whole, besides huge pages (KEP-2837)."""


class Amount(msgspec.Struct, frozen=True):
    """An amount in nano-units, and the field that gives it: the container's own, or a LimitRange's."""

    value: int
    given_by: Field


class Unreadable(msgspec.Struct, frozen=True):
    """A value that is no quantity, or a negative one."""

    field: Field
    text: str


class Requirements(msgspec.Struct, frozen=True):
    """Requests and limits by resource name."""

    requests: Mapping[str, Amount]
    limits: Mapping[str, Amount]
    unreadable: tuple[Unreadable, ...] = ()

    def named(self, side: str) -> Mapping[str, Amount]:
        """``requests`` or ``limits`` by name."""
        return self.requests if side == "requests" else self.limits

    def is_unreadable(self, side: str, resource: str) -> bool:
        """Whether that request or limit is written, but as something that is no quantity."""
        return any(entry.field.path[-2:] == (side, resource) for entry in self.unreadable)


class ContainerRequirements(msgspec.Struct, frozen=True):
    """A container with its effective requests and limits."""

    container: Container
    effective: Requirements


class PodRequirements(msgspec.Struct, frozen=True, dict=True):
    """The effective requirements of a workload's pods; ephemeral containers have none and are left out."""

    containers: tuple[ContainerRequirements, ...]
    pod_level: Requirements | None
    overhead: Amounts

    @cached_property
    def requests(self) -> Amounts:
        """What one pod requests: as scheduler, LimitRange and quota count it, without overhead."""
        return self._total("requests")

    @cached_property
    def limits(self) -> Amounts:
        """What one pod is limited to, without overhead."""
        return self._total("limits")

    @cached_property
    def charged_requests(self) -> Amounts:
        """The requests with the pod overhead: what a quota is charged."""
        charged = dict(self.requests)
        for resource, value in self.overhead.items():
            charged[resource] = charged.get(resource, 0) + value
        return charged

    @cached_property
    def charged_limits(self) -> Amounts:
        """The limits with the pod overhead, which is added only where there is a limit."""
        return {resource: value + self.overhead.get(resource, 0) for resource, value in self.limits.items()}

    @property
    def unreadable(self) -> tuple[Unreadable, ...]:
        pod = self.pod_level.unreadable if self.pod_level else ()
        return pod + tuple(entry for item in self.containers for entry in item.effective.unreadable)

    def without(self, side: str, resource: str, *, own: bool = False) -> Iterator[ContainerRequirements]:
        """The containers that have no such request or limit above zero: no own, no default, none for the whole pod.

        With ``own`` a default does not count. Left out are those where it is written but unreadable.
        """
        told = self.pod_level and self.pod_level.named(side).get(resource)
        if told and told.value > 0:
            return
        for item in self.containers:
            amount = item.effective.named(side).get(resource)
            if own and amount and amount.given_by != item.container.field("resources", side, resource):
                amount = None
            if (amount is None or amount.value == 0) and not item.effective.is_unreadable(side, resource):
                yield item

    @property
    def is_best_effort(self) -> bool:
        """The quality of service class BestEffort: no request or limit for cpu or memory above zero."""
        told = (self.pod_level,) if self.pod_level else tuple(item.effective for item in self.containers)
        return not any(
            resource in POD_LEVEL_RESOURCES and amount.value > 0
            for effective in told
            for side in (effective.requests, effective.limits)
            for resource, amount in side.items()
        )

    def of_containers(self, side: str) -> dict[str, int]:
        """What the containers of one pod need together, whatever is said for the pod as a whole."""
        return _aggregate((item.container.role, item.effective.named(side)) for item in self.containers)

    def _total(self, side: str) -> Amounts:
        total = self.of_containers(side)
        if self.pod_level:
            total.update({resource: amount.value for resource, amount in self.pod_level.named(side).items()})
        return total


class Defaults(msgspec.Struct, frozen=True):
    """What the LimitRanges of a namespace fill in."""

    requests: Mapping[str, Amount]
    limits: Mapping[str, Amount]


def pod_requirements(workload: Workload, defaults: Defaults) -> PodRequirements:
    """The effective requirements of a workload's pods, with the defaults of its namespace."""
    own = [
        (container, _own(container.spec.resources, container.field("resources")))
        for container in workload.containers
        if container.role is not Role.EPHEMERAL
    ]
    return PodRequirements(
        containers=tuple(
            ContainerRequirements(container, _filled(requirements, defaults)) for container, requirements in own
        ),
        pod_level=_pod_level(workload, [(container.role, stated.requests) for container, stated in own]),
        overhead=amounts_of(workload.pod.overhead),
    )


def read_quantity(text: Quantity | None) -> int | None:
    """The amount in nano-units; None where there is no quantity, or a negative one."""
    if text is None:
        return None
    try:
        value = parse_quantity(text)
    except ValueError:
        return None
    return value if value >= 0 else None


def amounts_of(written: Mapping[str, Quantity] | None) -> Amounts:
    """The readable quantities of a resource list."""
    return {name: value for name, text in (written or {}).items() if (value := read_quantity(text)) is not None}


def can_be_overcommitted(resource: str) -> bool:
    """Whether a limit may be above its request: not for huge pages, nor for extended resources (``domain/name``)."""
    is_native = "/" not in resource or "kubernetes.io/" in resource
    return is_native and not resource.startswith("hugepages-")


def is_pod_level_resource(resource: str) -> bool:
    return resource in POD_LEVEL_RESOURCES or resource.startswith("hugepages-")


def _own(written: ResourceRequirements | None, at: Field) -> Requirements:
    """What is written in a ``resources`` field, with the limit as request where that is absent."""
    if written is None:
        return Requirements({}, {})
    requests, unreadable = _read(written.requests, at["requests"])
    limits, unreadable_limits = _read(written.limits, at["limits"])
    unreadable += unreadable_limits
    for resource, amount in limits.items():
        if resource not in (written.requests or {}):
            requests[resource] = amount
    return Requirements(requests, limits, tuple(unreadable))


def _read(written: Mapping[str, Quantity] | None, at: Field) -> tuple[dict[str, Amount], list[Unreadable]]:
    amounts: dict[str, Amount] = {}
    unreadable: list[Unreadable] = []
    for resource, text in (written or {}).items():
        value = read_quantity(text)
        if value is None:
            unreadable.append(Unreadable(at[resource], str(text)))
        else:
            amounts[resource] = Amount(value, at[resource])
    return amounts, unreadable


def _filled(own: Requirements, defaults: Defaults) -> Requirements:
    requests, limits = defaults.requests, defaults.limits
    if not requests and not limits:
        return own
    written = {entry.field.path[-2:] for entry in own.unreadable}
    return Requirements(
        {**{name: amount for name, amount in requests.items() if ("requests", name) not in written}, **own.requests},
        {**{name: amount for name, amount in limits.items() if ("limits", name) not in written}, **own.limits},
        own.unreadable,
    )


def defaults_of(limit_ranges: Iterable[LimitRange]) -> Defaults:
    """The defaults of the LimitRanges of one namespace."""
    requests: dict[str, Amount] = {}
    limits: dict[str, Amount] = {}
    for limit_range in limit_ranges:
        range_requests: dict[str, Amount] = {}
        range_limits: dict[str, Amount] = {}
        for index, item in enumerate(limit_range.spec.limits or ()):
            if item.type == "Container":
                item_requests, item_limits = _item_defaults(item, limit_range.field("spec", "limits", index))
                range_requests.update(item_requests)
                range_limits.update(item_limits)
        requests = {**range_requests, **requests}
        limits = {**range_limits, **limits}
    return Defaults(requests, limits)


def _item_defaults(item: LimitRangeItem, at: Field) -> tuple[dict[str, Amount], dict[str, Amount]]:
    minimum, _ = _read(item.min, at["min"])
    maximum, _ = _read(item.max, at["max"])
    default, _ = _read(item.default, at["default"])
    request, _ = _read(item.default_request, at["defaultRequest"])
    limits = {**maximum, **default}
    return {**minimum, **limits, **request}, limits


def _pod_level(workload: Workload, containers: Iterable[tuple[Role, Mapping[str, Amount]]]) -> Requirements | None:
    written = workload.pod.resources
    if written is None or not (written.requests or written.limits):
        return None
    at = workload.pod_field("resources")
    requests, unreadable = _read(written.requests, at["requests"])
    limits, unreadable_limits = _read(written.limits, at["limits"])
    if limits:
        together = _aggregate(containers)
        for resource, value in together.items():
            if resource in POD_LEVEL_RESOURCES and resource not in (written.requests or {}):
                requests[resource] = Amount(value, at["requests"][resource])
        for resource, amount in limits.items():
            if is_pod_level_resource(resource) and resource not in (written.requests or {}):
                requests.setdefault(resource, amount)
    return Requirements(requests, limits, tuple(unreadable + unreadable_limits))


def _aggregate(containers: Iterable[tuple[Role, Mapping[str, Amount]]]) -> dict[str, int]:
    """What a pod needs of each resource (KEP-753): more than its main containers and sidecars together, while starting.

    Init containers run one after another, each beside the sidecars that were started before it.
    """
    running: dict[str, int] = {}
    sidecars: dict[str, int] = {}
    starting: dict[str, int] = {}
    for role, amounts in containers:
        if role is Role.INIT:
            for resource, value in _added(sidecars, amounts):
                starting[resource] = max(starting.get(resource, 0), value)
            continue
        running.update(_added(running, amounts))
        if role is Role.SIDECAR:
            sidecars.update(_added(sidecars, amounts))
    return {resource: max(running.get(resource, 0), starting.get(resource, 0)) for resource in {**running, **starting}}


def _added(total: Mapping[str, int], amounts: Mapping[str, Amount]) -> Iterator[tuple[str, int]]:
    """The resources of ``amounts``, each added to its total."""
    for resource, amount in amounts.items():
        yield resource, total.get(resource, 0) + amount.value
