"""Container image references.

Source: the reference grammar of the distribution project: ``[domain/]path[:tag][@digest]``. A colon counts as a tag
only behind the last slash: ``registry:5000/app`` has a port and no tag.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True, slots=True)
class Image:
    """An image reference, taken apart."""

    text: str
    registry: str
    repository: str
    tag: str | None
    digest: str | None

    def __str__(self) -> str:
        return self.text


@lru_cache(maxsize=4096)
def parse_image(text: str) -> Image:
    """Takes a reference apart; the registry is ``docker.io`` where none is named."""
    name, _, digest = text.partition("@")
    head, slash, last = name.rpartition("/")
    last, _, tag = last.partition(":")
    name = head + slash + last
    first, slash, rest = name.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        registry, repository = first, rest
    else:
        registry, repository = "docker.io", name
    return Image(text, registry, repository, tag or None, digest or None)
