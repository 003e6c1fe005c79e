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

from collections.abc import Iterable, Iterator, Mapping

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
    metadata = workload.field("metadata")
    resource = workload.resource
    yield from _missing((*options.labels, *options.object_labels), resource.labels, metadata["labels"], "label")
    yield from _missing(options.annotations, resource.annotations, metadata["annotations"], "annotation")
    if workload.template_path:
        at = workload.field(*workload.template_path, "metadata", "labels")
        yield from _missing(options.labels, workload.pod_labels, at, "label", "the pods have")


def _missing(
    wanted: Iterable[str], there: Mapping[str, str], at: Field, what: str, who: str = "has"
) -> Iterator[Finding]:
    missing = [key for key in wanted if not there.get(key)]
    if missing:
        yield Finding(
            at=at,
            message=f"{who} no {what} {', '.join(missing)}",
            fix=f"add every missing {what}",
        )


RULE = Rule(
    id="labels-recommended",
    applies_to=Workload,
    severity=Severity.WARNING,
    check=check,
    options=LabelsRecommendedOptions,
)
