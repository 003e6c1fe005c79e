"""The sum that a quota's key comes to at the peak of its namespace, line by line."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from msgspec.structs import replace

from policy.capacity.charges import (
    COMPUTE,
    SERVICE_KEYS,
    STORAGE_CLASS_SUFFIX,
    claim_charges,
    is_claim_key,
    is_pod_key,
    pod_charges,
    service_charges,
)
from policy.capacity.counts import counted, counted_kind, is_made_by_controllers
from policy.capacity.peak import Peak, peak_of
from policy.capacity.scopes import is_charged, is_scoped, unknown_scope
from policy.manifests.claims import Claim, claim_of, claims_per_pod
from policy.manifests.index import Index
from policy.manifests.quantities import NANO, format_quantity
from policy.manifests.requirements import Amounts, Unreadable
from policy.manifests.resources import PersistentVolumeClaim, ResourceQuota, Service


class Line(msgspec.Struct, frozen=True):
    """One summand: so many times so much; amounts are in nano-units."""

    name: str
    times: int
    each: int
    note: str = ""
    peak: Peak | None = None

    @property
    def amount(self) -> int:
        return self.times * self.each

    def text(self, key: str) -> str:
        """``product-service 50 × 200m = 10 (autoscaler's maximum)``."""
        note = f" ({self.note})" if self.note else ""
        if _counts(key) and (self.each == NANO or self.times == 1):
            return f"{self.name} {self.amount // NANO}{note}"
        amount = format_quantity(self.amount, key)
        return f"{self.name} {self.times} × {format_quantity(self.each, key)} = {amount}{note}"


class Demand(msgspec.Struct, frozen=True):
    """What one key of one quota comes to, and why it may come to more."""

    key: str
    lines: tuple[Line, ...]
    gaps: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        return sum(line.amount for line in self.lines)

    def table(self) -> list[str]:
        """The lines and their sum, as text."""
        return [*(line.text(self.key) for line in self.lines), f"total {format_quantity(self.total, self.key)}"]


class _Charged(msgspec.Struct, frozen=True):
    """A workload at its peak with what is charged for each of its pods."""

    peak: Peak
    charges: Amounts
    unreadable: tuple[Unreadable, ...]
    claims: tuple[Claim, ...]

    def gaps(self, key: str) -> Iterator[str]:
        """Why its pods may come to more under a key than is counted."""
        ref = self.peak.workload.ref
        if self.peak.gap and self.charges.get(key):
            yield self.peak.gap
        for entry in self.unreadable:
            if key.endswith(str(entry.field.path[-1])):
                yield f"{ref}: {entry.text!r} is not a quantity"
        for claim in self.claims:
            if claim.storage_class is None and STORAGE_CLASS_SUFFIX in key:
                yield f"{ref} leaves the class of its claim {claim.name} to the cluster's default"


class NamespacePeak:
    """One namespace at its peak."""

    def __init__(self, namespace: str, index: Index, nodes: int | None = None) -> None:
        self.namespace = namespace
        self._index = index
        self._workloads = tuple(
            self._charged(peak_of(workload, index, nodes)) for workload in index.workloads_in(namespace)
        )

    def _charged(self, peak: Peak) -> _Charged:
        workload = peak.workload
        requirements = self._index.requirements_of(workload)
        claims = tuple(claims_per_pod(workload))
        charges = {**pod_charges(requirements), **claim_charges(claims)}
        return _Charged(peak, charges, requirements.unreadable, claims)

    def demand(self, quota: ResourceQuota, key: str, instead: Peak | None = None) -> Demand:
        """The sum for one key of a quota; ``instead`` is taken for the peak of its workload."""
        if is_scoped(quota) and not is_pod_key(key):
            return Demand(key, (), (f"a quota with scopes does not count {key}",))
        unknown = unknown_scope(quota)
        if unknown:
            return Demand(key, (), (f"scope {unknown} is not known",))
        if is_pod_key(key) or is_claim_key(key):
            return self._of_workloads(quota, key, instead)
        if key in SERVICE_KEYS:
            services = self._index.in_namespace(Service, self.namespace)
            lines = (_object_line(item.name, key, service_charges(item)) for item in services)
            return Demand(key, tuple(line for line in lines if line.amount))
        kind = counted_kind(key)
        if kind is None:
            return Demand(key, (), (f"what {key} counts is not known",))
        gaps = ("controllers make these objects",) if is_made_by_controllers(kind) else ()
        found = counted(kind, self._index.resources_in(self.namespace), self._index.workloads_in(self.namespace))
        return Demand(key, tuple(Line(item.name, item.times, NANO, item.note) for item in found), gaps)

    def _of_workloads(self, quota: ResourceQuota, key: str, instead: Peak | None) -> Demand:
        lines: list[Line] = []
        jobs: list[Line] = []
        surges: list[Line] = []
        gaps: list[str] = []
        for item in self._workloads:
            peak = instead if instead and instead.workload is item.peak.workload else item.peak
            if not is_charged(quota, peak.workload, self._index.requirements_of(peak.workload), self._index):
                continue
            gaps += item.gaps(key)
            each = item.charges.get(key, 0)
            name = peak.workload.name
            times = peak.pods + (peak.kept if key == "count/pods" else 0)
            line = Line(name, times, each, peak.note, peak)
            (jobs if peak.workload.is_finite else lines).append(line)
            surges.append(Line(name, peak.surge, each, "surge of its rollout", peak))
        if is_claim_key(key):
            for claim_object in self._index.in_namespace(PersistentVolumeClaim, self.namespace):
                claim = claim_of(claim_object)
                lines.append(_object_line(claim.name, key, claim_charges((claim,))))
                if claim.storage_class is None and STORAGE_CLASS_SUFFIX in key:
                    gaps.append(f"{claim_object.ref} leaves its class to the cluster's default")
        largest = max(surges, key=lambda line: line.amount, default=None)
        ordered = sorted(lines, key=lambda line: -line.amount)
        ordered += [largest] if largest else []
        ordered += sorted(jobs, key=lambda line: -line.amount)
        return Demand(key, tuple(line for line in ordered if line.amount), tuple(dict.fromkeys(gaps)))


def without_namesakes(demand: Demand) -> Demand:
    """Names the kind where two workloads of the table have one name."""
    kinds: dict[str, set[str]] = {}
    for line in demand.lines:
        if line.peak:
            kinds.setdefault(line.name, set()).add(line.peak.workload.kind)
    return replace(
        demand,
        lines=tuple(
            replace(line, name=str(line.peak.workload.ref)) if line.peak and len(kinds[line.name]) > 1 else line
            for line in demand.lines
        ),
    )


def _object_line(name: str, key: str, charges: Amounts) -> Line:
    return Line(name, 1, charges.get(key, 0))


def _counts(key: str) -> bool:
    """Whether the key counts things and measures nothing, so that ``× 1`` says nothing."""
    last = key.rpartition("/")[2].removeprefix("requests.").removeprefix("limits.")
    return last not in (*COMPUTE, "storage") and not last.startswith("hugepages-")
