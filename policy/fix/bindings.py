"""The ServiceAccounts that any file of a repository binds a role to, whichever overlay it belongs to, if to any."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from policy.errors import PolicyError
from policy.kustomize.parse import MAX_BYTES
from policy.manifests.load import load_documents
from policy.targets import MANIFEST_SUFFIXES

_KINDS = ("RoleBinding", "ClusterRoleBinding")
_NAME = re.compile(r"^[\s-]*name:\s*[\"']?([^\"'\s#]+)", re.MULTILINE)


def bound_accounts(repository: Path) -> frozenset[str]:
    """Their names, whatever the namespace; of files that are no YAML (templates) every name that stands in them."""
    return frozenset(name for text in _binding_files(repository) for name in _names(text))


def _binding_files(repository: Path) -> Iterator[str]:
    for parent, folders, files in os.walk(repository):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            if os.path.splitext(name)[1] not in MANIFEST_SUFFIXES:
                continue
            try:
                with open(os.path.join(parent, name), "rb") as stream:
                    data = stream.read(MAX_BYTES)
            except OSError:
                continue
            if b"RoleBinding" in data:
                yield data.decode("utf-8", "replace")


def _names(text: str) -> Iterator[str]:
    try:
        documents = [value for _, value in load_documents(text, "")]
    except PolicyError:
        yield from _NAME.findall(text)
        return
    for document in documents:
        yield from _subjects(document)


def _subjects(document: Any) -> Iterator[str]:
    if not isinstance(document, Mapping):
        return
    for item in document.get("items") or () if isinstance(document.get("items"), list) else ():
        yield from _subjects(item)
    subjects = document.get("subjects") if document.get("kind") in _KINDS else None
    for subject in subjects if isinstance(subjects, list) else ():
        if isinstance(subject, Mapping) and subject.get("kind") == "ServiceAccount":
            yield str(subject.get("name"))
