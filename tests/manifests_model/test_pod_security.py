"""The Pod Security Standards as implemented are the published ones, row by row of their tables."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from policy.findings import FieldPath
from policy.manifests.decode import resources_of
from policy.manifests.pod_security import LATEST, Level, Violation, parse_level, parse_version, violations
from policy.manifests.workloads import workload

NEWEST = 37
VERSIONS = range(NEWEST + 1)


class Row(msgspec.Struct, frozen=True, rename="kebab", forbid_unknown_fields=True):
    """One row of the standard's table; versions are minor versions of Kubernetes 1."""

    control: str
    level: Level
    fields: list[str]
    allowed: list[Any] = []
    forbidden: list[Any] = []
    first: int = msgspec.field(default=0, name="from")
    until: int = NEWEST + 1
    allowed_from: int = 0
    linux_only_from: int = NEWEST + 1
    user_namespace_free_from: int = NEWEST + 1

    def refused_in(self, value: Any, *, exempt_from: int) -> list[int]:
        """The versions that refuse the value in a pod that is exempt from one on."""
        is_forbidden = repr(value) in map(repr, self.forbidden)  # 0 is not False
        until = min(self.until if is_forbidden else self.allowed_from, exempt_from)
        return [minor for minor in VERSIONS if self.first <= minor < until]


ROWS = msgspec.convert(
    yaml.safe_load((Path(__file__).parent / "pod_security.yaml").read_text(encoding="utf-8")), list[Row]
)


def paths(field: str) -> Iterator[FieldPath]:
    """``spec.containers[*].x`` as the path in each kind of container."""
    kinds = ("containers", "initContainers", "ephemeralContainers") if "[*]" in field else ("",)
    for kind in kinds:
        steps = re.findall(r"[^.\[\]]+", field.replace("containers[*]", f"{kind}[0]"))
        yield tuple(int(step) if step.isdigit() else step.replace("~", ".") for step in steps)


CASES = [
    (row, path, value)
    for row in ROWS
    for field in row.fields
    for path in paths(field)
    for value in (*row.allowed, *row.forbidden)
]
BASELINE_CASES = [case for case in CASES if case[0].level is Level.BASELINE]


def named(case: tuple[Row, FieldPath, Any]) -> str:
    row, path, value = case
    return f"{row.level.value}: {'.'.join(map(str, path))}={value!r}"


def pod(**spec: Any) -> dict[str, Any]:
    """A pod that satisfies the restricted level in every version, with a container of each kind."""
    own = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web"},
        "spec": {
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
            "initContainers": [{"name": "prepare", "securityContext": copy.deepcopy(own)}],
            "containers": [{"name": "app", "securityContext": copy.deepcopy(own)}],
            "ephemeralContainers": [{"name": "debug", "securityContext": copy.deepcopy(own)}],
            **spec,
        },
    }


def put(document: Any, path: FieldPath, value: Any) -> None:
    """Sets a field, and what it sits in; None removes it, and what would sit empty without it."""
    *parents, last = path
    holders = [document]
    for step, following in zip(parents, path[1:], strict=True):
        if isinstance(holders[-1], dict):
            holders[-1].setdefault(step, [{}] if isinstance(following, int) else {})
        holders.append(holders[-1][step])
    holders[-1][last] = value
    while value is None:
        del holders[-1][last]
        if holders.pop():
            return
        *parents, last = parents


def found(document: dict[str, Any], level: Level) -> list[Violation]:
    """What the level finds in the object's pods, in any version."""
    (resource,) = resources_of(document, 0)
    made = workload(resource)
    assert made is not None
    return list(violations(made, level))


def refused(document: dict[str, Any], level: Level) -> dict[tuple[str, FieldPath], list[int]]:
    """The versions that refuse a pod, by control and field."""
    by_field: dict[tuple[str, FieldPath], list[int]] = {}
    for violation in found(document, level):
        minors = [minor for minor in VERSIONS if violation.holds_in(minor)]
        by_field.setdefault((violation.control, violation.at.path), []).extend(minors)
    return {key: sorted(minors) for key, minors in by_field.items() if minors}


@pytest.mark.parametrize(("row", "path", "value"), CASES, ids=map(named, CASES))
def test_a_field_is_refused_in_exactly_the_versions_that_the_table_says(row: Row, path: FieldPath, value: Any) -> None:
    for spec, exempt_from in (
        ({}, NEWEST + 1),
        ({"os": {"name": "linux"}, "hostUsers": True}, NEWEST + 1),
        ({"os": {"name": "windows"}}, row.linux_only_from),
        ({"hostUsers": False}, row.user_namespace_free_from),
    ):
        document = pod(**spec)
        put(document, path, value)
        minors = row.refused_in(value, exempt_from=exempt_from)

        assert refused(document, row.level) == ({(row.control, path): minors} if minors else {})


@pytest.mark.parametrize(("row", "path", "value"), BASELINE_CASES, ids=map(named, BASELINE_CASES))
def test_what_baseline_refuses_restricted_refuses_too(row: Row, path: FieldPath, value: Any) -> None:
    document = pod()
    put(document, path, value)

    minors = {minor for minors in refused(document, Level.RESTRICTED).values() for minor in minors}

    assert minors.issuperset(row.refused_in(value, exempt_from=NEWEST + 1))


def test_the_privileged_level_refuses_nothing() -> None:
    for _, path, value in CASES:
        document = pod()
        put(document, path, value)

        assert found(document, Level.PRIVILEGED) == []


def test_the_pod_may_leave_to_its_containers_what_all_of_them_set() -> None:
    document = pod(securityContext={})
    for kind in ("initContainers", "containers", "ephemeralContainers"):
        put(document, ("spec", kind, 0, "securityContext", "runAsNonRoot"), True)
        put(document, ("spec", kind, 0, "securityContext", "seccompProfile", "type"), "Localhost")

    assert refused(document, Level.RESTRICTED) == {}


def test_the_one_container_that_sets_less_than_its_siblings_is_named() -> None:
    document = pod(securityContext={})
    for kind in ("initContainers", "containers"):
        put(document, ("spec", kind, 0, "securityContext", "runAsNonRoot"), True)
        put(document, ("spec", kind, 0, "securityContext", "seccompProfile", "type"), "RuntimeDefault")

    context = ("spec", "ephemeralContainers", 0, "securityContext")
    assert [(violation.at.path, violation.says) for violation in found(document, Level.RESTRICTED)] == [
        ((*context, "runAsNonRoot"), "runAsNonRoot is not set for ephemeral container debug"),
        ((*context, "seccompProfile", "type"), "no seccomp profile is set for ephemeral container debug"),
    ]


def test_a_container_does_not_make_up_for_a_pod_that_says_the_opposite() -> None:
    document = pod(securityContext={"runAsNonRoot": False, "seccompProfile": {"type": "Unconfined"}})
    for kind in ("initContainers", "containers", "ephemeralContainers"):
        put(document, ("spec", kind, 0, "securityContext", "runAsNonRoot"), True)
        put(document, ("spec", kind, 0, "securityContext", "seccompProfile", "type"), "RuntimeDefault")

    assert [str(violation.at.path[-1]) for violation in found(document, Level.RESTRICTED)] == ["runAsNonRoot", "type"]


def test_a_volume_of_no_type_is_an_empty_dir() -> None:
    document = pod(volumes=[{"name": "cache"}, {"name": "data", "emptyDir": None}, {"name": "logs", "hostPath": None}])

    assert refused(document, Level.RESTRICTED) == {}


def test_the_pods_of_a_template_are_judged_at_its_fields() -> None:
    template = pod(hostNetwork=True)
    template["metadata"] = {"annotations": {"container.apparmor.security.beta.kubernetes.io/app": "unconfined"}}
    document = {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": "report"},
        "spec": {"jobTemplate": {"spec": {"template": template}}},
    }
    prefix = ("spec", "jobTemplate", "spec", "template")
    annotation = (*prefix, "metadata", "annotations", "container.apparmor.security.beta.kubernetes.io/app")

    assert list(refused(document, Level.BASELINE)) == [
        ("Host Namespaces", (*prefix, "spec", "hostNetwork")),
        ("AppArmor", annotation),
    ]


@pytest.mark.parametrize(
    ("label", "minor"),
    [("latest", LATEST), ("v1.0", 0), ("v1.34", 34), ("1.34", None), ("v1.034", None), ("v2.0", None), ("", None)],
)
def test_a_version_label_is_read_as_the_api_server_reads_it(label: str, minor: int | None) -> None:
    assert parse_version(label) == minor


@pytest.mark.parametrize(
    ("label", "level"),
    [("baseline", Level.BASELINE), ("restricted", Level.RESTRICTED), ("Restricted", None), ("", None)],
)
def test_a_level_label_is_read_as_the_api_server_reads_it(label: str, level: Level | None) -> None:
    assert parse_level(label) is level
