"""Every Job ends: its time and its tries are bounded, and it is removed when it is done.

Asked of a Job, and of the Jobs of a CronJob: `activeDeadlineSeconds`, and a `backoffLimit` of at most `most-retries`
(under `[rules.job-bounded]` in policy.toml, 10 by default); one that is not stated is a warning, since Kubernetes then
tries six times more. Asked of a Job alone: `ttlSecondsAfterFinished`. The Jobs of a CronJob are removed by its history
limits, and a hook of Argo CD or Helm by its delete policy.

The `restartPolicy` of its pods is `OnFailure` or `Never`: the API server refuses a Job with any other, and with none,
which means `Always`.

Why: a Job that hangs holds its quota for ever, and one that fails for ever is started for ever. A finished Job stays
with its pods, and since a Job cannot be changed, the next apply of it fails.

Fix: state all of them.

Bad:

```yaml
kind: Job
spec:
  template: …
```

Good:

```yaml
kind: Job
spec:
  backoffLimit: 3
  activeDeadlineSeconds: 600
  ttlSecondsAfterFinished: 3600
  template:
    spec:
      restartPolicy: Never
```
"""

from __future__ import annotations

from collections.abc import Iterator

from policy.findings import Finding, Severity
from policy.manifests.workloads import Workload
from policy.rules.rule import Context, Options, Rule

_RESTARTS = ("OnFailure", "Never")
_HOOKS = ("argocd.argoproj.io/hook", "helm.sh/hook")


class JobBoundedOptions(Options, frozen=True):
    """``most-retries``: the largest backoffLimit that still counts as a bound."""

    most_retries: int = 10


def check(workload: Workload, context: Context) -> Iterator[Finding]:
    job = workload.job_spec
    if job is None:
        return
    path = workload.template_path[:-1]
    most = context.options(JobBoundedOptions).most_retries
    if job.active_deadline_seconds is None and workload.pod.active_deadline_seconds is None:
        yield Finding(
            at=workload.field(*path, "activeDeadlineSeconds"),
            message="has no activeDeadlineSeconds: a pod that hangs runs for ever",
            fix="set activeDeadlineSeconds to more than it ever needs",
        )
    if job.backoff_limit is None:
        yield Finding(
            at=workload.field(*path, "backoffLimit"),
            message="has no backoffLimit: a Job that fails is tried six times more",
            fix="set backoffLimit to the number of retries that is meant",
            severity=Severity.WARNING,
        )
    elif job.backoff_limit > most:
        yield Finding(
            at=workload.field(*path, "backoffLimit"),
            message=f"backoffLimit {job.backoff_limit} is no bound; at most {most} retries are",
            fix=f"lower it to {most} or less",
        )
    restarts = workload.pod.restart_policy
    if restarts not in _RESTARTS:
        yield Finding(
            at=workload.pod_field("restartPolicy"),
            message=f"restartPolicy is {restarts or 'unset, which means Always'}, and the pods of a Job take "
            f"{' or '.join(_RESTARTS)}",
            fix="set restartPolicy: OnFailure to try again in the same pod, or Never to do so in a new one",
        )
    is_removed = workload.kind == "CronJob" or any(hook in workload.resource.annotations for hook in _HOOKS)
    if job.ttl_seconds_after_finished is None and not is_removed:
        yield Finding(
            at=workload.field(*path, "ttlSecondsAfterFinished"),
            message="has no ttlSecondsAfterFinished: nobody removes it when it is done",
            fix="set ttlSecondsAfterFinished to the time in which somebody may want to look at it",
        )


RULE = Rule(id="job-bounded", applies_to=Workload, severity=Severity.ERROR, check=check, options=JobBoundedOptions)
