"""Which field would have to be edited where a namespace's peak does not fit its quota."""

from __future__ import annotations

import msgspec

from policy.capacity.namespace import Demand, NamespacePeak
from policy.capacity.peak import Peak, autoscaled
from policy.findings import Field
from policy.manifests.replicas import Autoscaler
from policy.manifests.resources import ResourceQuota


class Overrun(msgspec.Struct, frozen=True):
    """A key of a quota that the peak does not fit; ``hard`` is in nano-units."""

    quota: ResourceQuota
    key: str
    hard: int
    demand: Demand

    @property
    def quota_field(self) -> Field:
        return self.quota.field("spec", "hard", self.key)


class Cause(msgspec.Struct, frozen=True):
    """The field to edit; for an autoscaler's maximum, the highest one with which the peak fits."""

    at: Field
    autoscaler: Autoscaler | None = None
    highest: int | None = None


def cause(overrun: Overrun, namespace: NamespacePeak) -> Cause:
    """The autoscaler's maximum, if its workload weighs most and a lower one would fit; else the quota's own entry."""
    heaviest = _heaviest(overrun.demand)
    if heaviest is not None and heaviest.autoscaler is not None:
        highest = _highest_fitting(overrun, namespace, heaviest, heaviest.autoscaler)
        if highest is not None:
            return Cause(heaviest.autoscaler.maximum_field, heaviest.autoscaler, highest)
    return Cause(overrun.quota_field)


def _heaviest(demand: Demand) -> Peak | None:
    """The workload that weighs most, with its surge; None where another object does."""
    weights: dict[int, int] = {}
    peaks: dict[int, Peak | None] = {}
    for number, line in enumerate(demand.lines):
        key = -number - 1 if line.peak is None else id(line.peak.workload)
        weights[key] = weights.get(key, 0) + line.amount
        peaks[key] = line.peak
    return peaks[max(weights, key=lambda key: weights[key])] if weights else None


def _highest_fitting(overrun: Overrun, namespace: NamespacePeak, peak: Peak, autoscaler: Autoscaler) -> int | None:
    """By bisection: a higher maximum never needs less."""

    def fits(maximum: int) -> bool:
        instead = autoscaled(peak.workload, autoscaler, maximum)
        return namespace.demand(overrun.quota, overrun.key, instead).total <= overrun.hard

    low, high = max(1, autoscaler.minimum), peak.pods
    if low >= high or not fits(low):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low
