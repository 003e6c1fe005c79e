"""No limit is many times its request.

Why: the scheduler counts requests. Where limits are many times higher, a node that looks half empty runs out when a few
pods use what they are allowed to: cpu is then slow, memory is taken back by killing containers.

Fix: bring request and limit closer together. `cpu` and `memory` under `[rules.limit-request-ratio]` in policy.toml are
the highest ratios that are accepted (10 and 4 by default).

Bad:

```yaml
resources:
  requests:
    memory: 64Mi
  limits:
    memory: 2Gi
```

Good:

```yaml
resources:
  requests:
    memory: 1Gi
  limits:
    memory: 2Gi
```
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from functools import lru_cache

from policy.findings import Finding, Severity
from policy.manifests.quantities import format_quantity
from policy.manifests.workloads import Workload
from policy.rules.rule import Context, Options, Rule


class RatioOptions(Options, frozen=True):
    """The highest ratio of limit to request, by resource."""

    cpu: float = 10
    memory: float = 4


def check(workload: Workload, context: Context) -> Iterator[Finding]:
    options = context.options(RatioOptions)
    for item in context.index.requirements_of(workload).containers:
        for resource, highest in (("cpu", options.cpu), ("memory", options.memory)):
            request, limit = item.effective.requests.get(resource), item.effective.limits.get(resource)
            if request and limit and request.value and _is_more(limit.value, request.value, highest):
                yield Finding(
                    at=item.container.field("resources", "limits", resource),
                    message=f"{item.container} is limited to {format_quantity(limit.value, resource)} {resource}, "
                    f"{limit.value / request.value:.5g} times its request of "
                    f"{format_quantity(request.value, resource)}; {highest:g} times is accepted",
                    fix="raise the request or lower the limit",
                    related=tuple(
                        amount.given_by for amount in (request, limit) if amount.given_by.object != item.container.ref
                    ),
                )


def _is_more(limit: int, request: int, times: float) -> bool:
    above, below = _exactly(times)
    return limit * below > request * above


@lru_cache(maxsize=8)
def _exactly(times: float) -> tuple[int, int]:
    """A ratio as it is written in policy.toml, as a fraction."""
    return Decimal(str(times)).as_integer_ratio()


RULE = Rule(
    id="limit-request-ratio",
    applies_to=Workload,
    severity=Severity.WARNING,
    check=check,
    options=RatioOptions,
    by_settings=True,
)
