"""No label that Kustomize adds to many objects reaches the claim templates of a StatefulSet.

`labels` with `includeSelectors`, `labels` with `fields` of their own that lead there, and `commonLabels` do.

Why: the claim templates of a StatefulSet are immutable. The day such a label is added, changed or removed, the API
server refuses the StatefulSet, and the whole sync with it, until somebody deletes and makes it anew.

Fix: `labels` without `includeSelectors`. `includeTemplates` reaches the pods and leaves the claims alone.

Bad:

```yaml
labels:
  - pairs:
      version: "42"
    includeSelectors: true
```

Good:

```yaml
labels:
  - pairs:
      version: "42"
    includeTemplates: true
```
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from policy.findings import Finding, Severity
from policy.manifests.workloads import Workload
from policy.rules.rule import Context, Rule

_TRANSFORMERS = ("labels", "commonLabels")


def check(workload: Workload, context: Context) -> Iterator[Finding]:
    templates = workload.spec.volume_claim_templates or ()
    if not any(template.metadata and template.metadata.get("labels") for template in templates):
        return
    origins = context.origins()
    if origins is None:
        return
    for number, template in enumerate(templates):
        labels = (template.metadata or {}).get("labels")
        for key in labels if isinstance(labels, Mapping) else ():
            path = ("spec", "volumeClaimTemplates", number, "metadata", "labels", key)
            origin = origins.place(workload.resource.raw, path)
            if origin.field in _TRANSFORMERS:
                yield Finding(
                    at=workload.field(*path),
                    message=f"{origin.entry} puts the label {key} into claim templates, which are immutable",
                    fix="use labels without includeSelectors; includeTemplates reaches the pods and not the claims",
                )


RULE = Rule(id="volume-claim-labels-stable", applies_to=Workload, severity=Severity.ERROR, check=check)
