"""Every workload and its pods have the recommended labels.

Asked by default are those of the labels that Kubernetes recommends which a repository can state once and for all:
`app.kubernetes.io/name`, `app.kubernetes.io/component` and `app.kubernetes.io/part-of`. The version changes with every
release, and the instance and the managing tool are the deployer's to set. `labels` under `[rules.labels-recommended]`
in policy.toml asks for others; `object-labels` and `annotations` ask the workload alone, e.g. `object-labels =
["owner"]`.

Why: dashboards, cost reports, network policies and people find things by their labels. A workload without them is in no
list.

Fix: add the labels, to the object and to its pod template.

Bad:

```yaml
kind: Deployment
metadata:
  name: user-service
  labels:
    app: user-service
```

Good:

```yaml
kind: Deployment
metadata:
  name: user-service
  labels:
    app.kubernetes.io/name: user-service
    app.kubernetes.io/component: service
    app.kubernetes.io/part-of: ecommerce
```
"""

from __future__ import annotations

from collections.abc import Iterator

from policy.findings import Field, Finding, Severity
from policy.manifests.workloads import Workload
from policy.rules.rule import Context, Options, Rule


class LabelsRecommendedOptions(Options, frozen=True):
    """``labels``: of object and pods. ``object-labels`` and ``annotations``: of the object alone."""

    labels: tuple[str, ...] = (
        "app.kubernetes.io/name",
        "app.kubernetes.io/component",
        "app.kubernetes.io/part-of",
    )
    object_labels: tuple[str, ...] = ()
    annotations: tuple[str, ...] = ()


def check(workload: Workload, context: Context) -> Iterator[Finding]:
    options = context.options(LabelsRecommendedOptions)
    labels, annotations = workload.resource.labels, workload.resource.annotations
    missing = [key for key in (*options.labels, *options.object_labels) if not labels.get(key)]
    if missing:
        yield _finding(workload.field("metadata", "labels"), "has no label", missing)
    missing = [key for key in options.annotations if not annotations.get(key)]
    if missing:
        yield _finding(workload.field("metadata", "annotations"), "has no annotation", missing)
    missing = [key for key in options.labels if not workload.pod_labels.get(key)]
    if missing and workload.template_path:
        at = workload.field(*workload.template_path, "metadata", "labels")
        yield _finding(at, "the pods have no label", missing)


def _finding(at: Field, says: str, missing: list[str]) -> Finding:
    return Finding(
        at=at,
        message=f"{says} {', '.join(missing)}",
        fix=f"add every missing {says.rpartition(' ')[2]}",
    )


RULE = Rule(
    id="labels-recommended",
    applies_to=Workload,
    severity=Severity.WARNING,
    check=check,
    options=LabelsRecommendedOptions,
)
