"""What the API server would refuse in a policy admits nobody, and is told at its place: it never means everybody."""

from __future__ import annotations

from typing import Any

import pytest

from policy.connectivity.isolation import Isolation
from policy.findings import Field, Finding
from policy.manifests.index import Index
from policy.rules import RULES
from policy.rules.rule import Context

from . import fast
from .cases import case

BOTH = {"ipBlock": {"cidr": "10.0.0.0/8"}, "podSelector": {}}
INVALID: dict[str, tuple[dict[str, Any], tuple[str | int, ...]]] = {
    "an empty peer": ({"from": [{}]}, ("from", 0)),
    "a peer of nulls": ({"from": [{"podSelector": None, "ipBlock": None}]}, ("from", 0)),
    "a block with a podSelector": ({"from": [BOTH]}, ("from", 0)),
    "a block with a namespaceSelector": (
        {"from": [{"ipBlock": {"cidr": "::/0"}, "namespaceSelector": {}}]},
        ("from", 0),
    ),
    "a block without a cidr": ({"from": [{"ipBlock": {}}]}, ("from", 0, "ipBlock")),
    "a block that is an address": ({"from": [{"ipBlock": {"cidr": "10.0.0.1"}}]}, ("from", 0, "ipBlock", "cidr")),
    "a block that is none": ({"from": [{"ipBlock": {"cidr": "10.0.0.0/33"}}]}, ("from", 0, "ipBlock", "cidr")),
    "a block of a list": ({"from": [{"ipBlock": {"cidr": ["10.0.0.0/8"]}}]}, ("from", 0, "ipBlock", "cidr")),
    "a block of a number": ({"from": [{"ipBlock": {"cidr": 10}}]}, ("from", 0, "ipBlock", "cidr")),
    "except of a list in a list": (
        {"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": [["10.1.0.0/16"]]}}]},
        ("from", 0, "ipBlock", "except", 0),
    ),
    "except that is no list": (
        {"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": "10.1.0.0/16"}}]},
        ("from", 0, "ipBlock", "except"),
    ),
    "except before its block": (
        {"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["9.0.0.0/16"]}}]},
        ("from", 0, "ipBlock", "except", 0),
    ),
    "except beside its block": (
        {"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["11.0.0.0/16"]}}]},
        ("from", 0, "ipBlock", "except", 0),
    ),
    "except that is its whole block": (
        {"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.0.0.0/8"]}}]},
        ("from", 0, "ipBlock", "except", 0),
    ),
    "except of the other family": (
        {"from": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["2001:db8::/32"]}}]},
        ("from", 0, "ipBlock", "except", 0),
    ),
    "In without values": (
        {"from": [{"podSelector": {"matchExpressions": [{"key": "pod", "operator": "In"}]}}]},
        ("from", 0, "podSelector", "matchExpressions", 0),
    ),
    "NotIn without values": (
        {"from": [{"podSelector": {"matchExpressions": [{"key": "pod", "operator": "NotIn", "values": []}]}}]},
        ("from", 0, "podSelector", "matchExpressions", 0),
    ),
    "Exists with values": (
        {"from": [{"namespaceSelector": {"matchExpressions": [{"key": "ns", "operator": "Exists", "values": ["x"]}]}}]},
        ("from", 0, "namespaceSelector", "matchExpressions", 0, "values"),
    ),
    "an operator that is none": (
        {"from": [{"podSelector": {"matchExpressions": [{"key": "pod", "operator": "Equals", "values": ["b"]}]}}]},
        ("from", 0, "podSelector", "matchExpressions", 0, "operator"),
    ),
    "a protocol that is none": ({"ports": [{"protocol": "ICMP"}]}, ("ports", 0, "protocol")),
    "an empty protocol": ({"ports": [{"protocol": "", "port": 80}]}, ("ports", 0, "protocol")),
    "port 0": ({"ports": [{"port": 0}]}, ("ports", 0, "port")),
    "a port too large": ({"ports": [{"port": 65536}]}, ("ports", 0, "port")),
    "a port's name in capitals": ({"ports": [{"port": "HTTP"}]}, ("ports", 0, "port")),
    "endPort without a port": ({"ports": [{"endPort": 90}]}, ("ports", 0, "endPort")),
    "endPort behind a name": ({"ports": [{"port": "serve-80-tcp", "endPort": 90}]}, ("ports", 0, "endPort")),
    "endPort below its port": ({"ports": [{"port": 80, "endPort": 79}]}, ("ports", 0, "endPort")),
    "endPort too large": ({"ports": [{"port": 80, "endPort": 65536}]}, ("ports", 0, "endPort")),
}


@pytest.mark.parametrize("name", INVALID)
def test_what_is_invalid_admits_nobody_and_is_told_at_its_place(name: str) -> None:
    rule, path = INVALID[name]
    spec = {"podSelector": {"matchLabels": {"pod": "a"}}, "policyTypes": ["Ingress"], "ingress": [rule]}
    made = case(
        {
            "name": name,
            "pods": ["x/a", "x/b", "y/a"],
            "policies": {"x/wrong": spec},
            "flows": ["* -/> x/a : TCP 80, UDP 80, SCTP 80", "203.0.113.9 -/> x/a : TCP 80"],
        },
        "invalid",
    )
    evaluator = fast.Evaluator(made.documents)
    assert {decision: evaluator.decide(decision) for decision in made.expected} == made.expected
    assert [problem.at.path for problem in evaluator.connectivity.problems] == [("spec", "ingress", 0, *path)]
    at = ("spec", "ingress", 0, *path)
    told = [one for one in findings(evaluator) if isinstance(one.at, Field) and one.at.path[: len(at)] == at]
    assert told
    assert all(one.fix for one in told)


@pytest.mark.parametrize(
    ("spec", "fix"),
    [
        ({"policyTypes": ["ingress"]}, "write Ingress, Egress, or both"),
        (
            {"podSelector": {"matchExpressions": [{"key": "a", "operator": "Is"}]}},
            "write In, NotIn, Exists or DoesNotExist",
        ),
        (
            {"podSelector": {"matchExpressions": [{"key": "a", "operator": "In"}]}},
            "list the values; where any value is meant, write Exists instead of In",
        ),
        (
            {"ingress": [{"from": [BOTH]}]},
            "make two items of it, of which either is enough; both at once cannot be asked for",
        ),
        (
            {"ingress": [{"ports": [{"port": "http", "endPort": 90}]}]},
            "write the first port of the range as a number in port, or delete endPort",
        ),
        (
            {"ingress": [{"ports": [{"port": 80, "endPort": 79}]}]},
            "write the last port of the range: at least port, at most 65535",
        ),
        (
            {"ingress": [{"ports": [{"port": 0}]}]},
            "write a number from 1 to 65535, or the name that the pods give their port",
        ),
    ],
)
def test_the_fix_says_what_the_api_server_accepts(spec: dict[str, Any], fix: str) -> None:
    made = case({"name": "", "pods": ["x/a"], "policies": {"x/wrong": spec}, "flows": ["x/a -> x/a : TCP 80"]}, "")
    assert fix in [one.fix for one in findings(fast.Evaluator(made.documents))]


def findings(evaluator: fast.Evaluator) -> list[Finding]:
    """What the isolation rules say of it."""
    index: Index = evaluator.connectivity.index
    isolation = Isolation(index)
    family = [rule for rule in RULES if rule.family == "isolation"]
    said = [
        one for rule in family for one in rule.check(index, Context(index, chosen=rule.options(), shared=isolation))
    ]
    return [one for one in said if isinstance(one, Finding)]


def test_a_valid_policy_is_no_problem() -> None:
    spec = {"podSelector": {}, "ingress": [{"from": [{"podSelector": {}}], "ports": [{"port": 80, "endPort": 80}]}]}
    made = case({"name": "", "pods": ["x/a"], "policies": {"x/right": spec}, "flows": ["x/a -> x/a : TCP 80"]}, "")
    assert not fast.Evaluator(made.documents).connectivity.problems
