"""A machine of its own on this one: Linux namespaces of network, mounts and processes, entered by the calling process.

They are those of one process, the machine's first; when it ends, the kernel ends every process of the machine and takes
away its mounts and interfaces. https://man7.org/linux/man-pages/man7/namespaces.7.html
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from cluster.errors import ClusterError

_NEW_MOUNTS, _NEW_PROCESSES, _NEW_NETWORK = 0x00020000, 0x20000000, 0x40000000  # linux/sched.h
_LIBC = ctypes.CDLL(None, use_errno=True)

Record = Callable[[int], None]
"""Takes the id of the process that becomes the program."""


def enter_network(first: int) -> None:
    """From now on this process, and what it starts, is in the network of the machine whose first process this is.

    Raises ClusterError if there is none, or without the right to.
    """
    try:
        _set(first, "net", _NEW_NETWORK)
    except OSError as error:
        raise ClusterError(f"the network of process {first} cannot be entered: {error.strerror}") from error


@contextmanager
def in_network(first: int) -> Iterator[None]:
    """Be in the network of that machine, and afterwards where this thread was before. Raises ClusterError."""
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        enter_network(first)
        yield
    finally:
        _LIBC.setns(before, _NEW_NETWORK)
        os.close(before)


@dataclass(frozen=True, slots=True)
class NewMachine:
    """Makes the forked child of a starting process the first process of a new machine. Raises OSError."""

    def __call__(self, record: Record) -> None:
        if _LIBC.unshare(_NEW_MOUNTS | _NEW_PROCESSES | _NEW_NETWORK) != 0:
            raise _error()
        _fork(record)


@dataclass(frozen=True, slots=True)
class InMachine:
    """Makes the forked child of a starting process one of the machine whose first process is given. Raises OSError."""

    first: int

    def __call__(self, record: Record) -> None:
        folder = os.getcwd()
        mounts = os.open(f"/proc/{self.first}/ns/mnt", os.O_RDONLY)
        _set(self.first, "net", _NEW_NETWORK)
        _set(self.first, "pid", _NEW_PROCESSES)
        _fork(record)
        if _LIBC.setns(mounts, _NEW_MOUNTS) != 0:
            raise _error()
        os.close(mounts)
        os.chdir(folder)  # the mounts begin at the root again


def _fork(record: Record) -> None:
    """Go on as a child, which alone is in new or entered namespaces of processes; the parent records it and ends."""
    reader, writer = os.pipe()
    child = os.fork()
    if child:
        code = 1
        try:
            record(child)
            os.write(writer, b"\0")
            code = 0
        finally:
            os._exit(code)
    os.close(writer)
    recorded = os.read(reader, 1)
    os.close(reader)
    if not recorded:
        os._exit(1)
    os.setsid()


def _set(first: int, kind: str, flag: int) -> None:
    opened = os.open(f"/proc/{first}/ns/{kind}", os.O_RDONLY)
    try:
        if _LIBC.setns(opened, flag) != 0:
            raise _error()
    finally:
        os.close(opened)


def _error() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))
