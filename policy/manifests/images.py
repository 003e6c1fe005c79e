"""Container image references.

Source: the reference grammar of the distribution project: ``[domain/]path[:tag][@digest]``. A colon counts as a tag
only behind the last slash: ``registry:5000/app`` has a port and no tag.
"""

from __future__ import annotations

from functools import lru_cache

import msgspec

from policy.patterns import Pattern

_DIGEST = Pattern(r"sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128}")


class Image(msgspec.Struct, frozen=True):
    """An image reference, taken apart."""

    text: str
    registry: str
    repository: str
    tag: str | None
    digest: str | None

    def __str__(self) -> str:
        return self.text

    @property
    def location(self) -> str:
        """Registry and repository in full: ``docker.io/library/redis`` of ``redis:7``."""
        registry = "docker.io" if self.registry == "index.docker.io" else self.registry
        official = registry == "docker.io" and "/" not in self.repository
        return f"{registry}/{'library/' if official else ''}{self.repository}"

    @property
    def is_pinned(self) -> bool:
        """Has a digest of full length; a shorter one is none, no runtime pulls it."""
        return self.digest is not None and _DIGEST.fullmatch(self.digest) is not None


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
