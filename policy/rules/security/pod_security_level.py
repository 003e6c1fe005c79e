"""A namespace enforces a level of the Pod Security Standards, and all its pods satisfy it.

The level is what the Namespace's label `pod-security.kubernetes.io/enforce` says, in the policy version that
`pod-security.kubernetes.io/enforce-version` says; without that, in the version of every cluster that the manifests are
for. Each control of the published standard is judged as the API server judges it. Pods of a namespace that is not among
the checked objects, or has no level, are held to the level of the setting `default`.

Why: a namespace that enforces nothing takes a privileged pod from whoever may create pods in it. And where it does, the
API server refuses a pod that breaks one control while it accepts its Deployment: the sync succeeds, and no pod comes.

Fix: label the Namespace; give each field that is named a value that the level allows.

Settings: `minimum`, the least level that a Namespace may enforce (`"baseline"`); `default`, the level for pods whose
namespace enforces none that is known (`"restricted"`).

Bad:

```yaml
apiVersion: v1
kind: Namespace
metadata:
  name: shop
```

Good:

```yaml
apiVersion: v1
kind: Namespace
metadata:
  name: shop
  labels:
    pod-security.kubernetes.io/enforce: restricted
    pod-security.kubernetes.io/enforce-version: v1.34
```
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Literal

from policy.findings import Finding, Severity
from policy.manifests.index import Index
from policy.manifests.pod_security import (
    ENFORCE,
    ENFORCE_VERSION,
    LATEST,
    LEVELS,
    Level,
    minor_version,
    parse_level,
    parse_version,
    violations,
)
from policy.manifests.resources import Namespace
from policy.manifests.workloads import Workload
from policy.rules.rule import Context, Options, Rule


class PodSecurityLevelOptions(Options, frozen=True):
    minimum: Literal["privileged", "baseline", "restricted"] = "baseline"
    default: Literal["privileged", "baseline", "restricted"] = "restricted"


def check(index: Index, context: Context) -> Iterator[Finding]:
    options = context.options(PodSecurityLevelOptions)
    targets = tuple(map(minor_version, context.kubernetes)) or (LATEST,)
    by_name = {namespace.name: namespace for namespace in index.all(Namespace)}
    for name in index.namespaces:
        namespace, workloads = by_name.get(name), index.workloads_in(name)
        level, version = Level(options.default), LATEST
        who = f"the default level, {level.value},"
        if namespace is not None:
            yield from _level_finding(namespace, workloads, Level(options.minimum))
            yield from _version_finding(namespace)
            if _label(namespace, ENFORCE) is not None:
                level, version = _enforced(namespace)
                who = level.value
        policies = {target: min(target, version) for target in targets}
        yield from _of_namespace(index, name, partial(_refused, level=level, policies=policies, who=who))


def _of_namespace(index: Index, namespace: str, refused: Callable[[Workload], Iterator[Finding]]) -> Iterator[Finding]:
    for workload in index.workloads_where(lambda item: any(refused(item)), namespace):
        yield from refused(workload)


def _label(namespace: Namespace, key: str) -> str | None:
    """A label as text, also where a manifest forgot the quotes around a number."""
    value = namespace.resource.labels.get(key)
    return None if value is None else str(value)


def _enforced(namespace: Namespace) -> tuple[Level, int]:
    """What the API server enforces: labels that it does not understand mean restricted and latest."""
    level = parse_level(_label(namespace, ENFORCE) or "")
    version = parse_version(_label(namespace, ENFORCE_VERSION) or "latest")
    return level or Level.RESTRICTED, LATEST if version is None else version


def _level_finding(namespace: Namespace, workloads: tuple[Workload, ...], minimum: Level) -> Iterator[Finding]:
    label = _label(namespace, ENFORCE)
    level = None if label is None else parse_level(label)
    if label is None:
        others = f" and {len(workloads) - 1} more" if len(workloads) > 1 else ""
        says = f"the namespace of {workloads[0].ref}{others} enforces no level of the Pod Security Standards"
    elif level is None:
        says = f"{label or '(empty)'} is no level: the API server refuses the label"
    elif LEVELS.index(level) < LEVELS.index(minimum):
        says = f"the namespace enforces {level.value}, which is less than {minimum.value}"
    else:
        return
    yield Finding(
        at=namespace.field("metadata", "labels", ENFORCE), message=says, fix=f"set the label {ENFORCE}: restricted"
    )


def _version_finding(namespace: Namespace) -> Iterator[Finding]:
    label = _label(namespace, ENFORCE_VERSION)
    if label is not None and parse_version(label) is None:
        yield Finding(
            at=namespace.field("metadata", "labels", ENFORCE_VERSION),
            message=f"{label or '(empty)'} is no policy version: the API server refuses the label",
            fix="use latest, or a version such as v1.34",
        )


def _refused(workload: Workload, level: Level, policies: Mapping[int, int], who: str) -> Iterator[Finding]:
    """``policies`` is the policy version that applies on each version of Kubernetes."""
    for violation in violations(workload, level):
        refusing = [target for target, policy in policies.items() if violation.holds_in(policy)]
        if refusing:
            versions = (
                "" if len(refusing) == len(policies) else f" on Kubernetes {', '.join(f'1.{v}' for v in refusing)}"
            )
            yield Finding(
                at=violation.at,
                message=f"{violation.says}: {who} refuses it{versions} (control {violation.control})",
                fix=violation.allowed,
            )


RULE = Rule(
    id="pod-security-level", applies_to=Index, severity=Severity.ERROR, check=check, options=PodSecurityLevelOptions
)
