"""Which pods a quota with scopes is charged for."""

from __future__ import annotations

import pytest

from policy.capacity.scopes import is_charged, is_scoped, unknown_scope
from policy.manifests.resources import ResourceQuota
from tests.capacity.manifests import index_of

AFFINITY = "affinity: {podAntiAffinity: {%s}}"
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: zone%s}]"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution: [{weight: 1, podAffinityTerm: {topologyKey: zone%s}}]"
CLASS = "scopeSelector: {matchExpressions: [{scopeName: PriorityClass, operator: %s%s}]}"

# the quota's scopes, the pod's fields, whether the pod is charged
CHARGED = [
    ("", "", True),
    ("scopes: [Terminating]", "", False),
    ("scopes: [Terminating]", "activeDeadlineSeconds: 0", True),
    ("scopes: [Terminating]", "activeDeadlineSeconds: 60", True),
    ("scopes: [NotTerminating]", "", True),
    ("scopes: [NotTerminating]", "activeDeadlineSeconds: 60", False),
    ("scopes: [BestEffort]", "", True),
    ("scopes: [BestEffort]", "resources: {requests: {cpu: 1m}}", False),
    ("scopes: [NotBestEffort]", "", False),
    ("scopes: [NotBestEffort]", "resources: {requests: {cpu: 1m}}", True),
    ("scopes: [BestEffort, Terminating]", "", False),
    ("scopes: [BestEffort, Terminating]", "activeDeadlineSeconds: 60", True),
    ("scopes: [PriorityClass]", "", False),
    ("scopes: [PriorityClass]", "priorityClassName: high", True),
    (CLASS % ("Exists", ""), "priorityClassName: high", True),
    (CLASS % ("DoesNotExist", ""), "priorityClassName: high", False),
    (CLASS % ("DoesNotExist", ""), "", True),
    (CLASS % ("In", ", values: [high, low]"), "priorityClassName: low", True),
    (CLASS % ("In", ", values: [high, low]"), "priorityClassName: none", False),
    (CLASS % ("In", ", values: [high]"), "", False),
    (CLASS % ("NotIn", ", values: [high]"), "priorityClassName: high", False),
    (CLASS % ("NotIn", ", values: [high]"), "priorityClassName: low", True),
    (CLASS % ("NotIn", ", values: [high]"), "", True),
    ("scopes: [CrossNamespacePodAffinity]", "", False),
    ("scopes: [CrossNamespacePodAffinity]", AFFINITY % (REQUIRED % ""), False),
    ("scopes: [CrossNamespacePodAffinity]", AFFINITY % (REQUIRED % ", namespaces: []"), False),
    ("scopes: [CrossNamespacePodAffinity]", AFFINITY % (REQUIRED % ", namespaces: [other]"), True),
    ("scopes: [CrossNamespacePodAffinity]", AFFINITY % (REQUIRED % ", namespaceSelector: {}"), True),
    ("scopes: [CrossNamespacePodAffinity]", AFFINITY % (PREFERRED % ""), False),
    ("scopes: [CrossNamespacePodAffinity]", AFFINITY % (PREFERRED % ", namespaces: [other]"), True),
]


@pytest.mark.parametrize(("scopes", "pod", "expected"), CHARGED)
def test_whether_a_pod_is_charged(scopes: str, pod: str, expected: bool) -> None:
    assert charged(scopes, pod) is expected


@pytest.mark.parametrize(
    ("priority_class", "expected"),
    [
        ("{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, metadata: {name: high}, globalDefault: true}", True),
        (
            "{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, metadata: {name: high}, globalDefault: false}",
            False,
        ),
        ("{apiVersion: example.com/v1, kind: Widget, metadata: {name: high}, globalDefault: true}", False),
    ],
)
def test_a_pod_without_a_class_has_the_global_default(priority_class: str, expected: bool) -> None:
    assert charged(CLASS % ("In", ", values: [high]"), "", priority_class) is expected
    assert charged(CLASS % ("In", ", values: [high]"), "priorityClassName: low", priority_class) is False


def test_a_scope_that_is_not_known_is_named() -> None:
    quota = quota_with("scopes: [BestEffort, Important]")

    assert is_scoped(quota)
    assert unknown_scope(quota) == "Important"
    assert unknown_scope(quota_with("scopes: [BestEffort]")) is None
    assert not is_scoped(quota_with(""))


def charged(scopes: str, pod: str, other: str = "{apiVersion: v1, kind: Namespace, metadata: {name: x}}") -> bool:
    """Whether a pod with those fields is charged to a quota with those scopes."""
    manifests = f"""
apiVersion: v1
kind: ResourceQuota
metadata: {{name: all}}
spec: {{hard: {{pods: 1}}, {scopes}}}
---
apiVersion: v1
kind: Pod
metadata: {{name: web}}
spec: {{containers: [{{name: app}}], {pod}}}
---
{other}
"""
    index = index_of(manifests)
    (quota,) = index.all(ResourceQuota)
    (workload,) = index.workloads
    return is_charged(quota, workload, index.requirements_of(workload), index)


def quota_with(scopes: str) -> ResourceQuota:
    quota = f"{{apiVersion: v1, kind: ResourceQuota, metadata: {{name: all}}, spec: {{hard: {{pods: 1}}, {scopes}}}}}"
    return index_of(quota).all(ResourceQuota)[0]
