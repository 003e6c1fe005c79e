"""What endpoints are called: by name, as topology.yaml does, and with namespace or kind where several have it.

The same words are understood where a person names an endpoint; there a unique beginning will do.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

from policy.connectivity.addresses import EVERY_ADDRESS, AddressSet, has_all, minus, size, texts
from policy.connectivity.endpoints import Endpoint, EndpointKind
from policy.connectivity.population import ranges_of
from policy.connectivity.topology import Outside
from policy.errors import PolicyError

_ANY = "any address"
_NEIGHBOURS = "other pods of the namespace"
"""Pods that nothing declares, in the only namespace that there is."""
_MOST_SUGGESTED = 3
_FORMS: tuple[Callable[[Endpoint], str], ...] = (
    lambda item: item.name,
    lambda item: f"{item.namespace}/{item.name}" if item.namespace else item.name,
    lambda item: f"{item.kind}/{item.name}",
    lambda item: "/".join(part for part in (item.namespace, item.kind, item.name) if part),
)


def names(*overlays: Iterable[Endpoint]) -> Callable[[Endpoint], str]:
    """What each pod is called, the same in every overlay: by the shortest form that no other pod in any of them has."""
    pods = [[item for item in items if item.type is not EndpointKind.ADDRESSES] for items in overlays]
    by_name: dict[str, list[list[Endpoint]]] = defaultdict(list)
    for items in pods:
        found: dict[str, list[Endpoint]] = defaultdict(list)
        for item in items:
            found[item.name].append(item)
        for name, same in found.items():
            by_name[name].append(same)
    form_of = {name: _form(groups) for name, groups in by_name.items()}
    homes = [{item.namespace for item in items if item.is_in_git} for items in pods]

    def called(item: Endpoint) -> str:
        if item.is_in_git:
            return form_of[item.name](item)
        is_home = item.type is EndpointKind.UNLISTED and any(item.namespace in found for found in homes)
        return _NEIGHBOURS if is_home and all(len(found) == 1 for found in homes) else item.name

    return called


def _form(groups: Sequence[Sequence[Endpoint]]) -> Callable[[Endpoint], str]:
    for form in _FORMS:
        counts = (Counter(form(item) if item.is_in_git else item.name for item in group) for group in groups)
        if all(max(count.values()) == 1 for count in counts):
            return form
    return _FORMS[-1]


def of_addresses(addresses: AddressSet, outside: Iterable[Outside]) -> list[str]:
    """What a set of addresses is called: ``internet``, ``internet without api-server``, or its ranges."""
    known = {item.name: ranges_of(item) for item in outside if item.cidrs}
    candidates = [_parts(addresses, known)]
    for name, declared in {**known, _ANY: EVERY_ADDRESS}.items():
        if declared != addresses and not minus(addresses, declared):
            missing = _parts(minus(declared, addresses), known)
            candidates.append([f"{name} without {' and '.join(missing)}"] + [""] * (len(missing) - 1))
    best = min(candidates, key=len)
    return [part for part in best if part]


def _parts(whole: AddressSet, known: Mapping[str, AddressSet]) -> list[str]:
    """The declared ranges within a set, the largest first, and what they leave of it."""
    if whole == EVERY_ADDRESS and whole not in known.values():
        return [_ANY]
    found: list[str] = []
    left = whole
    for name, declared in sorted(known.items(), key=lambda item: (-size(item[1]), item[0])):
        if left and has_all(left, declared):
            found.append(name)
            left = minus(left, declared)
    return found + texts(left)


def find(word: str, endpoints: Sequence[Endpoint]) -> Endpoint:
    """The endpoint that a person means: its name in any form, or a beginning of names that only one has.

    Raises:
        PolicyError: none is meant, or several may be.
    """
    spelled = {item: {form(item) for form in _FORMS} if item.is_in_git else {item.name} for item in endpoints}
    exact = [item for item, words in spelled.items() if word in words]
    begun = exact or [
        item
        for item, words in spelled.items()
        if (item.is_in_git or item.outside) and any(each.startswith(word) for each in words)
    ]
    if len(begun) == 1:
        return begun[0]
    called = names(endpoints)
    if begun:
        listed = sorted(_FORMS[-1](item) if item.is_in_git else item.name for item in begun)
        if len(set(listed)) == 1:
            raise PolicyError(f"{listed[0]} is there {len(listed)} times: policy check says where, as object-unique")
        more = f" and {len(listed) - _MOST_SUGGESTED} more" if len(listed) > _MOST_SUGGESTED else ""
        raise PolicyError(f"{word} may be {', '.join(listed[:_MOST_SUGGESTED])}{more}")
    import difflib  # only errors need it

    known = sorted({called(item) for item in endpoints if item.is_in_git or item.outside})
    near = difflib.get_close_matches(word, known, n=_MOST_SUGGESTED)
    hint = f"; did you mean {' or '.join(near)}?" if near else f"; there are {', '.join(known[:10])}" if known else ""
    raise PolicyError(f"there is no workload {word}, and nothing outside is called so{hint}")
