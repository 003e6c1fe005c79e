"""The system as kustomize renders it: plain mappings, so that these tests lean on nothing of the policy package."""

from __future__ import annotations

import functools
import subprocess
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from policy.tools import find_tool

REPOSITORY = Path(__file__).parents[2]
BASE = REPOSITORY / "base"
OVERLAYS = REPOSITORY / "overlays"
ENVIRONMENTS = ("dev", "staging", "prod")

Document = Mapping[str, Any]


@functools.cache
def kustomize() -> Path:
    """The pinned binary. Raises ToolError, which says what is missing, if it is not installed."""
    settings = tomllib.loads((REPOSITORY / "policy.toml").read_text(encoding="utf-8"))
    return find_tool("kustomize", wanted=settings["tools"]["kustomize"], root=REPOSITORY)


@functools.cache
def build(folder: Path) -> tuple[Document, ...]:
    """Every object that the folder renders, in the order of the output."""
    done = subprocess.run([kustomize(), "build", folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    # What kustomize only warns of (a deprecated field) is a mistake here.
    assert done.stderr == ""
    return tuple(yaml.load_all(done.stdout, Loader=yaml.CSafeLoader))


def overlay(environment: str) -> tuple[Document, ...]:
    return build(OVERLAYS / environment)


def of_kind(documents: tuple[Document, ...], *kinds: str) -> Iterator[Document]:
    return (document for document in documents if document["kind"] in kinds)


def one(documents: tuple[Document, ...], kind: str, name: str) -> Document:
    """The object; a generated ConfigMap by its name without the hash."""
    found = [d for d in of_kind(documents, kind) if d["metadata"]["name"].removesuffix(_hash(d)) == name]
    assert len(found) == 1, f"{len(found)} objects {kind}/{name}"
    return found[0]


def pods(documents: tuple[Document, ...]) -> Iterator[tuple[str, Document]]:
    """Name and pod spec of every workload."""
    for document in of_kind(documents, "Deployment", "StatefulSet", "Job"):
        yield document["metadata"]["name"], document["spec"]["template"]["spec"]


def pod(documents: tuple[Document, ...], name: str) -> Document:
    return dict(pods(documents))[name]


def container(documents: tuple[Document, ...], name: str) -> Document:
    """The one container of the workload."""
    (found,) = pod(documents, name)["containers"]
    mapping: Document = found
    return mapping


def environment_of(of: Document) -> dict[str, str]:
    """Name and literal value of the container's variables; one that is filled in at start has an empty value."""
    return {variable["name"]: variable.get("value", "") for variable in of.get("env", ())}


def _hash(document: Document) -> str:
    """``-abc123`` of a generated ConfigMap (its last ten characters), else nothing."""
    name: str = document["metadata"]["name"]
    return name[name.rindex("-") :] if document["kind"] == "ConfigMap" and "-" in name else ""
