"""Names that were perhaps meant."""

from __future__ import annotations

from collections.abc import Sequence

_MOST = 500
"""Among more names the search would cost more than the hint is worth."""


def nearest(name: str, known: Sequence[str]) -> str:
    """``; did you mean web?``, or nothing where no known name is near."""
    import difflib  # only findings need it

    near = difflib.get_close_matches(name, known, n=1) if len(known) <= _MOST else []
    return f"; did you mean {near[0]}?" if near else ""
