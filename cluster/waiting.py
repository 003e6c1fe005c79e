"""Waiting for what another process does: with a deadline, and its last words when that is missed."""

from __future__ import annotations

import ssl
import time
import urllib.request
from collections.abc import Callable
from typing import TypeVar

from cluster.errors import ClusterError
from cluster.processes import Process

T = TypeVar("T")


def until(
    what: str, probe: Callable[[], T | None], *, seconds: float, by: Process | None = None, every: float = 0.1
) -> T:
    """Ask ``probe`` until its answer is neither None nor False, and return that.

    Raises ClusterError after ``seconds``, or at once if the process ``by`` which it is to come has ended. A probe that
    raises ClusterError is asked again: what it said is told at the end.
    """
    deadline = time.monotonic() + seconds
    said = ""
    while True:
        try:
            answer = probe()
        except ClusterError as error:
            answer, said = None, str(error)
        if answer is not None and answer is not False:
            return answer
        if by is not None and not by.is_alive():
            raise ClusterError(_sentence(f"{by.name} ended before {what}", said, by))
        if time.monotonic() > deadline:
            raise ClusterError(_sentence(f"waited {seconds:.0f} s in vain: {what}", said, by))
        time.sleep(every)


def _sentence(problem: str, said: str, by: Process | None) -> str:
    lines = [problem + (f" ({said})" if said else "")]
    if by is not None:
        lines += [f"the end of {by.log}:", *by.last_lines()]
    return "\n  ".join(lines)


def answers(url: str, context: ssl.SSLContext | None = None) -> bool:
    """Whether a server says at that URL that all is well (200)."""
    try:
        with urllib.request.urlopen(url, timeout=5, context=context) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
