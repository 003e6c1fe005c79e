"""Runs the tests of the cluster with pods where they can be run, and says in any case whether, and why.

They need root, what the kernel gives a machine of its own, and programs that take half an hour to compile: what is not
compiled yet is left to who calls `tox run -e live`, which compiles it.
"""

from __future__ import annotations

import sys

import pytest

from cluster.errors import ClusterError
from cluster.pod_tier import TOOLS
from cluster.repository import ROOT
from cluster.requirements import require
from policy.errors import ToolError
from tools.build import not_made_yet, provide

_TESTS = ("kubeconform", "prober")
"""What the tests themselves call."""


def reason_against() -> str | None:
    """Why they cannot be run here, None if they can."""
    try:
        if missing := not_made_yet(ROOT, (*TOOLS, *_TESTS)):
            return f"not compiled yet: {', '.join(missing)}; `python3 tools/tox.py run -e live` does it"
        require()
        provide(ROOT, (*TOOLS, *_TESTS))
    except (ClusterError, ToolError) as error:
        return str(error)
    return None


def main() -> int:
    """The exit code of pytest; 0 where nothing can be run."""
    why = reason_against()
    if why is not None:
        print(f"tests of the cluster with pods: not run, because {why}")
        return 0
    print("tests of the cluster with pods: run, because this is root and all that they need is there", flush=True)
    return int(pytest.main([*sys.argv[1:], "tests/live"]))


if __name__ == "__main__":
    sys.exit(main())
