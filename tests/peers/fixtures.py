"""What other checkers say to their own test manifests, as data: what they find, what we say, and why we differ."""

from __future__ import annotations

import datetime
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import yaml

from policy.engine import check
from policy.findings import ObjectRef
from policy.result import LocatedFinding
from policy.rules import RULES
from policy.rules.rule import Rule
from policy.settings import load_settings
from policy.targets import targets

REPOSITORY = Path(__file__).parent.parent.parent
CASES = Path(os.environ.get("POLICY_CASES") or REPOSITORY.parent / "shared" / "cases")
"""Where other checkers' test manifests lie, in a folder for each checker; they are not part of this repository."""
LISTED = Path(__file__).parent / "kube-linter.yaml"
TODAY = datetime.date(2026, 1, 15)

_CONTAINER_LISTS = frozenset({"containers", "initContainers", "ephemeralContainers"})


class Fixture(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    """One manifest: what its checker finds in it (``fire``) and what we say; the data file explains the fields."""

    fixture: str
    rules: tuple[str, ...] = ()
    settings: dict[str, Any] = {}
    about: str = ""
    containers: bool = False
    fire: tuple[str, ...] = ()
    disagree: dict[str, str] = {}
    no_rule: str = ""
    until: tuple[str, ...] = ()


def listed() -> list[Fixture]:
    """The fixtures of kube-linter, by name."""
    return msgspec.convert(yaml.safe_load(LISTED.read_text(encoding="utf-8")), list[Fixture])


def files() -> dict[str, Path]:
    """The manifests of kube-linter by their name without its ending; empty where they are not at hand."""
    folder = CASES / "kube-linter"
    return {file.stem: file for file in sorted(folder.glob("*.y*ml"))} if folder.is_dir() else {}


def found_in(manifest: Path, fixture: Fixture, folder: Path) -> set[str]:
    """The objects (or containers) of a manifest in which our rules of the fixture find something.

    ``folder`` is an empty one, for a policy.toml with the settings of the fixture.
    """
    lines = [f"[rules.{rule}]\n{_toml(fixture.settings)}" for rule in fixture.rules]
    (folder / "policy.toml").write_text("\n".join(lines), encoding="utf-8")
    settings = load_settings(folder / "policy.toml", RULES)
    result = check(targets([str(manifest)], settings), settings, _rules(fixture.rules), today=TODAY, is_whole_run=False)
    assert not result.all_errors, [str(error) for error in result.all_errors]
    documents = [document for document in yaml.safe_load_all(manifest.read_text(encoding="utf-8")) if document]
    names = _names(documents)
    return {
        name
        for finding in result.findings
        if re.search(fixture.about, finding.message)
        for name in (_containers(finding, documents) if fixture.containers else map(names.__getitem__, finding.objects))
    }


def _rules(ids: tuple[str, ...]) -> list[Rule]:
    return [rule for rule in RULES if rule.id in ids]


def _toml(settings: dict[str, Any]) -> str:
    return "".join(f"{key} = {value}\n" for key, value in settings.items())


def _names(documents: list[Any]) -> dict[ObjectRef, str]:
    """How the data file calls each object: the second of a kind and name is ``Role/role1 2``."""
    names: dict[ObjectRef, str] = {}
    for document in documents:
        metadata = document.get("metadata", {})
        name, namespace = metadata.get("name", ""), metadata.get("namespace", "")
        ref = ObjectRef(document["kind"], name, namespace, document["apiVersion"])
        copies = sum(replace(other, copy=0) == ref for other in names)
        nth = sum(str(other) == str(ref) for other in names) + 1
        names[replace(ref, copy=copies)] = f"{ref} {nth}" if nth > 1 else str(ref)
    return names


def _containers(finding: LocatedFinding, documents: list[Any]) -> Iterator[str]:
    """The container that the field of a finding is in, by its name."""
    for ref in finding.objects:
        value: Any = next(document for document in documents if document["kind"] == ref.kind)
        for above, step in zip((None, *finding.path), finding.path, strict=False):
            value = value[step]
            if above in _CONTAINER_LISTS:
                yield value["name"]
                break


def page() -> str:
    """The page for those who come from kube-linter: which rule of ours looks at what its checks look at."""
    lines = [
        "# From kube-linter",
        "",
        "Each check of kube-linter, the rules of ours that look at the same thing, and where and why our verdict on",
        "kube-linter's own test manifests is another. The tests hold this page against those manifests.",
        "",
        "| kube-linter | policy | otherwise |",
        "| --- | --- | --- |",
    ]
    for fixture in listed():
        ours = ", ".join(f"[{rule}](rules/{rule}.md)" for rule in fixture.rules) or "-"
        if fixture.settings:
            ours += " with " + ", ".join(f"`{line}`" for line in _toml(fixture.settings).splitlines())
        otherwise = fixture.no_rule or "; ".join(dict.fromkeys(fixture.disagree.values()))
        lines.append(f"| {fixture.fixture} | {ours} | {otherwise} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    (REPOSITORY / "docs" / "kube-linter.md").write_text(page(), encoding="utf-8")
