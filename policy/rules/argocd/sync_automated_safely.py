"""Every Application is synced by itself, mends drift, prunes, never to nothing, and gives up in the end.

Settings under `[rules.sync-automated-safely]` in policy.toml: `options`, the sync options that every Application must
have (by default `ServerSideApply=true`, `PruneLast=true` and `FailOnSharedResource=true`), and `most-retries` (10).

Why: without `prune` what is deleted in Git runs on. Without `selfHeal` what somebody changed by hand stays. With
`allowEmpty` a render that lost its objects deletes everything. Retries without end keep a broken commit in the queue
before the one that mends it. `Replace=true` and `Force=true` delete what they change, and `Validate=false` applies what
the API server would refuse.

Fix: `automated` with `prune` and `selfHeal`, and a `retry` with a limit and a growing wait.

Bad:

```yaml
syncPolicy:
  automated:
    allowEmpty: true
  retry:
    limit: -1
```

Good:

```yaml
syncPolicy:
  automated:
    prune: true
    selfHeal: true
  retry:
    limit: 5
    backoff:
      duration: 10s
      factor: 2
      maxDuration: 3m
  syncOptions:
    - ServerSideApply=true
    - PruneLast=true
    - FailOnSharedResource=true
```

Without `retry` a sync that failed is not tried again for the same commit; without `backoff` the wait is 5 s, doubled up
to 3 min.
"""

from __future__ import annotations

from collections.abc import Iterator

from policy.argocd.objects import Application, Automated, Retry
from policy.findings import Finding, Severity
from policy.patterns import Pattern
from policy.rules.rule import Context, Options, Rule
from policy.rules.subjects import Repository

_UNSAFE = {
    "Force=true": "deletes and makes anew what cannot be changed",
    "Replace=true": "replaces objects whole, and deletes what cannot be replaced",
    "Validate=false": "applies what the API server would refuse",
}
_DURATION = Pattern(r"\d+|(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))+")
"""Seconds, or a duration of Go."""


class SyncAutomatedSafelyOptions(Options, frozen=True):
    """``options``: sync options that every Application must have; ``most_retries``: how often it may try again."""

    options: tuple[str, ...] = ("ServerSideApply=true", "PruneLast=true", "FailOnSharedResource=true")
    most_retries: int = 10


def check(repository: Repository, context: Context) -> Iterator[Finding]:
    options = context.options(SyncAutomatedSafelyOptions)
    for application in repository.deployments.stated:
        policy = application.spec.sync_policy
        yield from _automated(application, policy.automated if policy else None)
        yield from _retry(application, policy.retry if policy else None, options.most_retries)
        yield from _options(application, (policy.sync_options if policy else None) or (), options.options)


def _automated(application: Application, automated: Automated | None) -> Iterator[Finding]:
    if automated is None or automated.enabled is False:
        field = ("automated",) if automated is None else ("automated", "enabled")
        yield _finding(application, field, "is synced by hand only", "add automated with prune and selfHeal")
        return
    if not automated.prune:
        message = "does not prune: what is deleted in Git runs on"
        yield _finding(application, ("automated", "prune"), message, "set prune: true")
    if not automated.self_heal:
        message = "does not heal itself: what is changed by hand stays"
        yield _finding(application, ("automated", "selfHeal"), message, "set selfHeal: true")
    if automated.allow_empty:
        message = "may prune everything: a render that lost its objects is taken for a wish"
        yield _finding(application, ("automated", "allowEmpty"), message, "set allowEmpty: false")


def _retry(application: Application, retry: Retry | None, most: int) -> Iterator[Finding]:
    limit = retry.limit or 0 if retry is not None else 0
    if limit == 0:
        field = ("retry", "limit") if retry is not None else ("retry",)
        message = "does not try again: a sync that fails waits for the next commit"
        yield _finding(application, field, message, f"add a retry with a limit of 1 to {most}")
    elif limit < 0 or limit > most:
        message = "tries again without end" if limit < 0 else f"tries {limit} times again, more than {most}"
        yield _finding(application, ("retry", "limit"), message, f"set a limit of 1 to {most}")
    backoff = retry.backoff if retry is not None else None
    if backoff is None:
        return
    if backoff.factor is not None and backoff.factor < 2:
        message = f"waits no longer each time: a factor of {backoff.factor} does not grow"
        yield _finding(application, ("retry", "backoff", "factor"), message, "set a factor of 2 or more")
    for key, value in (("duration", backoff.duration), ("maxDuration", backoff.max_duration)):
        if value is not None and not _DURATION.fullmatch(value):
            yield _finding(
                application,
                ("retry", "backoff", key),
                f"waits {value!r} before it tries again, which is no duration",
                "write it like 10s or 3m",
            )


def _options(application: Application, stated: tuple[str, ...], wanted: tuple[str, ...]) -> Iterator[Finding]:
    for number, option in enumerate(stated):
        if option in _UNSAFE:
            message = f"is synced with {option}, which {_UNSAFE[option]}"
            yield _finding(application, ("syncOptions", number), message, "delete it")
    missing = [option for option in wanted if option not in stated]
    if missing:
        message = f"is synced without {', '.join(missing)}"
        yield _finding(application, ("syncOptions",), message, f"add {', '.join(missing)}")


def _finding(application: Application, path: tuple[str | int, ...], message: str, fix: str) -> Finding:
    return Finding(
        at=application.field("spec", "syncPolicy", *path),
        message=f"{application.resource.ref} {message}",
        fix=fix,
        overlay=application.overlay,
    )


RULE = Rule(
    id="sync-automated-safely",
    applies_to=Repository,
    severity=Severity.ERROR,
    check=check,
    options=SyncAutomatedSafelyOptions,
)
