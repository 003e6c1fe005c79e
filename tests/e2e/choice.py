"""Which cluster the end-to-end tests run on, and why: their own, unless somebody names another one in so many words.

They deploy, change and delete. So KUBECONFIG alone, which many a shell exports, is not enough: E2E_CLUSTER has to name
its context too.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cluster.images
import cluster.named
import cluster.tier
from cluster.repository import ROOT
from cluster.state import HOST
from policy.errors import ToolError
from tools.build import provide

_TESTS = ("kubeconform", *cluster.images.TOOLS)
"""What the tests themselves call."""


@dataclass(frozen=True, slots=True)
class Choice:
    """``context`` is that of the named cluster, empty for one of their own; the rest is of a named one alone."""

    context: str
    why: str
    kubeconfig: str = ""
    git_host: str = HOST
    argocd_url: str = ""
    digests: tuple[str, ...] = ()

    @property
    def tools(self) -> Sequence[str]:
        """What tools/build.py has to provide: a named cluster brings Kubernetes with it."""
        return (*_TESTS, *(cluster.named.TOOLS if self.context else cluster.tier.TOOLS))

    def said(self) -> str:
        where = f"on the cluster of the context {self.context}" if self.context else "without pods"
        return f"end-to-end tests: {where}, because {self.why}"


def choose(environment: Mapping[str, str]) -> Choice:
    """By the variables of the environment. Raises ValueError with a sentence if they contradict each other."""
    context, kubeconfig = environment.get("E2E_CLUSTER", ""), environment.get("KUBECONFIG", "")
    if not context:
        also = ", and KUBECONFIG alone is not enough to change and delete things there" if kubeconfig else ""
        return Choice("", f"E2E_CLUSTER names no context of a cluster that has some{also}")
    if not kubeconfig:
        raise ValueError(f"E2E_CLUSTER names the context {context}, and KUBECONFIG names no file that has it")
    digests = tuple(filter(None, environment.get("E2E_DIGESTS", "").split(",")))
    where = (environment.get("E2E_GIT_HOST") or HOST, environment.get("E2E_ARGOCD_URL", ""))
    return Choice(context, "E2E_CLUSTER and KUBECONFIG name it", kubeconfig, *where, digests)


def main() -> int:
    """Provide what the tests need. Exit code 0, or 2 with one sentence on stderr."""
    try:
        provide(ROOT, choose(os.environ).tools)
    except (ToolError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
