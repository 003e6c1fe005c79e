"""What a selection is, and what selectors and blocks say of labels and addresses that are not all known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from functools import cache

import msgspec

from policy.connectivity.addresses import PRIVATE, AddressSet, common, minus, range_of, united
from policy.connectivity.bits import bits_of, few_members, members
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


class Ends(msgspec.Struct, frozen=True):
    """Ends of connections: the numbers of pods, as bits, and addresses."""

    pods: int
    addresses: AddressSet = ()

    def __bool__(self) -> bool:
        return bool(self.pods or self.addresses)


class Group(msgspec.Struct, eq=False, gc=False):
    """Ends of connections: pods by their numbers, or else pods and addresses as sets.

    ``known`` are the sets; of numbers they are worked out when asked for.
    """

    numbers: Sequence[int] | None
    known: Ends | None = None

    @property
    def ends(self) -> Ends:
        if self.known is None:
            self.known = Ends(bits_of(self.numbers or ()))
        return self.known

    @property
    def members(self) -> Iterable[int]:
        """The numbers of its pods."""
        return members(self.ends.pods) if self.numbers is None else self.numbers

    @property
    def addresses(self) -> AddressSet:
        return () if self.known is None else self.known.addresses

    @property
    def has_pods(self) -> bool:
        return bool(self.ends.pods if self.numbers is None else self.numbers)

    @property
    def only(self) -> int | None:
        """The number of its only pod; None where there are none or more."""
        if self.numbers is not None:
            return self.numbers[0] if len(self.numbers) == 1 else None
        pods = self.ends.pods
        return pods.bit_length() - 1 if pods and not pods & (pods - 1) else None

    def holding(self, holders: Set[int]) -> Group:
        """Those of its pods that are among the holders of a port, and all of its addresses."""
        if self.numbers is not None:
            return Group([number for number in self.numbers if number in holders])
        return Group(None, Ends(self.ends.pods & bits_of(holders), self.ends.addresses))


def group_of(pods: int) -> Group:
    """The group of some pods (bits)."""
    return Group(few_members(pods), Ends(pods))


class Selection(msgspec.Struct, eq=False, gc=False):
    """Which pods are selected for certain, and which may be (the first are among them); and addresses, for certain.

    A few pods of which nothing is in doubt are ``numbers``, in whatever order, perhaps twice; else that is None and
    ``bounds`` are both sets, one object where nothing is in doubt. The same selector has the same
    selection in the same namespace.
    """

    numbers: Sequence[int] | None
    bounds: tuple[int, int] | None = None
    addresses: AddressSet = ()
    parts: Sequence[Selection] = ()
    """Of a union, what it is made of."""

    @property
    def surely(self) -> int:
        return (self.bounds or self._bounds())[0]

    @property
    def possibly(self) -> int:
        return (self.bounds or self._bounds())[1]

    def _bounds(self) -> tuple[int, int]:
        bits = bits_of(self.numbers or ())
        self.bounds = bits, bits
        return self.bounds

    @property
    def is_certain(self) -> bool:
        """Whether it possibly selects only whom it surely selects."""
        return self.numbers is not None or self.surely is self.possibly

    @property
    def may_be_anybody(self) -> bool:
        """Whether it possibly selects some pod."""
        return bool(self.possibly if self.numbers is None else self.numbers)

    @property
    def members(self) -> Iterable[int]:
        """The numbers of those that it surely selects."""
        return members(self.surely) if self.numbers is None else self.numbers

    def may_be(self, ends: Ends) -> bool:
        """Whether it possibly selects some of the ends."""
        return bool(self.possibly & ends.pods) or bool(common(self.addresses, ends.addresses))

    def must_be(self, ends: Ends) -> bool:
        """Whether it surely selects all of the ends."""
        return self.surely & ends.pods == ends.pods and not minus(ends.addresses, self.addresses)


NOBODY = Selection(())


def selection(surely: int, possibly: int, addresses: AddressSet = ()) -> Selection:
    """A selection of those, which are few perhaps."""
    if surely == possibly:
        return Selection(few_members(surely), (surely, surely), addresses)
    return Selection(None, (surely, possibly), addresses)


class Block(msgspec.Struct, frozen=True, gc=False):
    """An ipBlock: the range of ``cidr`` without those of ``cut``, parts of it in order, which may overlap."""

    cidr: AddressSet
    cut: tuple[AddressSet, ...] = ()

    @property
    def addresses(self) -> AddressSet:
        return minus(self.cidr, united(self.cut))


@cache
def private_ranges() -> AddressSet:
    """The addresses that are not public, taken for pods' where nobody says which those are."""
    return united(map(range_of, PRIVATE))


def pinned(selector: LabelSelector) -> tuple[str, ...] | None:
    """The namespaces that a namespaceSelector asks for by name; None where it asks for something else."""
    name = (selector.match_labels or {}).get(NAMESPACE_NAME)
    if name is not None:
        return (name,)
    for requirement in selector.match_expressions or ():
        if requirement.key == NAMESPACE_NAME and requirement.operator == "In":
            return requirement.values or ()
    return None


def is_exactly(selector: LabelSelector) -> str | None:
    """The only namespace that a namespaceSelector can select, if it asks for its name and nothing else."""
    labels, expressions = selector.match_labels, selector.match_expressions
    if not expressions:
        return labels.get(NAMESPACE_NAME) if labels is not None and len(labels) == 1 else None
    if labels or len(expressions) > 1:
        return None
    [only] = expressions
    is_name = only.key == NAMESPACE_NAME and only.operator == "In" and only.values is not None and len(only.values) == 1
    return only.values[0] if is_name and only.values else None


def key_of(selector: LabelSelector) -> object:
    """The same for selectors that say the same; it can be hashed."""
    labels = selector.match_labels
    if labels and len(labels) == 1 and not selector.match_expressions:
        [pair] = labels.items()
        return pair
    return tuple(sorted(labels.items())) if labels else (), selector.match_expressions or ()


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
