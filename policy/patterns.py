"""Regular expressions that are compiled when they are first used: a run needs few of those that modules have."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

_METHODS = ("findall", "finditer", "fullmatch", "match", "search", "split", "sub")


class Pattern:
    """Has the methods of a ``re.Pattern[str]``; what is no expression is told when one of them is first called."""

    findall: Callable[..., list[Any]]
    finditer: Callable[..., Iterator[re.Match[str]]]
    fullmatch: Callable[..., re.Match[str] | None]
    match: Callable[..., re.Match[str] | None]
    search: Callable[..., re.Match[str] | None]
    split: Callable[..., list[Any]]
    sub: Callable[..., str]

    def __init__(self, text: str, flags: int = 0) -> None:
        self.text, self._flags = text, flags

    def __getattr__(self, name: str) -> Any:
        """Called only for what is not there yet: from then on the methods are those of the compiled expression."""
        if name not in _METHODS:
            raise AttributeError(name)
        compiled = re.compile(self.text, self._flags)
        for method in _METHODS:
            setattr(self, method, getattr(compiled, method))
        return getattr(self, name)
