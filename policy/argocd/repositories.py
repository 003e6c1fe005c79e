"""Repositories by their URL, and paths in them."""

from __future__ import annotations

import posixpath

from policy.patterns import Pattern

_SCP = Pattern(r"(?:[\w.+-]+@)?([\w.-]+):(?!//)(.+)")
_URL = Pattern(r"(?i)[a-z][a-z0-9+.-]*://(?:[^/@]*@)?([^/:]+)(?::\d+)?/(.*)")


def normalized_url(url: str) -> str:
    """What two URLs of one repository have in common: host and path, whatever the protocol, user and ending."""
    match = _URL.fullmatch(url.strip()) or _SCP.fullmatch(url.strip())
    if match is None:
        return url.strip().rstrip("/").removesuffix(".git")
    return f"{match[1].lower()}/{match[2].strip('/').removesuffix('.git')}"


def normalized_path(path: str) -> str:
    """A path from the root of the repository, without ``./`` and a slash at its end; empty for the root itself."""
    plain = posixpath.normpath(path.strip()) if path.strip() else ""
    return "" if plain == "." else plain
