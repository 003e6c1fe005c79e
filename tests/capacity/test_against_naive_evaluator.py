"""The sums against a second evaluator that is slow on purpose: it makes every pod, and starts every container.

It shares no code with the first one: quantities are small integers that it writes itself, a pod's need is the largest
of the moments that it lives through, and each rollout is played in turn.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from policy.capacity.namespace import NamespacePeak
from policy.capacity.remedy import Overrun, cause
from policy.manifests.quantities import NANO
from policy.manifests.resources import ResourceQuota
from tests.capacity.manifests import demand_of, index_of

RESOURCES = ("cpu", "memory")
KEYS = (
    "pods",
    "cpu",
    "requests.cpu",
    "limits.cpu",
    "memory",
    "requests.memory",
    "limits.memory",
    "persistentvolumeclaims",
    "requests.storage",
)


@dataclass(frozen=True)
class Box:
    """A container: milli-cpu and bytes, None where nothing is stated."""

    kind: str  # main, init or sidecar
    requests: dict[str, int]
    limits: dict[str, int]


@dataclass(frozen=True)
class Thing:
    """A workload."""

    kind: str
    boxes: tuple[Box, ...]
    overhead: dict[str, int]
    replicas: int | None = None
    maximum: int | None = None
    surge: str | int | None = None
    recreate: bool = False
    storage: int | None = None
    completions: int | None = None


@dataclass(frozen=True)
class World:
    things: tuple[Thing, ...]
    default: dict[str, int]
    default_request: dict[str, int]


AMOUNTS = st.dictionaries(st.sampled_from(RESOURCES), st.integers(1, 3000), max_size=2)
BOXES = st.builds(Box, st.sampled_from(("main", "init", "sidecar")), AMOUNTS, AMOUNTS)
SOME_BOXES = st.lists(BOXES, min_size=1, max_size=5).map(
    lambda boxes: (*(box for box in boxes if box.kind != "main"), Box("main", {}, {}), *boxes[:1])
)
THINGS = st.builds(
    Thing,
    kind=st.sampled_from(("Deployment", "StatefulSet", "ReplicaSet", "Pod", "Job", "CronJob")),
    boxes=SOME_BOXES.map(tuple),
    overhead=st.one_of(st.just({}), AMOUNTS),
    replicas=st.one_of(st.none(), st.integers(0, 7)),
    maximum=st.one_of(st.none(), st.integers(1, 40)),
    surge=st.one_of(st.none(), st.integers(0, 5), st.integers(0, 200).map(lambda share: f"{share}%")),
    recreate=st.booleans(),
    storage=st.one_of(st.none(), st.integers(1, 9)),
    completions=st.one_of(st.none(), st.integers(0, 5)),
)
WORLDS = st.builds(World, st.lists(THINGS, max_size=5).map(tuple), AMOUNTS, AMOUNTS)


def written(resource: str, amount: int) -> str:
    return f"{amount}m" if resource == "cpu" else str(amount)


def manifests(world: World, hard: dict[str, str]) -> list[dict[str, Any]]:
    """The world as Kubernetes objects."""
    objects: list[dict[str, Any]] = [
        {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "all"}, "spec": {"hard": hard}},
        {
            "apiVersion": "v1",
            "kind": "LimitRange",
            "metadata": {"name": "defaults"},
            "spec": {
                "limits": [
                    {
                        "type": "Container",
                        "default": {name: written(name, amount) for name, amount in world.default.items()},
                        "defaultRequest": {
                            name: written(name, amount) for name, amount in world.default_request.items()
                        },
                    }
                ]
            },
        },
    ]
    for number, thing in enumerate(world.things):
        objects += thing_manifests(thing, f"thing-{number}")
    return objects


def thing_manifests(thing: Thing, name: str) -> list[dict[str, Any]]:
    pod: dict[str, Any] = {
        "containers": [container(box) for box in thing.boxes if box.kind == "main"],
        "initContainers": [container(box) for box in thing.boxes if box.kind != "main"],
        "overhead": {key: written(key, amount) for key, amount in thing.overhead.items()},
    }
    spec: dict[str, Any] = {"template": {"spec": pod}}
    group = "apps/v1"
    if thing.kind == "Pod":
        spec, group = pod, "v1"
    elif thing.kind in ("Job", "CronJob"):
        group = "batch/v1"
        spec["parallelism"], spec["completions"] = thing.replicas, thing.completions
        if thing.kind == "CronJob":
            spec = {"jobTemplate": {"spec": spec}, "concurrencyPolicy": "Forbid"}
    else:
        spec["replicas"] = thing.replicas
    if thing.kind == "Deployment":
        spec["strategy"] = {"type": "Recreate"} if thing.recreate else {"rollingUpdate": {"maxSurge": thing.surge}}
    if thing.kind == "StatefulSet" and thing.storage:
        spec["volumeClaimTemplates"] = [
            {"metadata": {"name": "data"}, "spec": {"resources": {"requests": {"storage": f"{thing.storage}Gi"}}}}
        ]
    objects = [{"apiVersion": group, "kind": thing.kind, "metadata": {"name": name}, "spec": spec}]
    if thing.maximum and thing.kind in ("Deployment", "StatefulSet", "ReplicaSet"):
        target = {"apiVersion": group, "kind": thing.kind, "name": name}
        scaler = {"scaleTargetRef": target, "maxReplicas": thing.maximum, "minReplicas": 1}
        meta = {"name": name}
        objects.append(
            {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": meta, "spec": scaler}
        )
    return objects


def container(box: Box) -> dict[str, Any]:
    raw: dict[str, Any] = {
        "name": "box",
        "resources": {
            "requests": {name: written(name, amount) for name, amount in box.requests.items()},
            "limits": {name: written(name, amount) for name, amount in box.limits.items()},
        },
    }
    return {**raw, "restartPolicy": "Always"} if box.kind == "sidecar" else raw


def admitted(box: Box, world: World) -> tuple[dict[str, int], dict[str, int]]:
    """Requests and limits once the API server has filled them in."""
    requests, limits = dict(box.requests), dict(box.limits)
    for resource in RESOURCES:
        if resource in limits:
            requests.setdefault(resource, limits[resource])
    for resource in RESOURCES:
        if resource in world.default:
            limits.setdefault(resource, world.default[resource])
        for source in (world.default_request, world.default):
            if resource in source:
                requests.setdefault(resource, source[resource])
                break
    return requests, limits


def need_of_pod(thing: Thing, world: World, resource: str, side: int) -> int:
    """The largest moment in the life of a pod: each init container in turn, then all that stays."""
    running: list[int] = []
    moments = [0]
    for box in thing.boxes:
        amount = admitted(box, world)[side].get(resource, 0)
        if box.kind == "sidecar":
            running.append(amount)
        elif box.kind == "init":
            moments.append(sum(running) + amount)
    running += [admitted(box, world)[side].get(resource, 0) for box in thing.boxes if box.kind == "main"]
    moments.append(sum(running))
    stated = any(resource in admitted(box, world)[side] for box in thing.boxes)
    overhead = thing.overhead.get(resource, 0) if side == 0 or stated else 0
    return max(moments) + overhead


def pods_of(thing: Thing) -> int:
    if thing.kind == "Pod":
        return 1
    if thing.kind in ("Job", "CronJob"):
        parallel = 1 if thing.replicas is None else thing.replicas
        return parallel if thing.completions is None else min(parallel, thing.completions)
    if thing.maximum and thing.replicas != 0:
        return thing.maximum
    return 1 if thing.replicas is None else thing.replicas


def surge_of(thing: Thing) -> int:
    if thing.kind != "Deployment" or thing.recreate:
        return 0
    surge = "25%" if thing.surge is None else thing.surge
    extra = ceil(Fraction(int(surge[:-1]) * pods_of(thing), 100)) if isinstance(surge, str) else surge
    return min(extra, pods_of(thing))


def naive_sum(world: World, key: str) -> int:
    """In the unit of ``written``: milli-cpu, bytes, pieces."""
    rollouts = [None, *range(len(world.things))]
    return max(sum_in_rollout(world, key, rolling) for rolling in rollouts)


def sum_in_rollout(world: World, key: str, rolling: int | None) -> int:
    total = 0
    for number, thing in enumerate(world.things):
        pods = pods_of(thing) + (surge_of(thing) if number == rolling else 0)
        for _ in range(pods):
            total += charge(thing, world, key)
    return total


def charge(thing: Thing, world: World, key: str) -> int:
    if key == "pods":
        return 1
    if key in ("persistentvolumeclaims", "requests.storage"):
        if thing.kind != "StatefulSet" or not thing.storage:
            return 0
        return 1 if key == "persistentvolumeclaims" else thing.storage * 1024**3
    return need_of_pod(thing, world, key.rpartition(".")[2], 1 if key.startswith("limits.") else 0)


def in_nano(key: str, amount: int) -> int:
    return amount * (NANO // 1000 if key.endswith("cpu") else NANO)


@settings(max_examples=150, deadline=None)
@given(WORLDS, st.sampled_from(KEYS))
def test_both_evaluators_agree(world: World, key: str) -> None:
    index = index_of(manifests(world, {key: "1"}))

    demand = demand_of(index, key)

    assert demand.total == in_nano(key, naive_sum(world, key))
    assert not demand.gaps


@settings(max_examples=150, deadline=None)
@given(WORLDS, st.sampled_from(("pods", "requests.cpu", "limits.memory")), st.integers(0, 100))
def test_the_highest_maximum_that_is_offered_fits_and_the_next_does_not(world: World, key: str, share: int) -> None:
    amount = naive_sum(world, key) * share // 100
    index = index_of(manifests(world, {key: written(key.rpartition(".")[2], amount)}))
    (quota,) = index.all(ResourceQuota)
    namespace = NamespacePeak("", index)
    demand = namespace.demand(quota, key)
    hard = in_nano(key, amount)
    if demand.total <= hard:
        return

    found = cause(Overrun(quota, key, hard, demand), namespace)

    if found.autoscaler is None:
        assert found.at.path == ("spec", "hard", key)
        return
    assert found.at.path == ("spec", "maxReplicas")
    assert found.highest is not None
    number = int(found.autoscaler.ref.name.removeprefix("thing-"))
    assert naive_sum(with_maximum(world, number, found.highest), key) <= amount
    assert naive_sum(with_maximum(world, number, found.highest + 1), key) > amount


def with_maximum(world: World, number: int, maximum: int) -> World:
    things = list(world.things)

    things[number] = replace(things[number], maximum=maximum)
    return World(tuple(things), world.default, world.default_request)
