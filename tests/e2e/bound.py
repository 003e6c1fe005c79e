"""A bound on the time of a whole run: one that hangs ends, and says what it waited for."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Protocol

from cluster.waiting import until


class Session(Protocol):
    """The part of pytest's session by which no further test is run."""

    shouldfail: bool | str


class Overdue(AssertionError):
    """The run took longer than it may."""


@contextmanager
def bounded(session: Session, *, seconds: float, ending: float) -> Iterator[None]:
    """Raises Overdue in whatever runs after ``seconds``, and again after another ``ending`` if it does not end then."""

    def end(_: int, frame: FrameType | None) -> None:
        signal.setitimer(signal.ITIMER_REAL, ending)
        session.shouldfail = f"the run may take {seconds / 60:.0f} minutes: {_awaited(frame)}"
        raise Overdue(session.shouldfail)

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _awaited(frame: FrameType | None) -> str:
    """What was waited for when the signal came."""
    while frame is not None:
        if frame.f_code is until.__code__:
            return f"it waited until {frame.f_locals['what']}"
        frame = frame.f_back
    return "where it hung, the traceback says"
