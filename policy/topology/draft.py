"""``policy topology init``: a draft of topology.yaml from what the manifests hold.

Where there are NetworkPolicies it states what they let through. Else it states what the configuration says: who names
whose Service as a host, and what an Ingress leads to. Either is only today's state: a person has to read it.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from pathlib import Path

from policy.baseline.file import write
from policy.connectivity.endpoints import Endpoint
from policy.connectivity.matrix import Connectivity
from policy.connectivity.ports import described, port_set
from policy.connectivity.topology import EVERY, Cluster, Outside, Topology
from policy.errors import PolicyError
from policy.invocation import settings_for
from policy.manifests.resources import NetworkPolicy
from policy.reports.plain import one_line, plural
from policy.settings import TOPOLOGY_NAME, Settings
from policy.topology.hostnames import flows_of_configuration
from policy.topology.names import names
from policy.topology.outside import DNS, NAMES, NOWHERE, declared_outside, named
from policy.topology.picture import Arrow, NodeKind
from policy.topology.reading import Side, read
from policy.topology.show import connectivity_of, picture_of
from policy.topology.untold import untold
from policy.topology.yaml_text import scalar


@dataclass
class _Draft:
    """What the environments hold together; ``open_questions`` is what a person has to decide."""

    outside: dict[str, Outside] = field(default_factory=dict)
    arrows: set[Arrow] = field(default_factory=set)
    silent: list[str] = field(default_factory=list)
    open_questions: list[str] = field(default_factory=list)


@dataclass
class _Part:
    """What one environment holds: the names of its workloads, and what is possible between them and what is outside."""

    environment: str
    source: str
    workloads: set[str]
    outside: list[Outside] = field(default_factory=list)
    arrows: list[Arrow] = field(default_factory=list)
    open_questions: list[str] = field(default_factory=list)

    def holds(self, arrow: Arrow) -> bool:
        """Whether the arrow is one of them, or part of one from or to every workload."""
        return arrow in self.arrows or not _wider(arrow, self.workloads).isdisjoint(self.arrows)


def draft(paths: Sequence[str], *, config: Path | None = None, to_stdout: bool = False) -> str:
    """Writes the draft beside policy.toml, or else into the repository, and says what to do next; or gives it as text.

    It states what any of the environments holds, each flow once, and asks about what not all of them do.

    Raises:
        PolicyError: there is a topology.yaml already, it cannot be written, or there are no workloads.
    """
    settings = settings_for(paths, config)
    home = settings.root if settings.file else _above(settings)
    file = home / (settings.topology or TOPOLOGY_NAME)
    if not to_stdout and os.path.lexists(file):
        raise PolicyError("exists already, and is left as it is; --stdout prints a draft", file=file)
    read_sides = read(paths, config=config, with_contract=False)
    sides = [side for side in read_sides if side.overlay.index.workloads]
    if not sides:
        raise PolicyError(f"{' and '.join(side.overlay.name for side in read_sides)} holds no workload")
    parts = _parts(sides)
    made = _joined(parts)
    text = _text(made, parts)
    if to_stdout:
        return text
    write(file, text)
    count = sum(1 for _ in _flow_lines(made.arrows))
    return (
        f"{os.path.relpath(file)} is written: {plural(count, 'flow')} from {_sources(parts)}\n"
        "next:\n"
        "  read it, and answer what it asks\n"
        "  policy check               tells what is possible beyond it, and what it states that does not work\n"
        "  policy topology synthesize writes NetworkPolicies that allow just that\n"
    )


def _above(settings: Settings) -> Path:
    """Where a topology.yaml belongs without a policy.toml: in the repository, rather than among manifests."""
    return settings.root if settings.repository == Path(settings.root.anchor) else settings.repository


def _parts(sides: Sequence[Side]) -> list[_Part]:
    """Each environment on its own, with the same names in all of them."""
    called = names(*(connectivity_of(side).endpoints for side in sides))
    questions: list[str] = []
    outside = list(declared_outside([side.overlay.index for side in sides], questions))
    taken = {called(item) for side in sides for item in connectivity_of(side).endpoints if item.is_in_git}
    parts = []
    for side in sides:
        if side.overlay.index.all(NetworkPolicy):
            parts.append(_from_policies(side, called, outside))
        else:
            parts.append(_from_configuration(side, called, taken))
        _leave_out(parts[-1], side, called)
    for part in parts:
        part.open_questions[:0] = questions
    return parts


def _leave_out(part: _Part, side: Side, called: Callable[[Endpoint], str]) -> None:
    """Takes out the flows that no policy could be written for, and asks about them instead."""
    by_workload = {id(item.workload): called(item) for item in connectivity_of(side).endpoints if item.workload}
    reasons = untold(side.overlay.index, lambda item: by_workload[id(item)], part.arrows)
    kept: list[Arrow] = []
    left: dict[str, list[Arrow]] = defaultdict(list)
    for arrow in part.arrows:
        name = next((end for end in (arrow.source, arrow.destination) if end in reasons), None)
        (kept if name is None else left[name]).append(arrow)
    part.arrows = kept
    part.open_questions.extend(
        f"not stated, as {reasons[name]}: {'; '.join(map(str, arrows))}" for name, arrows in left.items()
    )


def _joined(parts: Sequence[_Part]) -> _Draft:
    made = _Draft(open_questions=[*_questions(parts), *_differences(parts)])
    workloads = {name for part in parts for name in part.workloads}
    arrows = {arrow for part in parts for arrow in part.arrows}
    made.arrows = {arrow for arrow in arrows if _wider(arrow, workloads).isdisjoint(arrows)}
    stated = {name for arrow in made.arrows for name in (arrow.source, arrow.destination)}
    made.outside = {item.name: item for part in parts for item in part.outside if item.name in stated}
    made.silent = sorted(workloads - stated)
    return made


def _questions(parts: Sequence[_Part]) -> Iterator[str]:
    """Each question once, with the environments that raise it, where others do not."""
    for question in dict.fromkeys(question for part in parts for question in part.open_questions):
        asking = [part for part in parts if question in part.open_questions]
        yield question if len(asking) == len(parts) else f"in {_listed(asking)}: {question}"


def _wider(arrow: Arrow, workloads: Set[str]) -> set[Arrow]:
    """The arrows from or to every workload that the arrow would be a part of; none, if it is one to itself."""
    if arrow.source == arrow.destination:
        return set()
    sources = {arrow.source, EVERY if arrow.source in workloads else arrow.source}
    destinations = {arrow.destination, EVERY if arrow.destination in workloads else arrow.destination}
    return {replace(arrow, source=source, destination=end) for source in sources for end in destinations} - {arrow}


def _differences(parts: Sequence[_Part]) -> Iterator[str]:
    """What some environments hold and others do not, although the contract is one for all."""
    for name in sorted({name for part in parts for name in part.workloads}):
        having = [part for part in parts if name in part.workloads]
        if len(having) < len(parts):
            yield f"{name} is only in {_listed(having)}, and topology.yaml may name only what every environment has"
    for arrow in sorted({arrow for part in parts for arrow in part.arrows}):
        able = [part for part in parts if _has_ends(part, arrow, parts)]
        having = [part for part in able if part.holds(arrow)]
        if len(having) < len(able):
            yield f"possible only in {_listed(having)}, and stated for all: {arrow}"


def _has_ends(part: _Part, arrow: Arrow, parts: Sequence[_Part]) -> bool:
    """Whether the environment has the workloads of an arrow; what is outside is there for all."""
    workloads = {name for each in parts for name in each.workloads}
    return {arrow.source, arrow.destination} & workloads <= part.workloads


def _listed(parts: Iterable[_Part]) -> str:
    return " and ".join(part.environment for part in parts)


def _sources(parts: Sequence[_Part]) -> str:
    """``NetworkPolicies of dev and prod``: which environments were read, and what of them."""
    kinds = dict.fromkeys(part.source for part in parts)
    return ", and ".join(f"{kind} of {_listed(part for part in parts if part.source == kind)}" for kind in kinds)


def _workloads(connectivity: Connectivity, called: Callable[[Endpoint], str]) -> set[str]:
    return {called(item) for item in connectivity.endpoints if item.is_in_git}


def _from_policies(side: Side, called: Callable[[Endpoint], str], declared: Iterable[Outside]) -> _Part:
    home = side.overlay.index.namespaces
    outside = {item.name: item for item in declared if item.namespace not in home}
    connectivity = connectivity_of(replace(side, topology=Topology("", outside, Cluster(), ())))
    made = _Part(side.overlay.name, "NetworkPolicies", _workloads(connectivity, called), list(outside.values()))
    shown = picture_of(connectivity, called)
    for arrow in shown.arrows:
        ends = (arrow.source, arrow.destination)
        if any(not _is_stated(name, shown.nodes, outside) for name in ends):
            made.open_questions.append(f"open today, and not stated here: {arrow}")
        elif arrow.is_certain:
            made.arrows.append(arrow)
        else:
            made.open_questions.append(f"more than is stated here, by labels or the network plugin: {arrow}")
    made.arrows.extend(_among_themselves(connectivity, called))
    return made


def _among_themselves(connectivity: Connectivity, called: Callable[[Endpoint], str]) -> Iterator[Arrow]:
    """Workloads whose pods reach each other by a rule that is for them alone, as replicas of a database do."""
    for number in filter(connectivity.population.has_pods_besides, range(connectivity.population.in_git)):
        if not any(set(rule.peers.numbers or ()) == {number} for rule in connectivity.sides["ingress"].rules(number)):
            continue
        ports = connectivity.among_themselves(number)
        if ports:
            name = called(connectivity.population.endpoint(number))
            yield Arrow(name, name, described(ports))


def _is_stated(name: str, nodes: Mapping[str, NodeKind], outside: Mapping[str, Outside]) -> bool:
    return name == EVERY or name in outside or nodes[name] is NodeKind.WORKLOAD


def _from_configuration(side: Side, called: Callable[[Endpoint], str], workloads: Set[str]) -> _Part:
    """``workloads`` are the names of those of all environments."""
    found = flows_of_configuration(side.overlay.index)
    by_workload = {id(item.workload): called(item) for item in connectivity_of(side).endpoints if item.workload}
    made = _Part(side.overlay.name, "hosts in the configuration", set(by_workload.values()))
    made.open_questions.extend(found.questions)
    for (source, destination), ports in found.calls.items():
        made.arrows.append(Arrow(by_workload[source], by_workload[destination], described(port_set(ports))))
    taken = set(workloads)
    if found.asking:
        dns = named(DNS, taken)
        made.outside.append(dns)
        made.arrows.extend(Arrow(by_workload[source], dns.name, "UDP 53, TCP 53") for source in found.asking)
    if found.entered:
        controller = named(
            Outside("ingress-controller", "ingress-nginx", {NAMES[0]: "ingress-nginx"}, (), (), NOWHERE), taken
        )
        made.outside.append(controller)
        made.open_questions.append(f"{controller.name} is a guess: where do its pods run, and with which labels?")
        for destination, ports in found.entered.items():
            made.arrows.append(Arrow(controller.name, by_workload[destination], described(port_set(ports))))
    return made


def _text(made: _Draft, parts: Sequence[_Part]) -> str:
    lines = [
        "# Who may talk to whom. What is not written here must be impossible, and what is written must work.",
        f"# A draft from {one_line(_sources(parts))}: it says what is, not what should be.",
    ]
    lines += [f"# - {one_line(question)}" for question in made.open_questions]
    if made.outside:
        lines += ["", "# What is not in Git.", "outside:"]
        lines += [f"  {scalar(name)}: {_inline(item)}" for name, item in sorted(made.outside.items())]
    lines += [
        "",
        "# State the address ranges of the cluster: an ipBlock may hold them without meaning to, and no policy is",
        "# written for what is outside and holds private addresses, before they are known.",
        "# cluster: {pods: [10.244.0.0/16], services: [10.96.0.0/12], nodes: [192.0.2.0/24]}",
        "",
        "# A port by name or number is the pod's, not the Service's.",
    ]
    flows = list(_flow_lines(made.arrows))
    lines += ["flows:", *flows] if flows else ["flows: []"]
    if made.silent:
        lines += ["", "# No flow above names these: is it so that they talk to nobody, and nobody to them?", "silent:"]
        lines += [f"  - {scalar(name)}" for name in made.silent]
    return "\n".join(lines) + "\n"


def _inline(item: Outside) -> str:
    if item.cidrs:
        return (
            "{cidrs: ["
            + ", ".join(scalar(str(cidr)) if ":" not in str(cidr) else f'"{cidr}"' for cidr in item.cidrs)
            + "]}"
        )
    stated = [f"namespace: {scalar(item.namespace)}"]
    for key, labels in (("namespaceLabels", item.namespace_labels), ("labels", item.labels)):
        if labels:
            text = ", ".join(f"{scalar(name)}: {scalar(value)}" for name, value in labels.items())
            stated.append(f"{key}: {{{text}}}")
    return f"{{{', '.join(stated)}}}"


def _flow_lines(arrows: Iterable[Arrow]) -> Iterator[str]:
    """A flow for each source and set of ports, with all its destinations; one to itself stands alone, as it must."""
    grouped: dict[tuple[str, str, bool], list[str]] = defaultdict(list)
    for arrow in sorted(arrows):
        grouped[arrow.source, arrow.ports, arrow.source == arrow.destination].append(arrow.destination)
    for (source, ports, _), destinations in grouped.items():
        yield f'  - "{source} -> {", ".join(destinations)} : {ports}"'
