"""Where other checkers are known to err, ours has a case by name, so that no change brings the error here unnoticed."""

from __future__ import annotations

import pytest

from policy.rules import RULES
from tests.rules.harness import cases_of

KNOWN = {
    "a NetworkPolicy of another namespace is no coverage": (
        "default-deny",
        "no policy, and a policy of another namespace",
    ),
    "a Service's selector is all of its labels": (
        "service-selects-pods",
        "all labels, some, and those of another namespace",
    ),
    "a budget's selector is all of its labels": (
        "disruption-budget-set",
        "one label of two is no match, and a budget of another namespace is no budget",
    ),
    "minAvailable equal to the autoscaler's minimum": (
        "disruption-budget-drains",
        "minAvailable equal to the minimum of the autoscaler",
    ),
    "an autoscaled Deployment without replicas needs a budget": (
        "disruption-budget-set",
        "a Deployment that its autoscaler takes beyond one pod, without replicas",
    ),
    "registry:5000/app has a port and no tag": (
        "image-pinned",
        "a tag, no tag, a port that is no tag, and no image, in containers of each kind",
    ),
    "a probe of an undeclared named port": (
        "probe-port-declared",
        "a name and numbers that the container does not declare",
    ),
    "a native sidecar is a container that runs on": (
        "readiness-probe-set",
        "a native sidecar is watched, an ordinary init container is not",
    ),
    "the objects of a List are objects": ("replicas-enough", "other kinds with replicas, in a List"),
    "the pods of a CronJob are pods": ("image-pinned", "every kind of workload"),
}
MANIFESTS = {
    "registry:5000/app has a port and no tag": "registry:5000/app",
    "the objects of a List are objects": "kind: List",
    "the pods of a CronJob are pods": "kind: CronJob",
    "a native sidecar is a container that runs on": "restartPolicy: Always",
}


@pytest.mark.parametrize("error", KNOWN)
def test_a_known_error_of_others_is_a_case_of_ours(error: str) -> None:
    rule_id, name = KNOWN[error]
    rule = next(rule for rule in RULES if rule.id == rule_id)
    case = next((case for case in cases_of(rule) if case.name == name), None)

    assert case is not None, f"{rule_id} has no case named {name!r}"
    assert case.findings
    assert MANIFESTS.get(error, "") in case.manifests
