"""The project and the Application of each environment, held against what its overlay really renders."""

from __future__ import annotations

import re
import shutil
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.argocd.conftest import ENVIRONMENTS, ROOT, Manifest, Render, annotations_of, build, kind_of

SYNC_OPTIONS = [
    "ServerSideApply=true",
    "PruneLast=true",
    "PrunePropagationPolicy=foreground",
    "FailOnSharedResource=true",
    "ApplyOutOfSyncOnly=true",
]

environments = pytest.mark.parametrize("environment", ENVIRONMENTS)


@environments
def test_the_project_allows_exactly_the_kinds_that_the_overlay_renders(
    environment: str, overlays: dict[str, Render], projects: dict[str, Manifest]
) -> None:
    spec = projects[environment]["spec"]
    allowed = [(item["group"], item["kind"]) for item in spec["namespaceResourceWhitelist"]]
    rendered = {kind_of(item) for item in overlays[environment].objects if "namespace" in item["metadata"]}
    assert sorted(allowed) == sorted(rendered)
    assert "namespaceResourceBlacklist" not in spec
    assert "clusterResourceBlacklist" not in spec


@environments
def test_of_what_has_no_namespace_the_project_allows_its_own_namespace_only(
    environment: str, overlays: dict[str, Render], projects: dict[str, Manifest]
) -> None:
    without = [item for item in overlays[environment].objects if "namespace" not in item["metadata"]]
    assert [kind_of(item) for item in without] == [("", "Namespace")]
    name = without[0]["metadata"]["name"]
    assert projects[environment]["spec"]["clusterResourceWhitelist"] == [
        {"group": "", "kind": "Namespace", "name": name}
    ]


@environments
def test_one_repository_and_one_destination_which_is_the_overlays_namespace(
    environment: str, overlays: dict[str, Render], projects: dict[str, Manifest], applications: dict[str, Manifest]
) -> None:
    [namespace] = overlays[environment].of_kind("Namespace")
    assert {item["metadata"].get("namespace", namespace) for item in overlays[environment].objects} == {namespace}
    spec = applications[environment]["spec"]
    assert spec["destination"] == {"server": "https://kubernetes.default.svc", "namespace": namespace}
    assert projects[environment]["spec"]["destinations"] == [spec["destination"]]
    assert projects[environment]["spec"]["sourceRepos"] == [spec["source"]["repoURL"]]


def test_no_environment_shares_a_project_or_a_namespace(applications: dict[str, Manifest]) -> None:
    for values in (
        [item["spec"]["project"] for item in applications.values()],
        [item["spec"]["destination"]["namespace"] for item in applications.values()],
    ):
        assert len(set(values)) == len(ENVIRONMENTS)


def test_no_application_is_in_the_default_project(tree: Render) -> None:
    assert "default" not in {item["spec"]["project"] for item in tree.of_kind("Application").values()}


def test_every_application_is_synced_alike(tree: Render) -> None:
    policies = {name: item["spec"]["syncPolicy"] for name, item in tree.of_kind("Application").items()}
    for name, policy in policies.items():
        assert policy["automated"] == {"prune": True, "selfHeal": True, "allowEmpty": False}, name
        assert policy["syncOptions"] == SYNC_OPTIONS, name
        application = tree.of_kind("Application")[name]
        assert annotations_of(application)["argocd.argoproj.io/compare-options"] == "ServerSideDiff=true", name
        assert "finalizers" not in application["metadata"], "its removal would delete what it deployed"
        assert "ignoreDifferences" not in application["spec"], name


def test_retries_grow_and_end_before_the_sync_is_given_up(tree: Render) -> None:
    given_up = int(tree.of_kind("ConfigMap")["argocd-cmd-params-cm"]["data"]["controller.sync.timeout.seconds"])
    for name, application in tree.of_kind("Application").items():
        retry = application["spec"]["syncPolicy"]["retry"]
        backoff = retry["backoff"]
        assert 0 < retry["limit"] <= 10, name
        assert backoff["factor"] > 1, name
        assert retry["refresh"], "the mending commit would wait for the last attempt with the broken one"
        first, longest = _seconds(backoff["duration"]), _seconds(backoff["maxDuration"])
        waits = [min(first * backoff["factor"] ** attempt, longest) for attempt in range(retry["limit"])]
        assert sum(waits) < given_up / 2, name


def test_a_replica_count_that_an_autoscaler_sets_is_not_rendered(overlays: dict[str, Render]) -> None:
    """So no difference in it needs to be ignored."""
    for name, overlay in overlays.items():
        targets = [
            item["spec"]["scaleTargetRef"]["name"] for item in overlay.of_kind("HorizontalPodAutoscaler").values()
        ]
        assert targets, name
        assert [target for target in targets if "replicas" in overlay.of_kind("Deployment")[target]["spec"]] == []


@environments
def test_the_refresh_paths_are_all_that_the_overlay_is_rendered_from(
    environment: str, overlays: dict[str, Render], applications: dict[str, Manifest], kustomize: Path, tmp_path: Path
) -> None:
    """A copy of nothing but these paths renders the same; without any one of them it renders no more."""
    source = applications[environment]["spec"]["source"]["path"]
    paths = _refresh_paths(applications[environment])
    for path in paths:
        shutil.copytree(ROOT / path, tmp_path / path)
    assert build(kustomize, tmp_path / source) == overlays[environment].text
    for path in paths:
        (tmp_path / path).rename(tmp_path / "away")
        with pytest.raises(AssertionError):
            build(kustomize, tmp_path / source)
        (tmp_path / "away").rename(tmp_path / path)


def test_the_refresh_path_of_argo_cd_itself_is_its_folder(tree: Render) -> None:
    application = tree.of_kind("Application")["argocd"]
    assert _refresh_paths(application) == [Path("argocd")] == [Path(application["spec"]["source"]["path"])]


@environments
def test_what_holds_data_is_not_deleted_without_a_word(environment: str, overlays: dict[str, Render]) -> None:
    guarded: list[Any] = [
        item for kind in ("Namespace", "StatefulSet") for item in overlays[environment].of_kind(kind).values()
    ]
    guarded += [claim for item in guarded for claim in item.get("spec", {}).get("volumeClaimTemplates", [])]
    assert len(guarded) > 2
    for item in guarded:
        assert annotations_of(item)["argocd.argoproj.io/sync-options"] == "Prune=confirm,Delete=confirm"


WEEK = datetime(2030, 1, 7)  # a Monday


@pytest.mark.parametrize(
    ("moment", "closed"),
    [
        (timedelta(days=0, hours=5, minutes=59), True),
        (timedelta(days=0, hours=6), False),
        (timedelta(days=2, hours=2), False),
        (timedelta(days=4, hours=15, minutes=59), False),
        (timedelta(days=4, hours=16), True),
        (timedelta(days=5, hours=12), True),
        (timedelta(days=6, hours=23, minutes=59), True),
    ],
)
def test_prod_is_closed_on_weekends(moment: timedelta, closed: bool, projects: dict[str, Manifest]) -> None:
    windows = projects["prod"]["spec"]["syncWindows"]
    assert any(_is_open(window, WEEK + moment) for window in windows) is closed


def test_a_closed_window_lets_a_person_sync_and_a_running_sync_end(projects: dict[str, Manifest]) -> None:
    for window in projects["prod"]["spec"]["syncWindows"]:
        assert (window["kind"], window["manualSync"], window["syncOverrun"]) == ("deny", True, True)
        assert window["applications"] == ["*"]
        assert window["timeZone"] == "Etc/UTC"


def test_only_prod_has_windows(projects: dict[str, Manifest]) -> None:
    assert [name for name, item in projects.items() if item["spec"].get("syncWindows")] == ["prod"]


@environments
def test_strays_are_shown(environment: str, projects: dict[str, Manifest]) -> None:
    assert projects[environment]["spec"]["orphanedResources"] == {"warn": True}


def _refresh_paths(application: Manifest) -> list[Path]:
    value = annotations_of(application)["argocd.argoproj.io/manifest-generate-paths"]
    paths = [path for path in value.split(";") if path]
    assert all(path.startswith("/") for path in paths), "relative ones would be relative to the overlay"
    return [Path(path[1:]) for path in paths]


def _seconds(text: str) -> int:
    """A duration of one unit, e.g. ``3m``."""
    match = re.fullmatch(r"(\d+)([smh])", text)
    assert match, text
    return int(match[1]) * {"s": 1, "m": 60, "h": 3600}[match[2]]


def _is_open(window: Manifest, moment: datetime) -> bool:
    """Whether a window that begins on one day of the week, at one time, is open."""
    minute, hour, day, month, weekday = window["schedule"].split()
    assert (day, month) == ("*", "*")
    days_ago = (moment.isoweekday() - int(weekday)) % 7
    begun = moment.replace(hour=int(hour), minute=int(minute)) - timedelta(days=days_ago)
    if begun > moment:
        begun -= timedelta(days=7)
    return moment < begun + timedelta(seconds=_seconds(window["duration"]))
