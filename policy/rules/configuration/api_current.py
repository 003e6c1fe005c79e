"""No object uses an API version, field or annotation that Kubernetes has removed or deprecated.

Held against the newest Kubernetes version that policy.toml names. What that version serves no longer is an error; what
it still serves and has deprecated is a warning. Besides API versions these are the field `serviceAccount`, the
annotations for seccomp, AppArmor and the class of an Ingress, `externalIPs` of a Service, and volume types that no node
mounts any more.

Why: an object of a removed version is refused, and with it the whole sync. An annotation or field that is no longer
read does nothing, and says nothing.

Fix: use the version, or the field, that took its place.

Bad:

```yaml
apiVersion: policy/v1beta1
kind: PodDisruptionBudget
```

Good:

```yaml
apiVersion: policy/v1
kind: PodDisruptionBudget
```
"""

from __future__ import annotations

from collections.abc import Iterator

from policy.findings import Field, Finding, Severity
from policy.manifests.api_versions import (
    ANNOTATIONS,
    POD_ANNOTATIONS,
    UNSUPPORTED_VOLUMES,
    Lifecycle,
    lifecycles,
)
from policy.manifests.index import Index
from policy.manifests.resources import Service
from policy.manifests.workloads import Workload
from policy.rules.rule import Context, Rule

_SERVICE_ACCOUNT = Lifecycle(0, None, "serviceAccountName")
_EXTERNAL_IPS = Lifecycle(36, None, "an Ingress")


def check(index: Index, context: Context) -> Iterator[Finding]:
    newest = int(context.kubernetes[-1].partition(".")[2]) if context.kubernetes else 0
    versions = lifecycles()
    for resource in index.resources:
        found = versions.get((resource.ref.api_version, resource.ref.kind))
        if found is not None:
            what = f"{resource.ref.api_version} {resource.ref.kind}"
            yield from _judged(found, newest, resource.field("apiVersion"), what)
    for resource in index.annotated:
        for name in resource.annotations:
            if name in ANNOTATIONS:
                yield from _judged(ANNOTATIONS[name], newest, resource.field("metadata", "annotations", name), name)
    for workload in index.workloads:
        pod = workload.pod
        if pod.service_account or pod.volumes or workload.pod_annotations:
            yield from _of_pods(workload, newest)
    for service in index.all(Service):
        if service.spec.external_ips:
            yield from _judged(_EXTERNAL_IPS, newest, service.field("spec", "externalIPs"), "externalIPs")


def _of_pods(workload: Workload, newest: int) -> Iterator[Finding]:
    if workload.pod.service_account and not workload.pod.service_account_name:
        yield from _judged(_SERVICE_ACCOUNT, newest, workload.pod_field("serviceAccount"), "serviceAccount")
    if workload.pod_annotations:
        for name in workload.pod_annotations:
            found = POD_ANNOTATIONS.get(name) or POD_ANNOTATIONS.get(f"{name.partition('/')[0]}/")
            if found is not None:
                at = workload.field(*workload.template_path, "metadata", "annotations", name)
                yield from _judged(found, newest, at, name)
    if workload.pod.volumes:
        for number, kind in enumerate(workload.volume_types):
            if kind in UNSUPPORTED_VOLUMES:
                at = workload.pod_field("volumes", number, kind)
                yield from _judged(UNSUPPORTED_VOLUMES[kind], newest, at, f"the volume type {kind}")


def _judged(found: Lifecycle, newest: int, at: Field, what: str) -> Iterator[Finding]:
    if newest < found.deprecated:
        return
    fix = f"use {found.instead}" if found.instead else "remove it"
    if found.removed is not None and newest >= found.removed:
        yield Finding(at=at, message=f"{what} was removed in Kubernetes 1.{found.removed}", fix=fix)
        return
    since = f" since Kubernetes 1.{found.deprecated}" if found.deprecated else ""
    until = f" and removed in 1.{found.removed}" if found.removed is not None else ""
    yield Finding(at=at, message=f"{what} is deprecated{since}{until}", fix=fix, severity=Severity.WARNING)


RULE = Rule(id="api-current", applies_to=Index, severity=Severity.ERROR, check=check)
