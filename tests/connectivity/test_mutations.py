"""No rule of our own policies can be deleted or widened without a finding, in any overlay, at the line where it is.

Everything is done to what each overlay renders, in memory; a few are done to the files, as a person would.
"""

from __future__ import annotations

import functools
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from policy.cli import main
from policy.connectivity.isolation import Isolation
from policy.findings import Finding, Place
from policy.manifests.decode import resources_of
from policy.manifests.index import Index
from policy.manifests.resources import Resource
from policy.rules import RULES
from policy.rules.rule import Context
from policy.topology.reading import Side, read

from .mutants import Mutant, mutants

REPOSITORY = Path(__file__).parents[2]
ENVIRONMENTS = ("dev", "staging", "prod")
FAMILY = [rule for rule in RULES if rule.family == "isolation"]


@functools.cache
def side(environment: str) -> Side:
    (found,) = read([str(REPOSITORY / "overlays" / environment)])
    return found


def findings(environment: str, changed: Resource | None = None, mutant: Mutant | None = None) -> list[Finding]:
    """What the isolation rules say of an overlay in which one policy is a mutant."""
    read_before = side(environment)
    resources: list[Resource] = []
    for resource in read_before.overlay.index.resources:
        if resource is not changed or mutant is None:
            resources.append(resource)
        elif mutant.spec is not None:
            resources += resources_of({**resource.raw, "spec": mutant.spec}, resource.document)
    index = Index(resources)
    assert not index.undecodable
    isolation = Isolation(index, read_before.topology)
    said = [
        one
        for rule in FAMILY
        for one in rule.check(index, Context(index, environment, chosen=rule.options(), shared=isolation))
    ]
    return [one for one in said if isinstance(one, Finding)]


def place(environment: str, finding: Finding) -> Place:
    return side(environment).overlay.place(finding.at)[0]


def policies(environment: str) -> Iterator[Resource]:
    return (each for each in side(environment).overlay.index.resources if each.ref.kind == "NetworkPolicy")


Spot = tuple[str | int, ...]


@functools.cache
def lines(file: str) -> dict[Spot, tuple[int, int]]:
    """The first and last line of each part of a policy, as PyYAML marks them: of the key, where it has one."""
    root = yaml.compose((REPOSITORY / file).read_text(encoding="utf-8"))
    assert root is not None
    return dict(_lines(root, (), root.start_mark.line))


def _lines(node: yaml.Node, path: Spot, first: int) -> Iterator[tuple[Spot, tuple[int, int]]]:
    yield path, (first + 1, node.end_mark.line + (1 if isinstance(node, yaml.ScalarNode) else 0))
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield from _lines(value, (*path, key.value), key.start_mark.line)
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            yield from _lines(value, (*path, number), value.start_mark.line)


def folder(name: str) -> str:
    return f"base/{'platform' if name == 'default-deny' else name}"


def file_of(environment: str, name: str, direction: str) -> str:
    """The file that states a direction of a policy: each overlay sets the API server's address itself."""
    if (name, direction) == ("credentials", "egress"):
        return f"overlays/{environment}/api-server-address.yaml"
    return f"{folder(name)}/network-policy.yaml"


def is_right(environment: str, name: str, mutant: Mutant, found: Place) -> bool:
    """Whether a place is that of what was changed.

    It is within the rule; or at its direction, where one has to be added; or, for one that only the mutant has, at the
    spec in base, where no file writes what an overlay's list would hold. Where a policy is gone, selects other pods or
    lost a direction, it is in a file of what the policy is for.
    """
    if not mutant.path:
        files = {file_of(environment, name, direction) for direction in ("ingress", "egress")}
        return found.file in files or found.file.startswith(f"{folder(name)}/")
    direction = str(mutant.path[0])
    file = file_of(environment, name, direction)
    known = lines(file)
    at = known.get(("spec", direction), known["spec",])
    if ("spec", *mutant.path) not in known and found.file == f"{folder(name)}/network-policy.yaml" != file:
        return found.line == lines(found.file)["spec",][0]
    first, last = known.get(("spec", *mutant.path), at)
    return found.file == file and (found.line == at[0] or first <= found.line <= last)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_overlays_have_no_findings(environment: str) -> None:
    assert findings(environment) == []


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_no_mutant_survives(environment: str) -> None:
    tried, wrong = 0, []
    for policy in policies(environment):
        for mutant in mutants(policy.raw["spec"]):
            tried += 1
            places = [place(environment, finding) for finding in findings(environment, policy, mutant)]
            if not any(is_right(environment, policy.ref.name, mutant, one) for one in places):
                wrong.append(f"{policy.ref.name} {mutant.what}: {[f'{one.file}:{one.line}' for one in places]}")
    assert not wrong, "\n".join(wrong)
    assert tried > 300


def test_a_mutant_is_no_copy_of_the_policy() -> None:
    (policy,) = [each for each in policies("prod") if each.ref.name == "order-service"]
    made = [mutant.spec for mutant in mutants(policy.raw["spec"])]
    assert all(spec != policy.raw["spec"] for spec in made)
    assert len({json.dumps(spec, sort_keys=True) for spec in made}) == len(made)


ON_DISK = {
    "a port of the cache is opened": (
        "base/redis/network-policy.yaml",
        "          port: 6379\n",
        "          port: 6380\n",
    ),
    "everybody may ask the frontend": (
        "base/frontend/network-policy.yaml",
        "        - namespaceSelector:\n            matchLabels:\n"
        "              kubernetes.io/metadata.name: ingress-nginx\n",
        "        - namespaceSelector: {}\n",
    ),
    "the API server is everywhere": (
        "overlays/prod/api-server-address.yaml",
        "            cidr: 192.0.2.10/32\n",
        "            cidr: 0.0.0.0/0\n",
    ),
    "nothing is denied by default": ("base/platform/kustomization.yaml", "  - network-policy.yaml\n", ""),
}


@pytest.mark.parametrize("name", ON_DISK)
def test_a_mutant_on_disk_is_found(name: str, copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, old, new = ON_DISK[name]
    text = (copy / file).read_text(encoding="utf-8")
    assert text.count(old) == 1
    (copy / file).write_text(text.replace(old, new), encoding="utf-8")
    assert main(["check", "--format", "json", *(f"--only={rule.id}" for rule in FAMILY)]) == 1
    found = json.loads(capsys.readouterr().out)["findings"]
    assert any(str(one["place"]["file"]).startswith(file.rpartition("/")[0]) for one in found), found


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of what is checked, as the working folder."""
    for each in ("base", "overlays", "argocd"):
        shutil.copytree(REPOSITORY / each, tmp_path / each)
    for each in ("policy.toml", "topology.yaml"):
        shutil.copy(REPOSITORY / each, tmp_path / each)
    (tmp_path / ".tools").symlink_to(REPOSITORY / ".tools")
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path
