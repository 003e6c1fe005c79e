"""An autoscaler has room to scale: its minimum is below its maximum.

A minimum that is not stated is 1 (KEDA: 0); a maximum that KEDA is not told is 100. A minimum of 0 needs a metric that
is there without a pod, one of type Object or External; before Kubernetes 1.37 it also needs the feature gate
HPAScaleToZero, and whether a cluster has that is reported as not checked.

Why: with minimum and maximum alike nothing is ever scaled, and everybody believes that it is. The API server refuses a
minimum above the maximum.

Fix: raise the maximum, or remove the autoscaler and state `replicas`.

Bad:

```yaml
spec:
  maxReplicas: 1
```

Good:

```yaml
spec:
  minReplicas: 2
  maxReplicas: 10
```
"""

from __future__ import annotations

from collections.abc import Iterator

from policy.findings import Finding, Severity, Skipped
from policy.manifests.index import Index
from policy.manifests.metrics import can_wake
from policy.manifests.replicas import Autoscaler
from policy.rules.rule import Context, Rule

_ZERO_SINCE = 37


def check(index: Index, context: Context) -> Iterator[Finding | Skipped]:
    for autoscaler in index.autoscalers:
        yield from _range(autoscaler)
        if autoscaler.minimum == 0 and not autoscaler.is_keda:
            yield from _zero(autoscaler, context.kubernetes)


def _range(autoscaler: Autoscaler) -> Iterator[Finding]:
    least, most = autoscaler.minimum, autoscaler.maximum
    if least < most:
        return
    minimum = f"{autoscaler.minimum_name} is {least}" + ("" if autoscaler.says_minimum else " (unset)")
    wrong = "the API server refuses it" if least > most else "it never scales"
    yield Finding(
        at=autoscaler.maximum_field,
        message=f"{minimum} and {autoscaler.maximum_name} {most}: {wrong}",
        fix=f"raise {autoscaler.maximum_name}, or remove the autoscaler and state replicas",
        related=(autoscaler.minimum_field,),
    )


def _zero(autoscaler: Autoscaler, versions: tuple[str, ...]) -> Iterator[Finding | Skipped]:
    at = autoscaler.minimum_field
    if not can_wake(autoscaler):
        yield Finding(
            at=at,
            message="minReplicas is 0, and nothing is measured without a pod: there is no Object or External metric",
            fix="set minReplicas to 1 or more, or add a metric that does not come from the pods",
        )
    elif any(int(version.rpartition(".")[2]) < _ZERO_SINCE for version in versions[:1]):
        yield Skipped(at, f"minReplicas 0 needs the feature gate HPAScaleToZero in Kubernetes {versions[0]}")


RULE = Rule(id="hpa-range-sound", applies_to=Index, severity=Severity.ERROR, check=check)
