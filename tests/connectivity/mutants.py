"""Everything that can be taken from a NetworkPolicy or opened in it, one thing at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Path = tuple[str | int, ...]
ENDS = {"ingress": "from", "egress": "to"}
TYPES = {"ingress": "Ingress", "egress": "Egress"}


@dataclass(frozen=True)
class Mutant:
    """What was done to a policy, and the spec that is left: None where the policy itself is gone.

    ``path`` is the rule that was changed, or the part of the policy where there is no rule; () is the policy.
    """

    what: str
    spec: dict[str, Any] | None
    path: Path


def mutants(spec: Mapping[str, Any]) -> Iterator[Mutant]:
    """Every mutant of a policy's spec. What the rest of it says already is none: an empty list of rules in turn."""
    yield Mutant("the policy is gone", None, ())
    if spec["podSelector"]:
        yield _with(spec, ("podSelector",), {}, "it selects every pod", ())
    for path in _labels(spec["podSelector"], ("podSelector",)):
        yield _with(spec, path, "nobody", "it selects nobody", ())
    for direction in ENDS:
        rules = spec.get(direction) or []
        if rules or not spec["podSelector"]:
            types = [kind for kind in spec["policyTypes"] if kind != TYPES[direction]]
            changed = {**_copied(spec), "policyTypes": types}
            if types:
                yield Mutant(f"no {direction}", changed, ())
        yield _with(spec, (direction,), [*rules, {}], f"{direction} from or to everybody", (direction, len(rules)))
        for number, rule in enumerate(rules):
            yield from _of_rule(spec, direction, number, rule)


def _of_rule(spec: Mapping[str, Any], direction: str, number: int, rule: Mapping[str, Any]) -> Iterator[Mutant]:
    end, place = ENDS[direction], (direction, number)
    yield _without(spec, place, "the rule is gone", ())
    yield _without(spec, (*place, end), "everybody", place)
    yield _without(spec, (*place, "ports"), "every port", place)
    for index, peer in enumerate(rule[end]):
        at = (*place, end, index)
        if len(rule[end]) > 1:
            yield _without(spec, at, "a peer is gone", place)
        for key in ("podSelector", "namespaceSelector"):
            if key in peer:
                yield _with(spec, (*at, key), {}, f"every {key} of a peer", place)
            if key in peer and len(peer) > 1:
                yield _without(spec, (*at, key), f"a peer without its {key}", place)
            for path in _labels(peer.get(key, {}), (*at, key)):
                yield _with(spec, path, "nobody", "a typo in a peer", place)
        if len(peer) > 1:
            two = [*rule[end][:index], *({key: value} for key, value in peer.items()), *rule[end][index + 1 :]]
            yield _with(spec, (*place, end), two, "one peer made two", place)
        if "ipBlock" in peer:
            yield _with(spec, (*at, "ipBlock", "cidr"), "0.0.0.0/0", "every address", place)
            yield _with(spec, (*at, "ipBlock", "cidr"), "192.0.2.11/32", "another address", place)
    yield from _of_ports(spec, place, rule["ports"])


def _of_ports(spec: Mapping[str, Any], place: Path, ports: Sequence[Mapping[str, Any]]) -> Iterator[Mutant]:
    for index, port in enumerate(ports):
        at = (*place, "ports", index)
        if len(ports) > 1:
            yield _without(spec, at, "a port is gone", place)
        yield _without(spec, (*at, "port"), "every port of the protocol", place)
        yield _with(spec, (*at, "port"), port["port"] + 1, "another port", place)
        yield _with(spec, (*at, "protocol"), "SCTP", "another protocol", place)
        yield _with(spec, (*at, "endPort"), 65535, "all ports above", place)


def _labels(selector: Mapping[str, Any], path: Path) -> Iterator[Path]:
    for key in selector.get("matchLabels", {}):
        yield (*path, "matchLabels", key)


def _with(spec: Mapping[str, Any], path: Path, value: Any, what: str, place: Path) -> Mutant:
    changed = _copied(spec)
    _parent(changed, path)[path[-1]] = value
    return Mutant(f"{_written(path)}: {what}", changed, place)


def _without(spec: Mapping[str, Any], path: Path, what: str, place: Path) -> Mutant:
    changed = _copied(spec)
    del _parent(changed, path)[path[-1]]
    return Mutant(f"{_written(path)}: {what}", changed, place)


def _copied(spec: Mapping[str, Any]) -> dict[str, Any]:
    """A copy in which no two parts are one object, as equal parts of a loaded document may be."""
    copied: dict[str, Any] = json.loads(json.dumps(spec))
    return copied


def _parent(spec: Any, path: Path) -> Any:
    for step in path[:-1]:
        spec = spec[step]
    return spec


def _written(path: Path) -> str:
    return ".".join(map(str, path))
