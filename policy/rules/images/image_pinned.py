"""Every image is pinned by its digest.

Image volumes count too. A colon before the last slash is a port: `registry:5000/app` has neither tag nor digest.

Why: a tag can be moved after the review, and two nodes that pulled it on two days run two programs. A digest is the
content itself.

Fix: append the digest that the registry shows for the tag, and keep the tag for the reader.

Bad:

```yaml
image: redis:7.4-alpine
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
from policy.rules.rule import Context, Rule


def check(workload: Workload, context: Context) -> Iterator[Finding]:
    for use in image_uses(workload):
        image = use.image
        if image is None:
            yield Finding(at=use.at, message=f"{use.who} names no image", fix="name the image, with its digest")
        elif image.digest is None:
            yield Finding(
                at=use.at,
                message=f"{use.who} {use.verb} {image}, which is not pinned",
                fix=f"append the digest: {image}@sha256:…",
            )
        elif not image.is_pinned:
            yield Finding(
                at=use.at,
                message=f"{use.who} {use.verb} {image}, whose digest {image.digest} is not one",
                fix="copy the whole digest: sha256: and 64 hexadecimal digits",
            )


RULE = Rule(id="image-pinned", applies_to=Workload, severity=Severity.ERROR, check=check)
