"""What a PodDisruptionBudget leaves to a drain while its pods are as few as they may be.

Source: the disruption controller (``getExpectedPodCount``, ``getExpectedScale``, ``updatePdbStatus``). Percentages are
of the ``spec.replicas`` of the pods' controllers together, and are rounded up. An eviction needs more healthy pods than
the budget keeps, so equality blocks. A budget with a percentage or with maxUnavailable needs controllers that have a
scale: over the pods of a Job it cannot be computed and allows nothing, and bare pods count for none.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from policy.findings import Field
from policy.manifests.index import Index
from policy.manifests.int_or_percent import scaled
from policy.manifests.pod_spec import IntOrString
from policy.manifests.replicas import Replicas
from policy.manifests.resources import PodDisruptionBudget
from policy.manifests.workloads import Workload

_ANY = 10**9
"""More pods than anybody has."""


class Room(msgspec.Struct, frozen=True):
    """A budget's arithmetic at the floor: ``allowed`` of ``pods`` may be evicted while ``kept`` must stay.

    ``replicas`` are those of the workloads that have them. ``without_scale`` are workloads that the budget cannot be
    computed over; then it allows nothing.
    """

    budget: PodDisruptionBudget
    workloads: tuple[Workload, ...]
    replicas: tuple[Replicas, ...]
    pods: int
    kept: int
    without_scale: tuple[Workload, ...] = ()

    @property
    def allowed(self) -> int:
        if self.without_scale or self.pods <= 0:
            return 0
        return max(0, self.pods - self.kept)


def budget_field(budget: PodDisruptionBudget) -> Field:
    """The field that holds a budget's number; the one where it belongs where neither is set."""
    return budget.field("spec", "minAvailable" if _minimum(budget) is not None else "maxUnavailable")


def _minimum(budget: PodDisruptionBudget) -> IntOrString | None:
    """minAvailable, where it counts: the controller looks at maxUnavailable first."""
    return budget.spec.min_available if budget.spec.max_unavailable is None else None


def number(budget: PodDisruptionBudget) -> IntOrString | None:
    """What a budget says, by whichever of its two fields counts; None where neither is set."""
    return _minimum(budget) if budget.spec.max_unavailable is None else budget.spec.max_unavailable


def never_allows(budget: PodDisruptionBudget) -> bool:
    """Whether a budget lets no pod go, however many there are: maxUnavailable 0, minAvailable 100%, or no number."""
    return _kept(budget, _ANY) >= _ANY


def room(budget: PodDisruptionBudget, workloads: Sequence[Workload], index: Index) -> Room:
    """What the budget allows of these workloads' pods, which are those it selects.

    Only pods of workloads with replicas and bare pods are counted: a drain does not evict the pods of a DaemonSet, and
    how many pods a Job has changes by itself.
    """
    counted = tuple(item for item in workloads if _is_counted(item))
    known = tuple(found for item in counted if (found := index.replicas_of(item)) is not None)
    bare = len(counted) - len(known)
    without_scale: tuple[Workload, ...] = ()
    if not _is_of_pods_alone(budget):
        without_scale = tuple(item for item in workloads if not _is_counted(item))
        bare = 0
    pods = sum(item.floor for item in known) + bare
    if not pods:
        pods = max((item.fewest for item in known), default=0)
    return Room(budget, counted, known, pods, _kept(budget, pods), without_scale)


def _is_counted(workload: Workload) -> bool:
    return workload.is_replicated or workload.kind == "Pod"


def _is_of_pods_alone(budget: PodDisruptionBudget) -> bool:
    """Whether a budget is an integer minAvailable, the only kind that needs no controller with a scale."""
    return isinstance(_minimum(budget), int)


def _kept(budget: PodDisruptionBudget, pods: int) -> int:
    """The healthy pods that must stay of that many."""
    gone = budget.spec.max_unavailable
    if gone is not None:
        share = scaled(gone, pods, round_up=True)
        return pods if share is None else max(0, pods - share)
    least = budget.spec.min_available
    if least is None:
        return pods
    if isinstance(least, int):
        return least
    share = scaled(least, pods, round_up=True)
    return pods if share is None else share
