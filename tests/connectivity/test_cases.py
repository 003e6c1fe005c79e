"""Every case, by both evaluators: the slow one, which is read against the API reference, and the one that is used."""

from __future__ import annotations

import ipaddress

import pytest

from . import naive
from .cases import Case, Decision, cases
from .fast import Evaluator

CASES = tuple(cases())


def test_names_are_unique() -> None:
    assert len({str(each) for each in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_naive_evaluator_decides(case: Case) -> None:
    cluster = naive.read(case.documents, case.pod_networks, case.node_networks)

    def end(name: str) -> naive.Pod | naive.Address:
        return cluster.pod(*name.split("/")) if "/" in name else ipaddress.ip_address(name)

    def decide(decision: Decision) -> tuple[bool, bool]:
        source, destination, protocol, port = decision
        verdict = naive.allowed(cluster, end(source), end(destination), protocol, port)
        return verdict.surely, verdict.possibly

    assert {decision: decide(decision) for decision in case.expected} == case.expected


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_evaluator_decides(case: Case) -> None:
    evaluator = Evaluator(case.documents, case.pod_networks, case.node_networks)
    assert not evaluator.connectivity.problems
    assert {decision: evaluator.decide(decision) for decision in case.expected} == case.expected
