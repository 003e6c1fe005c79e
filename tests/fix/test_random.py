"""Whatever is missing, in whatever style: what is mended is gone from the next check, and nothing else has changed."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policy.engine import check
from policy.findings import FieldPath
from policy.fix.apply import apply
from policy.fix.run import Fixes, find_fixes
from policy.kustomize.render import render
from policy.manifests.load import load_documents
from policy.rules import RULES
from policy.settings import Settings, load_settings
from policy.targets import targets

REPOSITORY = Path(__file__).parent.parent.parent
EXAMPLES = int(os.environ.get("HYPOTHESIS_EXAMPLES", "60"))
WITHOUT_SCHEMAS = [rule for rule in RULES if rule.id != "schema-valid"]
TODAY = date(2026, 1, 1)
ADDED: dict[FieldPath, list[Any]] = {
    ("securityContext", "allowPrivilegeEscalation"): [False],
    ("securityContext", "capabilities", "drop"): [["ALL"]],
    ("securityContext", "runAsNonRoot"): [True],
    ("securityContext", "seccompProfile", "type"): ["RuntimeDefault"],
    ("automountServiceAccountToken",): [False],
    ("requests", "cpu"): ["100m", "0.1", 1],
    ("requests", "memory"): ["128Mi"],
    ("limits", "cpu"): ["200m"],
    ("limits", "memory"): ["256Mi"],
}
"""The only fields that may appear, and their only values: a request may also be the limit of the container."""


def leaves(value: Any, path: FieldPath = ()) -> Iterator[tuple[FieldPath, Any]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        for index, item in enumerate(value):
            yield from leaves(item, (*path, index))
    elif value is not None and value != {}:
        yield path, value


def rendered(kustomize: Path, folder: Path) -> dict[FieldPath, Any]:
    """Every field of what kustomize renders; documents by their number."""
    text = render(kustomize, folder)
    return dict(leaves([value for _, value in load_documents(text, "render")]))


def assert_only_added(before: Mapping[FieldPath, Any], after: Mapping[FieldPath, Any]) -> None:
    assert {path: after.get(path) for path in before} == before
    for path in after.keys() - before.keys():
        assert any(path[-len(end) :] == end and after[path] in values for end, values in ADDED.items()), path


def is_subsequence(lines: Sequence[bytes], of: Sequence[bytes]) -> bool:
    rest = iter(of)
    return all(line in rest for line in lines)


def run(repository: Settings) -> Fixes:
    return find_fixes(targets([], repository), repository, WITHOUT_SCHEMAS, today=TODAY)


# --- this repository


@dataclass(frozen=True)
class Removal:
    """Lines of files of this repository, counted from 0, the last one excluded."""

    parts: tuple[tuple[str, int, int], ...]

    def __str__(self) -> str:
        return " ".join(f"{file}:{start + 1}-{end}" for file, start, end in self.parts)


def removals() -> Iterator[Removal]:
    """What --fix can restore: the lines of a field, with those below it that are indented further."""
    defaults = {"requests: cpu: 100m": "limits: cpu: 200m", "requests: memory: 128Mi": "limits: memory: 256Mi"}
    tokens: dict[str, list[tuple[str, int, int]]] = {}
    for file in sorted((REPOSITORY / "base").rglob("*.yaml")):
        name = str(file.relative_to(REPOSITORY))
        lines = file.read_text(encoding="utf-8").splitlines()
        for number, line in enumerate(lines):
            key = line.strip().partition(":")[0]
            part = (name, number, end_of(lines, number))
            if key in ("allowPrivilegeEscalation", "runAsNonRoot", "seccompProfile", "capabilities"):
                yield Removal((part,))
            elif key == "automountServiceAccountToken" and line.endswith("false"):
                tokens.setdefault(file.parent.name, []).append(part)
            elif limit := defaults.get(said(lines, number)):  # with its limit, which would else become the request
                same = next((other for other in range(number, number + 8) if said(lines, other) == limit), None)
                if same is not None:
                    yield Removal((part, (name, same, same + 1)))
    for account, parts in tokens.items():
        if account.endswith("-db"):
            yield Removal((*parts, *tokens["postgres"]))
        elif len(parts) == 2:
            yield Removal(tuple(parts))


def said(lines: Sequence[str], number: int) -> str:
    """A line behind the nearest one above that is indented less: ``requests: cpu: 100m``."""
    if number >= len(lines):
        return ""
    indent = len(lines[number]) - len(lines[number].lstrip())
    above = (line for line in reversed(lines[:number]) if len(line) - len(line.lstrip()) < indent)
    return f"{next(above, '').strip()} {lines[number].strip()}"


def end_of(lines: Sequence[str], start: int) -> int:
    indent = len(lines[start]) - len(lines[start].lstrip())
    end = start + 1
    while end < len(lines) and len(lines[end]) - len(lines[end].lstrip()) > indent:
        end += 1
    return end


REMOVALS = list(removals())


def test_there_is_something_to_remove() -> None:
    assert len(REMOVALS) > 50
    assert any("service-account" in str(removal) for removal in REMOVALS)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("repository")
    for name in ("base", "overlays", "argocd"):
        shutil.copytree(REPOSITORY / name, root / name)
    for name in ("policy.toml", "topology.yaml"):
        shutil.copy(REPOSITORY / name, root)
    (root / ".git").mkdir()
    (root / ".tools").symlink_to(REPOSITORY / ".tools")
    return root


@settings(max_examples=max(3, EXAMPLES // 20), deadline=None, suppress_health_check=list(HealthCheck))
@given(chosen=st.sets(st.sampled_from(REMOVALS), min_size=1, max_size=12))
def test_what_is_removed_from_this_repository_comes_back(chosen: set[Removal], copy: Path) -> None:
    gone: dict[str, set[int]] = {}
    for removal in chosen:
        for file, start, end in removal.parts:
            gone.setdefault(file, set()).update(range(start, end))
    for name, numbers in gone.items():
        lines = (REPOSITORY / name).read_bytes().splitlines(keepends=True)
        (copy / name).write_bytes(b"".join(line for number, line in enumerate(lines) if number not in numbers))
    removed = {name: (copy / name).read_bytes() for name in gone}
    loaded = load_settings(copy / "policy.toml", RULES)
    try:
        fixes = run(loaded)
        apply(fixes.changes)

        assert not fixes.refused
        assert not run(loaded).changes
        everything = check(targets([], loaded), loaded, WITHOUT_SCHEMAS, today=date.today(), is_whole_run=False)
        assert (*everything.findings, *everything.all_errors) == ()
        for change in fixes.changes:
            before = removed.get(change.name, change.before)
            assert is_subsequence(before.splitlines(), change.path.read_bytes().splitlines())
        assert_renders_the_same(copy)
    finally:
        for original in (REPOSITORY / "base").rglob("*.yaml"):
            shutil.copy(original, copy / original.relative_to(REPOSITORY))


def assert_renders_the_same(copy: Path) -> None:
    """As the unbroken repository, but that a token may be refused by the account alone."""
    kustomize = Path(os.environ["POLICY_KUSTOMIZE"])
    for overlay in ("dev", "staging", "prod"):
        now, once = (rendered(kustomize, root / "overlays" / overlay) for root in (copy, REPOSITORY))
        differing = {path for path in now.keys() | once.keys() if now.get(path) != once.get(path)}
        assert {path[-1] for path in differing} <= {"automountServiceAccountToken"}


# --- made-up repositories

POLICY = """\
[environments]
dev = "dev"
prod = "prod"
[rules.requests-set]
explicit = true
[rules.limits-set]
cpu = true
explicit = true
"""
LIMITS = {
    "apiVersion": "v1",
    "kind": "LimitRange",
    "metadata": {"name": "defaults"},
    "spec": {
        "limits": [
            {
                "type": "Container",
                "default": {"cpu": "200m", "memory": "256Mi"},
                "defaultRequest": {"cpu": "100m", "memory": "128Mi"},
            }
        ]
    },
}
KINDS = {
    "Deployment": ("apps/v1", ("spec", "template")),
    "StatefulSet": ("apps/v1", ("spec", "template")),
    "CronJob": ("batch/v1", ("spec", "jobTemplate", "spec", "template")),
    "Pod": ("v1", ()),
}


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


POD_CONTEXT = some(
    runAsNonRoot=st.just(True),
    runAsUser=st.sampled_from([0, 10001]),
    seccompProfile=some(type=st.sampled_from(["RuntimeDefault", "Unconfined"])),
)
CONTEXT = some(
    privileged=st.booleans(),
    allowPrivilegeEscalation=st.booleans(),
    capabilities=some(add=st.just(["NET_BIND_SERVICE"]), drop=st.just(["ALL"])),
    runAsUser=st.sampled_from([0, 10001]),
    seccompProfile=st.just({"type": "RuntimeDefault"}),
)
AMOUNTS = some(cpu=st.sampled_from(["100m", "0.1", 1]), memory=st.just("128Mi"))
CONTAINER = st.fixed_dictionaries(
    {"image": st.just("app:1")},
    optional={
        "args": st.just(["-c", "# no comment"]),
        "securityContext": CONTEXT,
        "resources": some(requests=AMOUNTS, limits=AMOUNTS),
        "workingDir": st.just("/größe/\U0001f333"),
    },
)


@st.composite
def workloads(draw: st.DrawFn, *, is_patch: bool) -> dict[str, Any]:
    names = draw(st.lists(st.sampled_from(["app", "side", "log"]), min_size=1, max_size=3, unique=True))
    containers = []
    for name in names:
        fields = draw(CONTAINER)
        if is_patch:
            fields.pop("image", None)
        containers.append(dict(draw(st.permutations([("name", name), *fields.items()]))))
    pod: dict[str, Any] = {"containers": containers}
    if draw(st.booleans()):
        pod["securityContext"] = draw(POD_CONTEXT)
    if draw(st.booleans()):
        pod["serviceAccountName"] = draw(st.sampled_from(["web", "other"]))
    return dict(draw(st.permutations(list(pod.items()))))


class Indented(yaml.SafeDumper):
    """Writes lists indented below their key."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, indentless and flow)


@st.composite
def texts(draw: st.DrawFn, *documents: Any) -> bytes:
    """The documents in some style, with comments and empty lines between."""
    dumper = draw(st.sampled_from([yaml.SafeDumper, Indented]))
    indent = draw(st.sampled_from([2, 2, 3, 4]))
    flow = draw(st.sampled_from([False, False, False, None]))
    text = yaml.dump_all(
        documents, Dumper=dumper, indent=indent, default_flow_style=flow, sort_keys=False, allow_unicode=True
    )
    lines = text.removesuffix("\n").split("\n")
    for number in sorted(draw(st.sets(st.integers(0, len(lines)), max_size=6)), reverse=True):
        lines.insert(number, draw(st.sampled_from(["", "# ä", "      # deeper", "          #\tdeepest", "   "])))
    ends = draw(st.sampled_from(["\n", "\r\n"]))
    return (ends.join(lines) + draw(st.sampled_from(["", ends]))).encode()


def nest(path: FieldPath, value: Any) -> dict[str, Any]:
    for step in reversed(path):
        value = {step: value}
    assert isinstance(value, dict)
    return value


@st.composite
def repositories(draw: st.DrawFn) -> dict[str, bytes]:
    kind = draw(st.sampled_from(list(KINDS)))
    version, template = KINDS[kind]
    head = {"apiVersion": version, "kind": kind, "metadata": {"name": "web"}}
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "web"}}
    web = {**head, **nest((*template, "spec"), draw(workloads(is_patch=False)))}
    files = {
        "policy.toml": POLICY.encode(),
        "base/kustomization.yaml": b"resources: [web.yaml, limits.yaml]\n",
        "base/web.yaml": draw(texts(account, web)),
        "base/limits.yaml": yaml.dump(LIMITS).encode(),
    }
    for overlay in ("dev", "prod"):
        kustomization: dict[str, Any] = {"resources": ["../base"]}
        if draw(st.booleans()):
            kustomization["patches"] = [{"path": "web.yaml"}]
            patch = {**head, **nest((*template, "spec"), draw(workloads(is_patch=True)))}
            files[f"{overlay}/web.yaml"] = draw(texts(patch))
        if draw(st.booleans()):
            kustomization["namePrefix"] = "my-"
        files[f"{overlay}/kustomization.yaml"] = yaml.dump(kustomization).encode()
    return files


@settings(max_examples=max(3, EXAMPLES // 12), deadline=None, suppress_health_check=list(HealthCheck))
@given(files=repositories())
def test_made_up_repositories(files: Mapping[str, bytes], pinned_tools: None) -> None:  # noqa: ARG001
    kustomize = Path(os.environ["POLICY_KUSTOMIZE"])
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve()
        (root / ".git").mkdir()
        for name, data in files.items():
            (root / name).parent.mkdir(exist_ok=True)
            (root / name).write_bytes(data)
        loaded = load_settings(root / "policy.toml", RULES)
        before = {overlay: rendered(kustomize, root / overlay) for overlay in ("dev", "prod")}

        fixes = run(loaded)
        apply(fixes.changes)

        for name, data in files.items():
            assert is_subsequence(data.splitlines(), (root / name).read_bytes().splitlines())
            assert (root / name).read_bytes().endswith(b"\n") == data.endswith(b"\n")
        for overlay, fields in before.items():
            assert_only_added(fields, rendered(kustomize, root / overlay))
        again = run(loaded)
        assert not again.changes
        told = {(each.finding.rule, each.finding.overlays, each.finding.named_path) for each in fixes.refused}
        left = {(each.finding.rule, each.finding.overlays, each.finding.named_path) for each in again.refused}
        assert left <= told
        mended = {(each.rule, each.overlays, each.named_path) for each in fixes.mended}
        assert not mended & left
