"""What a selection is, and what selectors and blocks say of labels and addresses that are not all known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from policy.connectivity.addresses import PRIVATE, Interval, interval_of, without
from policy.manifests.selectors import LabelSelector

NAMESPACE_NAME = "kubernetes.io/metadata.name"
"""The label that every namespace has, with its own name (KEP-2161)."""


class Profile(msgspec.Struct, frozen=True):
    """How far what is not certain counts; ``SAFE`` unless results are compared with another tool's."""

    exact_labels: bool
    """Pods have the labels of their template alone, and namespaces those of their manifest.

    Pods that one owner made are one endpoint, named like the owner."""
    host_network_is_pod: bool
    blocks_match_pods: bool
    """Whether an ipBlock that holds the pod network possibly matches pods."""
    has_v6: bool
    default_namespace: str
    """What the namespace is called where a manifest names none; "" where that is not known."""


SAFE = Profile(exact_labels=False, host_network_is_pod=False, blocks_match_pods=True, has_v6=True, default_namespace="")
NP_GUARD = Profile(
    exact_labels=True, host_network_is_pod=True, blocks_match_pods=False, has_v6=False, default_namespace="default"
)


class Selection(NamedTuple):
    """Who is selected for certain, and who may be; the first is part of the second."""

    surely: int
    possibly: int


NOBODY = Selection(0, 0)


class Block(NamedTuple):
    """An ipBlock: the addresses of ``cidr`` without those of ``excepted``."""

    cidr: Interval
    excepted: tuple[Interval, ...] = ()


PRIVATE_RANGES = tuple(interval_of(cidr) for cidr in PRIVATE)


def holds(block: Block, ranges: Sequence[Interval], *, all_of: bool) -> tuple[bool, bool]:
    """Whether a block has all of the addresses (never, unless ``all_of``), and whether it has any."""
    have_all, have_any = all_of, False
    for one in ranges:
        if block.cidr.first <= one.last and one.first <= block.cidr.last:
            common = Interval(max(one.first, block.cidr.first), min(one.last, block.cidr.last))
            left = without(common, block.excepted) if block.excepted else (common,)
            have_any = have_any or bool(left)
            have_all = have_all and left == (one,)
        else:
            have_all = False
    return have_all, have_any


def key_of(selector: LabelSelector) -> object:
    labels = selector.match_labels
    if labels and len(labels) == 1 and not selector.match_expressions:
        [pair] = labels.items()
        return pair
    return (
        tuple(sorted((labels or {}).items())),
        tuple((each.key, each.operator, each.values) for each in selector.match_expressions or ()),
    )


def matches(selector: LabelSelector, labels: Mapping[str, str], *, is_known: bool) -> tuple[bool, bool]:
    """Whether labels may, and whether they must, satisfy a selector; without ``is_known`` there may be more of them."""
    if is_known:
        matches = selector.matches(labels)
        return matches, matches
    may = must = True
    for key, value in (selector.match_labels or {}).items():
        has = labels.get(key)
        may = may and has in (None, value)
        must = must and has == value
    for requirement in selector.match_expressions or ():
        if requirement.key in labels:
            matches = requirement.matches(labels)
            may, must = may and matches, must and matches
        else:
            may = may and not (requirement.key == NAMESPACE_NAME and requirement.operator == "DoesNotExist")
            must = False
    return may, must
