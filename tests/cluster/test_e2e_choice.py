"""Which cluster the end-to-end tests run on: never another one by accident, and never in silence."""

from __future__ import annotations

import configparser
from types import SimpleNamespace

import pytest

import cluster.images
import cluster.named
import cluster.tier
from cluster.repository import ROOT
from cluster.waiting import until
from tests.e2e.bound import Overdue, bounded
from tests.e2e.choice import choose


def test_kubeconfig_alone_is_not_touched() -> None:
    choice = choose({"KUBECONFIG": "/somewhere"})
    assert (choice.context, choice.kubeconfig) == ("", "")
    assert choice.said() == (
        "end-to-end tests: without pods, because E2E_CLUSTER names no context of a cluster that has some,"
        " and KUBECONFIG alone is not enough to change and delete things there"
    )
    assert "KUBECONFIG" not in choose({}).said()


def test_named_context_is_used() -> None:
    choice = choose({"KUBECONFIG": "/somewhere", "E2E_CLUSTER": "kind-shop", "E2E_DIGESTS": "sha256:1,sha256:2"})
    assert (choice.context, choice.kubeconfig, choice.digests) == ("kind-shop", "/somewhere", ("sha256:1", "sha256:2"))
    assert choice.said().startswith("end-to-end tests: on the cluster of the context kind-shop, because ")


def test_empty_address_is_none() -> None:
    """The Git server of an empty address would listen on every one of this machine."""
    choice = choose({"KUBECONFIG": "/somewhere", "E2E_CLUSTER": "kind-shop", "E2E_GIT_HOST": ""})
    assert choice.git_host == "127.0.0.1"


def test_context_without_a_file_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^E2E_CLUSTER names the context kind-shop, and KUBECONFIG names no file"):
        choose({"E2E_CLUSTER": "kind-shop"})


def test_everything_that_is_needed_is_built_before_the_tests() -> None:
    """In one go and with the progress shown, rather than in silence inside of the first test."""
    tox = configparser.ConfigParser(interpolation=None)
    tox.read(ROOT / "tox.ini")
    assert tox["testenv:e2e"]["commands"].splitlines()[1] == "python -m tests.e2e.choice"
    assert {"E2E_*", "KUBECONFIG"} <= set(tox["testenv:e2e"]["pass_env"].split())
    assert set(choose({}).tools) >= {"kubeconform", *cluster.images.TOOLS, *cluster.tier.TOOLS}
    named = choose({"KUBECONFIG": "/somewhere", "E2E_CLUSTER": "kind-shop"}).tools
    assert set(named) >= {"kubeconform", *cluster.images.TOOLS, *cluster.named.TOOLS}
    assert "kube-apiserver" not in named


def test_run_that_hangs_ends_and_says_what_it_waited_for() -> None:
    session = SimpleNamespace(shouldfail=False)
    words = "^the run may take 0 minutes: it waited until the moon is blue$"
    with pytest.raises(Overdue, match=words), bounded(session, seconds=0.1, ending=60):
        until("the moon is blue", lambda: None, seconds=60)
    assert session.shouldfail == "the run may take 0 minutes: it waited until the moon is blue"


def test_ending_of_a_run_that_hangs_is_bounded_too() -> None:
    session = SimpleNamespace(shouldfail=False)
    with bounded(session, seconds=0.1, ending=0.1):
        for what in ("the moon is blue", "pigs fly"):
            with pytest.raises(Overdue, match=what):
                until(what, lambda: None, seconds=60)
