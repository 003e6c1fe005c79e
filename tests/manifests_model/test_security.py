"""A security setting takes effect from the container, or from its pod; what is missing has one place to be added."""

from __future__ import annotations

from typing import Any

import yaml

from policy.manifests.decode import resources_of
from policy.manifests.security import by_field, host_process, listed, run_as_group, run_as_user
from policy.manifests.workloads import Workload, workload


def deployment(pod: str) -> Workload:
    document: dict[str, Any] = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {"template": {"spec": yaml.safe_load(pod)}},
    }
    (resource,) = resources_of(document, 0)
    made = workload(resource)
    assert made is not None
    return made


POD = ("spec", "template", "spec", "securityContext")
APP = ("spec", "template", "spec", "containers", 0, "securityContext")
PROXY = ("spec", "template", "spec", "containers", 1, "securityContext")


def test_a_containers_own_value_goes_before_its_pods() -> None:
    web = deployment("""
        securityContext: {runAsUser: 10001}
        containers:
          - {name: app, securityContext: {runAsUser: 0}}
          - {name: proxy}
    """)

    assert [(setting.value, setting.at.path) for setting in run_as_user(web)] == [
        (0, (*APP, "runAsUser")),
        (10001, (*POD, "runAsUser")),
    ]


def test_a_setting_that_no_container_has_belongs_in_the_pod() -> None:
    web = deployment("containers: [{name: app}, {name: proxy, securityContext: {privileged: false}}]")

    assert [(setting.value, setting.at.path) for setting in run_as_group(web)] == [(None, (*POD, "runAsGroup"))] * 2


def test_a_setting_that_a_sibling_has_belongs_in_the_container() -> None:
    web = deployment("containers: [{name: app, securityContext: {runAsGroup: 5}}, {name: proxy}]")

    assert [(setting.value, setting.at.path) for setting in run_as_group(web)] == [
        (5, (*APP, "runAsGroup")),
        (None, (*PROXY, "runAsGroup")),
    ]


def test_an_explicit_false_of_the_pod_is_inherited() -> None:
    web = deployment("""
        securityContext: {windowsOptions: {hostProcess: false}}
        containers: [{name: app, securityContext: {windowsOptions: {hostProcess: true}}}, {name: proxy}]
    """)

    assert [(setting.value, setting.at.path) for setting in host_process(web)] == [
        (True, (*APP, "windowsOptions", "hostProcess")),
        (False, (*POD, "windowsOptions", "hostProcess")),
    ]


def test_settings_that_one_field_decides_are_told_together() -> None:
    web = deployment("""
        containers: [{name: app}, {name: proxy}]
        initContainers: [{name: prepare}, {name: logs, restartPolicy: Always}]
    """)

    ((setting, containers),) = by_field(run_as_user(web))

    assert setting.at.path == (*POD, "runAsUser")
    assert listed(containers) == "init container prepare, sidecar container logs, container app and container proxy"
    assert listed(containers[2:]) == "container app and container proxy"
    assert listed(containers[:1]) == "init container prepare"
