"""Names for environments, from the folders of their overlays: unique, short, in the order of promotion."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from policy.settings import ARGOCD

_STAGES = (
    ("local", "sandbox"),
    ("dev", "develop", "development"),
    ("test", "int", "qa"),
    ("demo", "perf", "preview"),
    ("staging", "stage", "stg", "uat", "acceptance", "acc", "preprod", "preproduction", "canary"),
    ("prod", "production", "prd", "live"),
)
"""The usual names, by how close they are to the people who use what runs."""
_RANKS = {word: rank for rank, words in enumerate(_STAGES) for word in words}
_UNRANKED = len(_STAGES)
_SAYS_NOTHING = frozenset(
    word + plural
    for word in (
        *(
            "app",
            "application",
            "base",
            "cluster",
            "deployment",
            "env",
            "environment",
            "manifest",
            "overlay",
            "service",
        ),
        *("config", "deploy", "gitops", "k8", "kubernetes", "kustomization", "kustomize"),
    )
    for plural in ("", "s")
)


class Named(NamedTuple):
    """An environment: its name in policy.toml, and its folder relative to that file."""

    name: str
    folder: Path


def environment_word(step: str) -> bool:
    """Whether a folder of this name is an environment: ``prod``, ``prod-eu``, ``eu-west-1-staging``."""
    return _rank(step) < _UNRANKED


def named(folders: Iterable[Path]) -> tuple[Named, ...]:
    """The environments of the folders, those of one application together, the one that changes reach first before."""
    known = sorted(folders)
    last = Counter(_clean(folder.name) for folder in known)
    are_short = all(count == 1 and name for name, count in last.items())
    taken: set[str] = set()
    result = []
    for folder in known:
        wanted = _clean(folder.name) if are_short else _long(folder)
        if wanted == ARGOCD:
            wanted = f"{ARGOCD}-objects"  # policy.toml gives this name to the folder of its table [argocd]
        name, number = wanted, 2
        while name in taken:
            name, number = f"{wanted}-{number}", number + 1
        taken.add(name)
        result.append(Named(name, folder))
    return tuple(sorted(result, key=_order))


def _long(folder: Path) -> str:
    """All steps that say something: ``shop-prod`` of ``apps/shop/overlays/prod``."""
    steps = [_clean(step) for step in folder.parts if step.lower() not in _SAYS_NOTHING]
    return "-".join(filter(None, steps)) or "-".join(filter(None, map(_clean, folder.parts))) or "default"


def _clean(step: str) -> str:
    """A key that TOML takes without quotes."""
    plain = unicodedata.normalize("NFKD", step).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9_]+", "-", plain).strip("-")


def _order(environment: Named) -> tuple[str, int, str]:
    steps = [step for step in environment.folder.parts if not environment_word(step)]
    return "/".join(steps), min(map(_rank, environment.folder.parts), default=_UNRANKED), environment.name


def _rank(step: str) -> int:
    word = step.lower()
    if word in _RANKS:
        return _RANKS[word]
    return min((_RANKS[part] for part in re.split(r"[-_.]", word) if part in _RANKS), default=_UNRANKED)
