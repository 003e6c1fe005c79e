"""The two evaluators agree on random clusters: on what is surely possible, and on what is possibly so.

``surely`` may be missed by the fast one in one place: where two or more policies may or may not select a pod, since it
does not try all combinations. It must never be claimed, and nothing possible may be missed.
"""

from __future__ import annotations

import ipaddress
import itertools
import os
import random
from collections.abc import Iterable, Iterator

from hypothesis import given, settings
from hypothesis import strategies as st

from policy.connectivity.endpoints import Endpoint
from policy.connectivity.matrix import Connectivity
from policy.connectivity.ports import NO_PORTS, PortSet
from policy.connectivity.sides import End

from . import naive
from .cases import Decision
from .fast import Evaluator
from .few import FEW, few_are
from .random_clusters import ADDRESSES, NUMBERS, PROTOCOLS, Maker, Manifests, smaller

EXAMPLES = int(os.environ.get("HYPOTHESIS_EXAMPLES", "300"))
"""How many clusters are tried. Set it for a longer search, which is another one each time."""

DERANDOMIZE = "HYPOTHESIS_EXAMPLES" not in os.environ
DECISIONS = 200
"""How many connections of each cluster are decided, at random."""

PORTS = (*NUMBERS, 1, 52, 54, 79, 82, 1023, 1024, 8079, 8081, 65535)


def decisions(cluster: naive.Cluster, seed: int) -> Iterator[Decision]:
    """Connections between pods, and between a pod and an address, at ports where something may change."""
    chance = random.Random(seed)
    pods = [f"{pod.namespace}/{pod.name}" for pod in cluster.pods]
    for _ in range(DECISIONS):
        one, other = chance.choice(pods), chance.choice([*pods, *pods, *ADDRESSES])
        ends = (one, other) if chance.random() < 0.5 else (other, one)
        yield (*ends, chance.choice(PROTOCOLS), chance.choice(PORTS))


def is_undecided(cluster: naive.Cluster) -> bool:
    """Whether two policies or more may or may not select one pod."""
    doubtful = [
        (policy, pod)
        for policy, pod in itertools.product(cluster.policies, cluster.pods)
        if policy["metadata"]["namespace"] == pod.namespace
        and naive.selects(policy["spec"].get("podSelector") or {}, pod.labels) is None
    ]
    return any(one is other for (_, one), (_, other) in itertools.combinations(doubtful, 2))


def disagreements(made: Manifests, seed: int) -> Iterator[str]:
    cluster = naive.read(made.documents, made.pod_networks, made.node_networks)
    evaluator = Evaluator(made.documents, made.pod_networks, made.node_networks)
    assert not evaluator.connectivity.problems
    undecided = is_undecided(cluster)

    def end(name: str) -> naive.Pod | naive.Address:
        return cluster.pod(*name.split("/")) if "/" in name else ipaddress.ip_address(name)

    for decision in decisions(cluster, seed):
        source, destination, protocol, port = decision
        slow = naive.allowed(cluster, end(source), end(destination), protocol, port)
        surely, possibly = evaluator.decide(decision)
        if possibly != slow.possibly or (surely != slow.surely and not (undecided and slow.surely)):
            yield f"{source} -> {destination} : {protocol} {port}: naive {slow}, fast {(surely, possibly)}"


@settings(max_examples=EXAMPLES // 3, derandomize=DERANDOMIZE, deadline=None, database=None)
@given(st.integers(0, 2**64 - 1), FEW)
def test_the_rows_are_what_is_allowed_pair_by_pair(seed: int, few: int) -> None:
    with few_are(few):
        are_rows_what_is_allowed(seed)


def are_rows_what_is_allowed(seed: int) -> None:
    made = Maker(seed).cluster()
    connectivity = Evaluator(made.documents, made.pod_networks, made.node_networks).connectivity
    ends = parts(connectivity, connectivity.endpoints)
    for bound in (False, True):
        found: dict[tuple[End, End], PortSet] = {}
        for row in connectivity.rows(possibly=bound):
            sources, destinations = (parts(connectivity, ends) for ends in (row.sources, row.destinations))
            for pair in itertools.product(sources, destinations):
                assert pair not in found or pair[0] == pair[1]
                assert has_one_in_git(connectivity, pair)
                found[pair] = row.ports
        for pair in itertools.product(ends, ends):
            if pair[0] != pair[1] and has_one_in_git(connectivity, pair):
                allowed = connectivity.table.sets[connectivity.number_between(*pair, possibly=bound)]
                assert found.get(pair, NO_PORTS) == allowed, (pair, bound)


def has_one_in_git(connectivity: Connectivity, pair: tuple[End, End]) -> bool:
    return any(isinstance(end, int) and end < connectivity.population.in_git for end in pair)


def parts(connectivity: Connectivity, ends: Iterable[Endpoint]) -> set[End]:
    """The ends, one for each range of addresses that a policy tells apart from its neighbours."""
    return {part for each in ends for part in connectivity.parts(each)}


def smallest(made: Manifests, seed: int) -> Manifests:
    """A cluster with the same kind of failure from which nothing can be taken."""
    for less in smaller(made):
        try:
            if next(disagreements(less, seed), None) is not None:
                return smallest(less, seed)
        except (AssertionError, IndexError, KeyError):  # no longer a valid policy, or nothing is left to ask about
            continue
    return made


@settings(max_examples=EXAMPLES, derandomize=DERANDOMIZE, deadline=None, database=None)
@given(st.integers(0, 2**64 - 1), FEW)
def test_both_evaluators_decide_alike(seed: int, few: int) -> None:
    with few_are(few):
        made = Maker(seed).cluster()
        if next(disagreements(made, seed), None) is not None:
            least = smallest(made, seed)
            raise AssertionError(f"{list(disagreements(least, seed))[:3]}\n{least}")
