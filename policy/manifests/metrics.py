"""What autoscalers measure against the requests of their pods.

Sources: API references of HorizontalPodAutoscaler v1, v2 and v2beta1 (without any metric it is 80% of the cpu request),
and KEDA's cpu and memory scalers (``metricType: Utilization``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from policy.findings import Field
from policy.manifests.replicas import Autoscaler


class Utilisation(msgspec.Struct, frozen=True):
    """A share of a resource's request that an autoscaler holds: of one container, or (None) of all of a pod's."""

    resource: str
    container: str | None
    at: Field
    """The container's name where one is named, else the metric."""


def utilisations(autoscaler: Autoscaler) -> Iterator[Utilisation]:
    """The metrics of an autoscaler that are shares of requests."""
    spec = _mapping(autoscaler.resource.raw.get("spec"))
    if autoscaler.is_keda:
        yield from _of_triggers(autoscaler, spec)
        return
    metrics = _items(spec.get("metrics"))
    if not metrics:
        name = "targetCPUUtilizationPercentage" if autoscaler.ref.api_version == "autoscaling/v1" else "metrics"
        yield Utilisation("cpu", None, autoscaler.field("spec", name))
    for number, metric in enumerate(metrics):
        for key in ("resource", "containerResource"):
            source = _mapping(metric.get(key))
            target = _mapping(source.get("target"))
            if target.get("averageUtilization") is None and source.get("targetAverageUtilization") is None:
                continue
            at = autoscaler.field("spec", "metrics", number, key)
            if key == "containerResource":
                yield Utilisation(str(source.get("name")), str(source.get("container")), at["container"])
            else:
                yield Utilisation(str(source.get("name")), None, at)


def can_wake(autoscaler: Autoscaler) -> bool:
    """Whether a HorizontalPodAutoscaler measures anything while there is no pod: an Object or External metric."""
    metrics = _items(_mapping(autoscaler.resource.raw.get("spec")).get("metrics"))
    return any(metric.get("type") in ("Object", "External") for metric in metrics)


def _of_triggers(autoscaler: Autoscaler, spec: Mapping[str, Any]) -> Iterator[Utilisation]:
    for number, trigger in enumerate(_items(spec.get("triggers"))):
        metadata = _mapping(trigger.get("metadata"))
        if (
            trigger.get("type") in ("cpu", "memory")
            and (trigger.get("metricType") or metadata.get("type")) == "Utilization"
        ):
            at = autoscaler.field("spec", "triggers", number)
            container = metadata.get("containerName")
            if container:
                yield Utilisation(str(trigger["type"]), str(container), at["metadata"]["containerName"])
            else:
                yield Utilisation(str(trigger["type"]), None, at)


def _items(raw: object) -> list[Mapping[str, Any]]:
    return [item for item in raw if isinstance(item, Mapping)] if isinstance(raw, list) else []


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
