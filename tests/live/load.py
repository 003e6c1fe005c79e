"""Requests to one address, as many as are answered, for a while: ``python -m tests.live.load HOST PORT SECONDS``.

Bounded in time and in connections (one), and sent to a pod or Service of the test's own cluster.
"""

from __future__ import annotations

import contextlib
import socket
import sys
import time

_REQUEST = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n" * 50


def main(host: str, port: str, seconds: str) -> None:
    """Many requests in one packet cost the one who asks little, and the one who answers the whole of each."""
    ending = time.monotonic() + float(seconds)
    while time.monotonic() < ending:
        # A pod that ends takes its connections along: the next one is to another.
        with contextlib.suppress(OSError), socket.create_connection((host, int(port)), timeout=5) as connection:
            answered = 0
            connection.sendall(_REQUEST)
            while answered < 200_000 and time.monotonic() < ending:
                answered += len(connection.recv(65536))
                connection.sendall(_REQUEST[: len(_REQUEST) // 10])


if __name__ == "__main__":
    main(*sys.argv[1:])
