"""Names that were perhaps meant."""

from __future__ import annotations

from collections.abc import Sequence

_MOST = 500
"""Among more names the search would cost more than the hint is worth."""


def nearest(name: str, known: Sequence[str]) -> str:
    """``; did you mean web?``, or nothing where no known name is near."""
    if not known or len(known) > _MOST:
        return ""
    import difflib  # only findings need it

    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]}?" if near else ""
