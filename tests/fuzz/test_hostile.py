"""Hostile input is refused in one sentence, within a second of processor time and 300 MB, all processes counted."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

SECONDS = 1
MEGABYTES = 300
SAID = "said.txt"

RUN = """\
import json, resource, subprocess, sys
def limit():
    resource.setrlimit(resource.RLIMIT_CPU, (%d, %d))
with open("%s", "wb") as said:
    done = subprocess.run([sys.executable, "-m", "policy", "check", *sys.argv[1:]], preexec_fn=limit,
                          stdin=subprocess.DEVNULL, stdout=said, stderr=said)
print(json.dumps([done.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss]))
"""
"""A process of its own measures: its children alone count, and they start small."""

HEAD = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: shop}\n"
LETTERS = "abcdefghij"


def bomb() -> str:
    lines = [f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in pairwise(LETTERS)]
    return HEAD + "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(lines)


def merge_bomb() -> str:
    fields = ", ".join(f"k{number}: 1" for number in range(5000))
    return HEAD + f"a: &a {{{fields}}}\nb: {{<<: [{', '.join(['*a'] * 5000)}]}}\n"


def text_bomb() -> str:
    return HEAD + f"data:\n  a: &a {'x' * 1_000_000}\n" + "".join(f"  k{number}: *a\n" for number in range(1000))


TEXTS: dict[str, tuple[Callable[[], str], str]] = {
    "aliases of aliases": (bomb, "alias bomb"),
    "aliases of a mapping, merged": (merge_bomb, "alias bomb"),
    "aliases of a long text": (text_bomb, "alias bomb"),
    "a plain scalar of 100 MB": (lambda: HEAD + f"data:\n  a: {'x' * 100_000_000}\n", "is larger than"),
    "a quoted scalar of 100 MB": (lambda: HEAD + f'data:\n  a: "{"x" * 100_000_000}"\n', "is larger than"),
    "a block scalar of 100 MB": (lambda: HEAD + "data:\n  a: |\n" + f"    {'x' * 95}\n" * 1_000_000, "is larger than"),
    "a scalar of 9 MB": (lambda: HEAD + f"data:\n  a: {'x' * 9_000_000}\n", "a value of more than 1536 KiB"),
    "lists in lists": (lambda: HEAD + "data: " + "[" * 100_000 + "]" * 100_000, "deeper than 100"),
    "mappings in mappings": (
        lambda: HEAD + "data:\n" + "".join(" " * depth + "k:\n" for depth in range(1, 3000)),
        "deeper than 100",
    ),
    "JSON in JSON": (lambda: '{"kind":"Pod","apiVersion":' + '{"a":' * 50_000 + "1" + "}" * 50_001, "deeper than 100"),
    "an alias to itself": (lambda: HEAD + "data: &a {a: *a}\n", "alias *a"),
}

FOLDERS: dict[str, tuple[dict[str, str], str]] = {
    "bases in a circle": (
        {
            "kustomization.yaml": "resources: [a]\n",
            "a/kustomization.yaml": "resources: [../b]\n",
            "b/kustomization.yaml": "resources: [../a]\n",
        },
        "kustomization.yaml:1: ",
    ),
    "a base that is its own": ({"kustomization.yaml": "resources: [.]\n"}, "kustomization.yaml:1: "),
    "a path that leads out": ({"kustomization.yaml": "resources: [../../../../../../etc]\n"}, "is outside of"),
    "an absolute path": ({"kustomization.yaml": "resources: [/etc/passwd]\n"}, "is outside of"),
    "a patch from without": (
        {"kustomization.yaml": "resources: [a.yaml]\npatches: [{path: ../../../../../etc/passwd}]\n", "a.yaml": HEAD},
        "kustomization.yaml:2: ",
    ),
    "a generator's file from without": (
        {"kustomization.yaml": "configMapGenerator:\n  - name: a\n    files: [../../../../../../etc/passwd]\n"},
        "kustomization.yaml:3: ",
    ),
}


@pytest.mark.parametrize("kind", ["file", "base", "kustomization"])
@pytest.mark.parametrize("name", TEXTS)
def test_a_hostile_text_is_refused(name: str, kind: str, tmp_path: Path) -> None:
    make, expected = TEXTS[name]
    hostile = "kustomization.yaml" if kind == "kustomization" else "a.yaml"
    files = {hostile: make(), **({"kustomization.yaml": "resources: [a.yaml]\n"} if kind == "base" else {})}

    said = refused(tmp_path, files, "a.yaml" if kind == "file" else ".")

    assert expected in said or (kind == "kustomization" and "kustomization.yaml:" in said), said


@pytest.mark.parametrize("name", FOLDERS)
def test_a_hostile_kustomization_is_refused(name: str, tmp_path: Path) -> None:
    files, expected = FOLDERS[name]

    assert expected in refused(tmp_path, files, ".")


def refused(folder: Path, files: dict[str, str], argument: str) -> str:
    """The one sentence with which the check refuses the files; more than a second of processor time is a signal."""
    (folder / ".git").mkdir()
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    command = [sys.executable, "-c", RUN % (SECONDS, SECONDS, SAID), argument]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    code, kilobytes = json.loads(done.stdout)
    said: str = (folder / SAID).read_text(encoding="utf-8")
    assert code == 2, (code, said[:500])
    assert kilobytes / 1000 <= MEGABYTES
    told = [line for line in said.splitlines() if line.startswith(("could not run", "policy: "))]
    assert len(told) == 1, said[:1000]
    assert len(told[0]) < 400
    return told[0]
