"""The NetworkPolicies permit what topology.yaml states, on both sides of every connection, and nothing else."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from .flows import NotUnderstoodError, System, granted, read, stated
from .rendered import ENVIRONMENTS, REPOSITORY, overlay

CONTRACT = yaml.safe_load((REPOSITORY / "topology.yaml").read_text(encoding="utf-8"))
DNS_EGRESS = 1
"""The api-gateway's second egress rule."""


def system(environment: str = "prod") -> System:
    return read(overlay(environment), CONTRACT)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_policies_permit_the_stated_flows_and_nothing_else(environment: str) -> None:
    assert sorted(granted(system(environment))) == sorted(stated(system(environment)))


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_a_port_of_a_flow_is_one_that_its_pod_opens(environment: str) -> None:
    pods = system(environment).pods
    for flow in stated(system(environment)):
        if flow.destination in pods:
            opened = {(protocol, number) for (protocol, _), number in pods[flow.destination].ports.items()}
            assert (flow.protocol, flow.port) in opened, flow


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_everything_is_refused_by_default(environment: str) -> None:
    """For a pod that is not in Git, too: the one policy without a selector has no rules."""
    (everywhere,) = [policy for policy in system(environment).policies if not policy["spec"]["podSelector"]]
    assert everywhere["spec"].keys() == {"podSelector", "policyTypes"}


def is_seen(mutant: System) -> bool:
    try:
        return granted(mutant) != stated(mutant)
    except NotUnderstoodError:
        return True


def spec_of(mutant: System, name: str) -> Any:
    (policy,) = [policy for policy in mutant.policies if policy["metadata"]["name"] == name]
    return policy["spec"]


def _gateway_reaches_a_database(mutant: System) -> None:
    labels = spec_of(mutant, "api-gateway")["egress"][0]["to"][0]["podSelector"]["matchLabels"]
    labels["app.kubernetes.io/name"] = "users-db"


def _database_accepts_another_service(mutant: System) -> None:
    peer = {"podSelector": {"matchLabels": {"app.kubernetes.io/name": "product-service"}}}
    spec_of(mutant, "users-db")["ingress"][0]["from"].append(peer)


def _names_are_asked_elsewhere(mutant: System) -> None:
    spec_of(mutant, "api-gateway")["egress"][DNS_EGRESS]["ports"][0]["port"] = 54


def _any_namespace_is_the_ingress_controllers(mutant: System) -> None:
    spec_of(mutant, "frontend")["ingress"][0]["from"][0]["namespaceSelector"] = {}


def _everybody_of_the_shop_is_accepted(mutant: System) -> None:
    labels = spec_of(mutant, "redis")["ingress"][0]["from"][0]["podSelector"]
    labels["matchLabels"] = {"app.kubernetes.io/part-of": "ecommerce"}


def _a_policy_selects_nobody(mutant: System) -> None:
    spec_of(mutant, "orders-db")["podSelector"]["matchLabels"] = {"app.kubernetes.io/name": "order-db"}


def _a_range_of_ports(mutant: System) -> None:
    spec_of(mutant, "redis")["ingress"][0]["ports"][0]["endPort"] = 65535


def _the_whole_internet(mutant: System) -> None:
    spec_of(mutant, "credentials")["egress"][0]["to"][0]["ipBlock"]["cidr"] = "0.0.0.0/0"


def _only_one_direction(mutant: System) -> None:
    spec_of(mutant, "redis")["policyTypes"].remove("Egress")


@pytest.mark.parametrize(
    "sabotage",
    [
        _gateway_reaches_a_database,
        _database_accepts_another_service,
        _names_are_asked_elsewhere,
        _any_namespace_is_the_ingress_controllers,
        _everybody_of_the_shop_is_accepted,
        _a_policy_selects_nobody,
        _a_range_of_ports,
        _the_whole_internet,
        _only_one_direction,
    ],
    ids=lambda sabotage: sabotage.__name__.strip("_"),
)
def test_a_sabotage_is_seen(sabotage: Callable[[System], None]) -> None:
    mutant = copy.deepcopy(system())
    assert not is_seen(mutant)
    sabotage(mutant)
    assert is_seen(mutant)


def lists_of(node: Any) -> Iterator[list[Any]]:
    """Every list of rules, peers or ports in a policy."""
    if isinstance(node, dict):
        for value in node.values():
            yield from lists_of(value)
    elif isinstance(node, list):
        yield node
        for item in node:
            yield from lists_of(item)


def test_every_rule_peer_and_port_is_needed() -> None:
    mutant = copy.deepcopy(system())
    removed = 0
    for policy in mutant.policies:
        for items in list(lists_of({key: policy["spec"].get(key, []) for key in ("ingress", "egress")})):
            for position in range(len(items)):
                item = items.pop(position)
                assert is_seen(mutant), (policy["metadata"]["name"], item)
                items.insert(position, item)
                removed += 1
    assert removed > len(CONTRACT["flows"])
    assert not is_seen(mutant)


def test_every_flow_is_needed_by_a_policy() -> None:
    for flow in CONTRACT["flows"]:
        flows = [other for other in CONTRACT["flows"] if other != flow]
        assert is_seen(read(overlay("prod"), {**CONTRACT, "flows": flows})), flow
