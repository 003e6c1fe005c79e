"""The pull policy fits the image: a moving tag is always pulled, and no image is expected to be there already.

`Always` is not asked for where there is a digest (the node has the right content or pulls it), nor found there. Without
a policy Kubernetes pulls `latest` always, everything else if it is not present.

Why: `Never` starts a pod only on a node where somebody left the image. And with `IfNotPresent` each node runs the
`latest` of the day when it first pulled it.

Fix: remove `imagePullPolicy`, or set `IfNotPresent`; give the image a digest.

Bad:

```yaml
image: redis:latest
imagePullPolicy: IfNotPresent
```

Good:

```yaml
image: redis:7.4-alpine@sha256:ff02b58f971e7d7d156a1267e283fcbbeee91773b6aa36c49dac28ecfe28eadf
imagePullPolicy: IfNotPresent
```
"""

from __future__ import annotations

from collections.abc import Iterator

from policy.findings import Finding, Severity
from policy.manifests.image_uses import ImageUse, image_uses
from policy.manifests.workloads import Workload
from policy.rules.rule import Context, Rule

_POLICIES = ("Always", "IfNotPresent", "Never")


def check(workload: Workload, context: Context) -> Iterator[Finding]:
    for use in image_uses(workload):
        if not use.pull_policy:
            continue
        if use.pull_policy not in _POLICIES:
            yield _finding(use, f"{use.pull_policy} is no pull policy", f"use one of {', '.join(_POLICIES)}")
        elif use.pull_policy == "Never":
            yield _finding(
                use, "Never pulls no image: pods start only on nodes that happen to have it", "set IfNotPresent"
            )
        elif use.pull_policy == "IfNotPresent" and _moves(use):
            yield _finding(
                use,
                f"IfNotPresent keeps whichever {use.image} a node pulled first",
                "give the image a version and a digest",
            )


def _moves(use: ImageUse) -> bool:
    return use.image is not None and use.image.digest is None and use.image.tag in (None, "latest")


def _finding(use: ImageUse, says: str, fix: str) -> Finding:
    return Finding(at=use.pull_policy_at, message=f"{use.who}: {says}", fix=fix)


RULE = Rule(id="pull-policy-sound", applies_to=Workload, severity=Severity.WARNING, check=check)
