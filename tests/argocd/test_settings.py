"""Argo CD's own settings, read by Argo CD's own command line."""

from __future__ import annotations

import mmap
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from policy.argocd.settings import CUSTOMIZATIONS, KNOWN, problems
from policy.manifests.decode import resources_of
from tests.argocd.conftest import Argocd, Manifest, Render, pinned_tool

SECRET = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "argocd-secret"},
    # Base64, and made up: the command wants both to be there.
    "data": {"server.secretkey": "bm90aGluZw==", "admin.password": "bm90aGluZw=="},
}
CUSTOMIZATION = re.compile(r"(resource\.customizations)\.(health|ignoreResourceUpdates)\.\S+")


def _write(path: Path, content: object) -> Path:
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


def _groups(argocd: Argocd, folder: Path, settings: object) -> dict[str, bool]:
    """Which groups of settings there are and whether each is valid. The exit code is 0 either way."""
    secret = _write(folder / "secret.yaml", SECRET)
    config = _write(folder / "argocd-cm.yaml", settings)
    done = argocd("validate", "--argocd-cm-path", config, "--argocd-secret-path", secret)
    assert done.returncode == 0, done.stderr
    return {name: mark == "✅" for mark, name in re.findall(r"^(✅|❌) (\S+)$", done.stdout, re.MULTILINE)}


def _known_groups(argocd: Argocd) -> set[str]:
    match = re.search(r"one of: ([^)]+)\)", argocd("validate", "--help").stdout)
    assert match
    return set(match[1].split(", "))


@pytest.fixture(scope="session")
def config(tree: Render) -> Manifest:
    return tree.of_kind("ConfigMap")["argocd-cm"]


def test_every_group_of_settings_is_valid(argocd: Argocd, tmp_path: Path, config: Manifest) -> None:
    groups = _known_groups(argocd)
    assert len(groups) >= 4
    assert _groups(argocd, tmp_path, config) == dict.fromkeys(groups, True)


BROKEN = [
    ({"accounts.robot": "apiKey", "accounts.robot.enabled": "perhaps"}, ["accounts"]),
    ({"oidc.config": "issuer: ["}, ["general"]),
    ({"kustomize.path.v5": "/one", "kustomize.version.v5": "/another"}, ["kustomize"]),
    ({"resource.customizations.ignoreResourceUpdates.all": "jsonPointers: ["}, ["resource-overrides"]),
    # It does not look into scripts: test_health runs them.
    ({"resource.customizations.health.networking.k8s.io_Ingress": "no Lua"}, []),
]


@pytest.mark.parametrize(("broken", "groups"), BROKEN, ids=lambda value: next(iter(value), "no group"))
def test_a_broken_setting_is_seen(
    broken: dict[str, str], groups: list[str], argocd: Argocd, tmp_path: Path, config: Manifest
) -> None:
    settings = {**config, "data": {**config["data"], **broken}}
    assert [name for name, valid in _groups(argocd, tmp_path, settings).items() if not valid] == groups


PASSED_ON = {"timeout.hard.reconciliation", "timeout.reconciliation", "timeout.reconciliation.jitter"}
"""The installation gives these to its components by environment variables: their names are in its manifests alone."""

NOT_IN_THE_BINARY = {
    "dex.storage": "newer than the pinned version",
    "repository.credentials": "no longer read since 3.0",
    **dict.fromkeys(PASSED_ON, "passed on by an environment variable"),
}


def test_every_key_is_one_that_argo_cd_reads(config: Manifest) -> None:
    """`validate` passes over a key that is misspelled; the binary holds every key that it reads."""
    keys = {word for key in config["data"] if key not in PASSED_ON for word in _words(key)}
    with pinned_tool("argocd").open("rb") as binary, mmap.mmap(binary.fileno(), 0, access=mmap.ACCESS_READ) as content:
        assert {key for key in keys if content.find(key.encode()) < 0} == set()
        assert content.find(b"helm.enabld") < 0


def test_the_keys_that_the_policy_package_knows_are_argo_cds() -> None:
    with pinned_tool("argocd").open("rb") as binary, mmap.mmap(binary.fileno(), 0, access=mmap.ACCESS_READ) as content:
        missing = {key for key in KNOWN | set(CUSTOMIZATIONS) if content.find(key.encode()) < 0}
    assert missing == NOT_IN_THE_BINARY.keys()


def test_what_argo_cd_calls_broken_the_policy_package_does_too(config: Manifest) -> None:
    for broken, groups in BROKEN:
        (resource,) = resources_of({**config, "data": {**config["data"], **broken}}, 0)
        assert bool(list(problems(resource, None))) == bool(groups), broken
    (resource,) = resources_of(config, 0)
    assert list(problems(resource, None)) == []


def _words(key: str) -> tuple[str, ...]:
    """The parts of a key that Argo CD knows: of a customization it knows all but the kind that it is for."""
    match = CUSTOMIZATION.fullmatch(key)
    return (match[1], match[2]) if match else (key,)


def test_argo_cd_sees_its_settings_by_their_label(tree: Render) -> None:
    for item in tree.of_kind("ConfigMap").values():
        assert item["metadata"]["labels"]["app.kubernetes.io/part-of"] == "argocd"


def _ingress(**status: object) -> dict[str, Any]:
    metadata = {"name": "ingress", "namespace": "any"}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": metadata, "spec": {}, "status": status}


def _autoscaler(*conditions: tuple[str, str, str, int]) -> dict[str, Any]:
    """An autoscaler with conditions: type, status, reason, and for how many seconds before it is judged."""
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "autoscaler", "namespace": "any"},
        "spec": {"maxReplicas": 3, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "any"}},
        "status": {
            "conditions": [
                {
                    "type": kind,
                    "status": status,
                    "reason": reason,
                    "message": f"{reason}, says the autoscaler",
                    "lastTransitionTime": timedelta(seconds=seconds),
                }
                for kind, status, reason, seconds in conditions
            ],
        },
    }


def _as_of_now(value: Any) -> Any:
    """With times in place of ages: a suite may run for longer than a failure stays new."""
    if isinstance(value, timedelta):
        return (datetime.now(UTC) - value).strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, dict):
        return {key: _as_of_now(item) for key, item in value.items()}
    return [_as_of_now(item) for item in value] if isinstance(value, list) else value


ABLE = ("AbleToScale", "True", "SucceededGetScale", 900)
ACTIVE = ("ScalingActive", "True", "ValidMetricFound", 900)
NEW_FAILURE = ("ScalingActive", "False", "FailedGetResourceMetric", 60)
OLD_FAILURE = ("ScalingActive", "False", "FailedGetResourceMetric", 400)

HEALTH: dict[str, tuple[dict[str, Any], str, str]] = {
    "an Ingress that nobody looked at": (_ingress(), "Healthy", "Progressing"),
    "an Ingress without an address": (_ingress(loadBalancer={}), "Healthy", "Progressing"),
    "an Ingress with no addresses": (_ingress(loadBalancer={"ingress": []}), "Healthy", "Progressing"),
    "an Ingress with an address": (_ingress(loadBalancer={"ingress": [{"ip": "192.0.2.1"}]}), "Healthy", "Healthy"),
    "an autoscaler that nobody looked at": (_autoscaler(), "Progressing", "Progressing"),
    "an autoscaler that scales": (_autoscaler(ABLE, ACTIVE), "Healthy", "Healthy"),
    "an autoscaler whose first metrics are not there yet": (_autoscaler(ABLE, NEW_FAILURE), "Progressing", "Degraded"),
    "an autoscaler without metrics for long": (_autoscaler(ABLE, OLD_FAILURE), "Degraded", "Degraded"),
    "an autoscaler that fails anew after another failure": (
        _autoscaler(("AbleToScale", "False", "FailedGetScale", 10), NEW_FAILURE),
        "Degraded",
        "Degraded",
    ),
    "an autoscaler that cannot scale": (
        _autoscaler(("AbleToScale", "False", "FailedUpdateScale", 10), ACTIVE),
        "Degraded",
        "Degraded",
    ),
    "an autoscaler with a wrong selector": (
        _autoscaler(ABLE, ("ScalingActive", "False", "InvalidSelector", 10)),
        "Degraded",
        "Degraded",
    ),
    "an autoscaler at its limit": (
        _autoscaler(("ScalingLimited", "True", "TooManyReplicas", 10), ACTIVE),
        "Healthy",
        "Healthy",
    ),
}


@pytest.fixture(scope="session")
def said(argocd: Argocd, tmp_path_factory: pytest.TempPathFactory, config: Manifest) -> dict[tuple[str, str], str]:
    """Every case asked twice, with our settings and with none: the status that Argo CD gives."""
    folder = tmp_path_factory.mktemp("health")
    settings = {
        "ours": _write(folder / "ours.yaml", config),
        "none": _write(folder / "none.yaml", {**config, "data": {}}),
    }
    questions = [(case, name) for case in HEALTH for name in settings]

    def ask(question: tuple[str, str]) -> str:
        case, name = question
        resource = _write(folder / f"{case} {name}.yaml", _as_of_now(HEALTH[case][0]))
        done = argocd("resource-overrides", "health", resource, "--argocd-cm-path", settings[name])
        status = re.search(r"^STATUS: (\w+)$", done.stdout, re.MULTILINE)
        return status[1] if status else done.stderr

    with ThreadPoolExecutor(2) as pool:
        return dict(zip(questions, pool.map(ask, questions), strict=True))


@pytest.mark.parametrize("case", HEALTH)
def test_health(case: str, said: dict[tuple[str, str], str]) -> None:
    """What it is without our settings shows that they are what makes it so."""
    _, ours, default = HEALTH[case]
    assert (said[case, "ours"], said[case, "none"]) == (ours, default)


def test_every_health_script_has_cases(config: Manifest) -> None:
    prefix = "resource.customizations.health."
    overridden = {key.removeprefix(prefix).rpartition("_")[2] for key in config["data"] if key.startswith(prefix)}
    assert {manifest["kind"] for manifest, ours, default in HEALTH.values() if ours != default} == overridden


def test_what_argo_cd_writes_into_an_application_is_not_looked_at(
    argocd: Argocd, tmp_path: Path, config: Manifest
) -> None:
    """Under another name: the command for updates never finds any, but both sorts are read and applied alike."""
    data = {key.replace("ignoreResourceUpdates", "ignoreDifferences"): value for key, value in config["data"].items()}
    settings = _write(tmp_path / "argocd-cm.yaml", {**config, "data": data})
    application = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {
            "name": "any",
            "annotations": {
                "argocd.argoproj.io/refresh": "hard",
                "argocd.argoproj.io/refresh-timestamp": "now",
                "other": "stays",
            },
        },
        "spec": {"project": "any"},
        "status": {"health": {}},
        "operation": {"sync": {}},
    }
    resource = _write(tmp_path / "application.yaml", application)
    done = argocd("resource-overrides", "ignore-differences", resource, "--argocd-cm-path", settings)
    assert [line[1:].strip() for line in done.stdout.splitlines() if line.startswith("<")] == [
        "argocd.argoproj.io/refresh: hard",
        "argocd.argoproj.io/refresh-timestamp: now",
        "operation:",
        "sync: {}",
        "status:",
        "health: {}",
    ]
