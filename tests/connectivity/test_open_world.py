"""What is proven holds for pods that are not in Git: what somebody runs is among what the evaluator thinks possible.

Such a pod is put into a namespace of the cluster, without labels (what labels would let it through there is the rule
policy-exposure's to say), or into a new one, with whatever labels; its ports have whatever names. It is decided slowly.
"""

from __future__ import annotations

import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from policy.connectivity.endpoints import Endpoint, EndpointKind
from policy.connectivity.ports import PortSet

from . import naive
from .fast import Evaluator
from .few import FEW, few_are
from .random_clusters import NUMBERS, PROTOCOLS, Maker, Manifests
from .test_agreement import DERANDOMIZE, EXAMPLES

NEW = "new-namespace"


def strange(seed: int, made: Manifests) -> list[dict[str, Any]]:
    """A pod that nobody declared, and its namespace, if nobody declared that one either."""
    maker, chance = Maker(seed + 1), random.Random(seed)
    workloads = [each for each in made.documents if each["kind"] not in ("Namespace", "NetworkPolicy")]
    namespace = chance.choice([NEW, workloads[0]["metadata"]["namespace"]])
    labels = maker.labels() if namespace == NEW else {}
    pod: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "strange", "namespace": namespace, "labels": labels},
        "spec": maker.pod(),
    }
    pod["spec"].pop("hostNetwork", None)
    stated = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NEW, "labels": maker.labels()}}
    return [pod, stated] if namespace == NEW else [pod]


@settings(max_examples=EXAMPLES, derandomize=DERANDOMIZE, deadline=None, database=None)
@given(st.integers(0, 2**64 - 1), FEW)
def test_whatever_somebody_runs_was_thought_possible(seed: int, few: int) -> None:
    with few_are(few):
        _is_thought_possible(seed)


def _is_thought_possible(seed: int) -> None:
    made = Maker(seed).cluster()
    evaluator = Evaluator(made.documents, made.pod_networks, made.node_networks)
    cluster = naive.read((*made.documents, *strange(seed, made)), made.pod_networks, made.node_networks)
    pod = next(each for each in cluster.pods if each.name == "strange")
    assert isinstance(pod, naive.Pod)
    end = unlisted(evaluator, pod)
    for other in cluster.pods:
        if other is not pod:
            for source, destination in ((pod, other), (other, pod)):
                known = evaluator.end(f"{other.namespace}/{other.name}")
                ends = (end, known) if source is pod else (known, end)
                surely, possibly = evaluator.connectivity.allowed_bounds(*ends)
                for protocol in PROTOCOLS:
                    for number in (*NUMBERS, 54):
                        found = naive.allowed(cluster, source, destination, protocol, number)
                        assert not found.possibly or _has(possibly, protocol, number), (ends, protocol, number, found)
                        assert found.surely or not _has(surely, protocol, number), (ends, protocol, number, found)


def unlisted(evaluator: Evaluator, pod: naive.Pod) -> Endpoint:
    """The endpoint that stands for pods such as this one."""
    kind = EndpointKind.STRANGER if pod.namespace == NEW else EndpointKind.UNLISTED
    (found,) = [
        each
        for each in evaluator.connectivity.endpoints
        if each.type is kind and (kind is EndpointKind.STRANGER or each.namespace == pod.namespace)
    ]
    return found


def _has(ports: PortSet, protocol: str, number: int) -> bool:
    return any(each.protocol == protocol and each.first <= number <= each.last for each in ports)
