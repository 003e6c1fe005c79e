"""How many pods a workload runs at its peak.

Sources: what a rollout adds (``rollouts``), what autoscalers make of replicas (``replicas``), API references of
DaemonSet, Job and CronJob, Argo CD's resource hooks.
"""

from __future__ import annotations

import msgspec

from policy.manifests.index import Index
from policy.manifests.int_or_percent import scaled
from policy.manifests.replicas import Autoscaler
from policy.manifests.rollouts import surge
from policy.manifests.workloads import Workload

_HOOK = "argocd.argoproj.io/hook"
_NEVER_BESIDE_THE_REST = frozenset({"Skip", "PreDelete", "PostDelete"})


class Peak(msgspec.Struct, frozen=True):
    """A workload at its peak: its pods, and those that a rollout adds for a while."""

    workload: Workload
    pods: int
    surge: int = 0
    kept: int = 0
    """Pods that have ended and are kept; only ``count/pods`` counts them."""
    autoscaler: Autoscaler | None = None
    note: str = ""
    gap: str | None = None
    """Why there may be more pods than counted here."""


def peak_of(workload: Workload, index: Index, nodes: int | None) -> Peak:
    """A workload's peak; ``nodes`` is how many pods a DaemonSet makes, where that is known."""
    if _HOOK in workload.resource.annotations:
        hooks = {hook.strip() for hook in str(workload.resource.annotations[_HOOK]).split(",")}
        if hooks <= _NEVER_BESIDE_THE_REST:
            return Peak(workload, 0)
    if workload.kind in ("Job", "CronJob"):
        return _job(workload)
    if workload.kind == "DaemonSet":
        return _daemon_set(workload, nodes)
    replicas = index.replicas_of(workload)
    if replicas is None:
        return Peak(workload, 1)
    if replicas.autoscaler is None:
        return Peak(workload, replicas.ceiling, surge(workload, replicas.ceiling))
    highest = max(index.scaled_by(workload), key=lambda item: item.maximum)
    return autoscaled(workload, highest, replicas.ceiling)


def autoscaled(workload: Workload, autoscaler: Autoscaler, maximum: int) -> Peak:
    """The peak under an autoscaler with that maximum."""
    return Peak(workload, maximum, surge(workload, maximum), autoscaler=autoscaler, note="autoscaler's maximum")


def _daemon_set(workload: Workload, nodes: int | None) -> Peak:
    if nodes is None:
        return Peak(workload, 0, gap=f"{workload.ref} runs a pod on every node, and the number of nodes is not set")
    strategy = workload.spec.update_strategy
    rolling = strategy.rolling_update if strategy else None
    added = scaled(rolling.max_surge, nodes, round_up=True) if rolling and rolling.max_surge is not None else 0
    return Peak(workload, nodes, min(added or 0, nodes), note="one on every node")


def _job(workload: Workload) -> Peak:
    job = workload.job_spec
    if job is None or workload.spec.suspend:
        return Peak(workload, 0)
    wanted = 1 if job.parallelism is None else job.parallelism
    if job.completions is not None:
        wanted = min(wanted, job.completions)
    ended = max(job.completions or 0, wanted) - wanted
    if workload.kind == "Job":
        return Peak(workload, wanted, kept=ended, note="Job")
    gap = None
    if workload.spec.concurrency_policy not in ("Forbid", "Replace"):
        gap = f"how many runs of {workload.ref} overlap is not bounded (concurrencyPolicy Allow), one is counted"
    return Peak(
        workload, wanted, kept=ended + kept_runs(workload) * (wanted + ended), note="one run of the CronJob", gap=gap
    )


def kept_runs(cron_job: Workload) -> int:
    """How many Jobs that have ended a CronJob keeps, with their pods."""
    spec = cron_job.resource.raw.get("spec") or {}
    limits = ((spec.get("successfulJobsHistoryLimit"), 3), (spec.get("failedJobsHistoryLimit"), 1))
    return sum(written if isinstance(written, int) else default for written, default in limits)
