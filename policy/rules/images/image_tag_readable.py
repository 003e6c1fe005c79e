"""Every image has a tag that tells a reader which version runs.

A digest does not make up for it: it says that nothing changed, not what it is.

Why: in a review, at three in the morning and in a list of vulnerabilities, `redis:7.4-alpine` is an answer. `latest`,
or no tag, which means the same, is none.

Fix: write the version's tag before the digest.

Settings: `refused`, the tags that tell no version (`["latest"]`).

Bad:

```yaml
image: redis@sha256:ff02b58f971e7d7d156a1267e283fcbbeee91773b6aa36c49dac28ecfe28eadf
```

Good:

```yaml
image: redis:7.4-alpine@sha256:ff02b58f971e7d7d156a1267e283fcbbeee91773b6aa36c49dac28ecfe28eadf
```
"""

from __future__ import annotations

from collections.abc import Iterator

from policy.findings import Finding, Severity
from policy.manifests.image_uses import image_uses
from policy.manifests.workloads import Workload
from policy.rules.rule import Context, Options, Rule


class ImageTagReadableOptions(Options, frozen=True):
    refused: tuple[str, ...] = ("latest",)


def check(workload: Workload, context: Context) -> Iterator[Finding]:
    refused = context.options(ImageTagReadableOptions).refused
    for use in image_uses(workload):
        if use.image is not None and (use.image.tag is None or use.image.tag in refused):
            says = "which has no tag" if use.image.tag is None else f"and the tag {use.image.tag} tells no version"
            yield Finding(
                at=use.at,
                message=f"{use.who} {use.verb} {use.image}, {says}",
                fix="write the version's tag before the digest, e.g. redis:7.4-alpine@sha256:…",
            )


RULE = Rule(
    id="image-tag-readable",
    applies_to=Workload,
    severity=Severity.WARNING,
    check=check,
    options=ImageTagReadableOptions,
)
