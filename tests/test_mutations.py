"""No safety of base/ can be taken away without a rule that says so, at the file where it was.

Each probe, limit, request, security field, size, label, disruption budget, policy and quota of base/ is removed in turn
in a copy of the repository, and base/ is checked in a namespace and without any overlay, so that no overlay hides what
is gone. Removing the same field elsewhere is another mutant: there is one for every place.
"""

from __future__ import annotations

import datetime
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
import yaml

from policy.engine import check
from policy.rules import RULES
from policy.settings import load_settings
from policy.targets import targets

REPOSITORY = Path(__file__).parent.parent
WITHOUT_SCHEMAS = [rule for rule in RULES if rule.id != "schema-valid"]
"""A removed safety is still valid; what schemas refuse is tested elsewhere."""

SHARED = {"base/postgres": "base/*-db"}
"""A component's part is missing where the object that takes it is declared."""

COPIED = ("base", "overlays", "argocd", "policy.toml", "topology.yaml")

REMOVED_FIELDS = frozenset(
    {
        "readinessProbe",
        "livenessProbe",
        "startupProbe",
        "serviceAccountName",
        "sizeLimit",
    }
)
"""Removed wherever they stand in a pod or a policy."""

REMOVED_WITHIN = frozenset(
    {"requests", "limits", "securityContext", "hard", "default", "defaultRequest", "capabilities"}
)
"""Each of the fields inside these is removed in turn."""

NO_SAFETY = {
    "fsGroup": "lets the pod write to its volume; without it the pod fails, and no harm is done",
    "fsGroupChangePolicy": "how fast a volume is mounted",
    "storage": "of a claim template: every overlay states its own size",
}

ONE_POD = frozenset({"users-db", "products-db", "orders-db", "redis"})
"""No rule asks for their budgets: of a single pod a budget could only forbid the eviction, or say nothing."""


@dataclass(frozen=True)
class Mutant:
    """Files of base/ and the path of what is removed from each of them, where it is there."""

    file: str
    path: tuple[str | int, ...]
    also: str | None = None
    also_path: tuple[str | int, ...] = ()

    def __str__(self) -> str:
        return f"{self.file}: {'.'.join(map(str, self.path))}"


def mutants() -> Iterator[Mutant]:
    for file in sorted((REPOSITORY / "base").rglob("*.yaml")):
        name = str(file.relative_to(REPOSITORY))
        if file.name != "kustomization.yaml":
            yield from (Mutant(name, path) for path in _removable(yaml.safe_load(file.read_text(encoding="utf-8")), ()))
    for entry in ("network-policy.yaml", "resource-quota.yaml", "limit-range.yaml"):
        yield Mutant("base/platform/kustomization.yaml", ("resources", entry))
    for budget in sorted((REPOSITORY / "base").glob("*/pod-disruption-budget.yaml")):
        if budget.parent.name not in ONE_POD:
            kustomization = budget.parent / "kustomization.yaml"
            yield Mutant(str(kustomization.relative_to(REPOSITORY)), ("resources", budget.name))
    yield from _labels()
    for direction in (0, 1):
        yield Mutant("base/platform/network-policy.yaml", ("spec", "policyTypes", direction))
    yield from _tokens()


def _labels() -> Iterator[Mutant]:
    """Each recommended label of a workload and of its pods."""
    for pattern in ("*/deployment.yaml", "*/stateful-set.yaml", "*/job.yaml"):
        for file in sorted((REPOSITORY / "base").glob(pattern)):
            document = yaml.safe_load(file.read_text(encoding="utf-8"))
            for holder in (("metadata",), ("spec", "template", "metadata")):
                metadata = document
                for step in holder:
                    metadata = metadata.get(step, {})
                for label in metadata.get("labels", ()):
                    if label.startswith("app.kubernetes.io/"):
                        yield Mutant(str(file.relative_to(REPOSITORY)), (*holder, "labels", label))


def _tokens() -> Iterator[Mutant]:
    """A token is refused twice, by the pod and by its account: only without both it is mounted."""
    pod = ("spec", "template", "spec", "automountServiceAccountToken")
    for account in sorted((REPOSITORY / "base").glob("*/service-account.yaml")):
        folder = account.parent
        candidates = (folder / "deployment.yaml", folder / "stateful-set.yaml")
        workload = next(file for file in candidates if file.exists() or folder.name == "credentials")
        if folder.name.endswith("-db"):
            workload = folder.parent / "postgres/stateful-set.yaml"
        if folder.name != "credentials":
            yield Mutant(
                str(account.relative_to(REPOSITORY)),
                ("automountServiceAccountToken",),
                str(workload.relative_to(REPOSITORY)),
                pod,
            )


def _removable(node: Any, path: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in items:
        here = (*path, key)
        if key in NO_SAFETY:
            continue
        if key in REMOVED_FIELDS or (path and path[-1] in REMOVED_WITHIN):
            yield here
        if key == "labels" and path[-1:] == ("metadata",) and node.get("name") == "ecommerce":
            yield (*here, "pod-security.kubernetes.io/enforce")
        yield from _removable(value, here)


def remove(file: Path, path: tuple[str | int, ...]) -> None:
    document = yaml.safe_load(file.read_text(encoding="utf-8"))
    holder = document
    for step in path[:-1]:
        holder = holder[step]
    if isinstance(holder, list) and isinstance(path[-1], str):
        holder.remove(path[-1])
    else:
        del holder[path[-1]]
    file.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("repository")
    for name in COPIED:
        source = REPOSITORY / name
        if source.is_dir():
            shutil.copytree(source, root / name)
        else:
            shutil.copy(source, root / name)
    (root / ".git").mkdir()
    (root / "bare").mkdir()
    (root / "bare/kustomization.yaml").write_text("resources:\n  - ../base\nnamespace: ecommerce\n", encoding="utf-8")
    return root


Found = frozenset[tuple[str, str, str]]


def found(root: Path) -> Found:
    """Rule, file and words of everything that is said about base/."""
    settings = load_settings(root / "policy.toml", RULES)
    result = check(
        targets([str(root / "bare")], settings),
        settings,
        WITHOUT_SCHEMAS,
        today=datetime.date.today(),
        is_whole_run=False,
    )
    assert not result.all_errors
    return frozenset((finding.rule, finding.place.file, finding.message) for finding in result.findings)


@pytest.fixture(scope="module")
def unbroken(copy: Path) -> Found:
    return found(copy)


@pytest.mark.parametrize("mutant", list(mutants()), ids=str)
def test_a_removed_safety_is_found_in_its_file(mutant: Mutant, copy: Path, unbroken: Found) -> None:
    removed = [(copy / mutant.file, mutant.path)]
    if mutant.also:
        removed.append((copy / mutant.also, mutant.also_path))
    originals = [file.read_text(encoding="utf-8") for file, _ in removed]
    try:
        for file, path in removed:
            remove(file, path)
        after = found(copy)
    finally:
        for (file, _), original in zip(removed, originals, strict=True):
            file.write_text(original, encoding="utf-8")

    folder = mutant.file.rpartition("/")[0]
    files = {file for _, file, _ in after - unbroken}
    assert files, "nothing was found"
    folders = (folder, SHARED.get(folder, folder))
    assert any(fnmatchcase(file, f"{each}/*") for file in files for each in folders), files
