"""How many pods a rollout adds and takes away.

Sources: the Deployment controller (``deploymentutil.ResolveFenceposts``, ``NewRSNewReplicas``): maxSurge is rounded up
and maxUnavailable down, each 25% where it is absent, and where both come to nothing one pod may be unavailable; never
more pods are added than the replicas themselves. API reference of StatefulSet: no surge, maxUnavailable is rounded up
and is 1 where it is absent.
"""

from __future__ import annotations

from policy.manifests.int_or_percent import scaled
from policy.manifests.workloads import Workload

DEFAULT = "25%"
"""maxSurge and maxUnavailable of a Deployment that does not state them."""


def is_recreated(workload: Workload) -> bool:
    """Whether all its pods go before a new one comes."""
    strategy = workload.spec.strategy
    return strategy is not None and strategy.type == "Recreate"


def surge(workload: Workload, pods: int) -> int:
    """The pods that a rollout runs besides the ``pods`` there are to be."""
    if workload.kind != "Deployment" or is_recreated(workload):
        return 0
    return min(_shares(workload, pods)[0], pods)


def unavailable(workload: Workload, pods: int) -> int | None:
    """How many of ``pods`` may be missing in a rollout; None for what replaces no pods by itself.

    A value that is neither a number nor a percentage counts as the default: the API server refuses it.
    """
    if is_recreated(workload):
        return pods
    if workload.kind == "Deployment":
        added, missing = _shares(workload, pods)
        return min(pods, missing if added or missing else 1)
    if workload.kind == "StatefulSet":
        update = workload.spec.update_strategy
        if update is not None and update.type == "OnDelete":
            return None
        written = update.rolling_update.max_unavailable if update and update.rolling_update else None
        share = None if written is None else scaled(written, pods, round_up=True)
        return min(pods, share or 1)
    return None


def _shares(workload: Workload, pods: int) -> tuple[int, int]:
    """A Deployment's maxSurge and maxUnavailable as numbers of pods."""
    strategy = workload.spec.strategy
    rolling = strategy.rolling_update if strategy else None
    added = _share(rolling.max_surge if rolling else None, pods, round_up=True)
    missing = _share(rolling.max_unavailable if rolling else None, pods, round_up=False)
    return added, missing


def _share(written: int | str | None, pods: int, *, round_up: bool) -> int:
    found = scaled(DEFAULT if written is None else written, pods, round_up=round_up)
    return scaled(DEFAULT, pods, round_up=round_up) or 0 if found is None else found
