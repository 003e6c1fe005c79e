"""Threads for what other programs do meanwhile, and only where there is something to do."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

P = ParamSpec("P")
T = TypeVar("T")


class Pool:
    """A ``ThreadPoolExecutor`` that is made, and its modules loaded, with the first call that it gets to do."""

    def __init__(self) -> None:
        self._threads: ThreadPoolExecutor | None = None

    def submit(self, call: Callable[P, T], /, *arguments: P.args, **named: P.kwargs) -> Future[T]:
        """Makes the call in another thread; the result of it is in what this returns."""
        if self._threads is None:
            from concurrent.futures import ThreadPoolExecutor

            self._threads = ThreadPoolExecutor(max_workers=max(2, os.cpu_count() or 1))
        return self._threads.submit(call, *arguments, **named)

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        """Waits for all calls."""
        if self._threads is not None:
            self._threads.shutdown()
