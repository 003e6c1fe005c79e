"""What ends a command with one sentence and exit code 2."""

from __future__ import annotations


class ClusterError(Exception):
    """The cluster could not be started, asked or changed; the message is for the person at the terminal."""
