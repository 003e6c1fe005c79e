"""Whether the tests with pods run is said, with the reason, and what is not compiled is not waited for."""

from __future__ import annotations

import pytest

from cluster.errors import ClusterError
from tests.live import choice


@pytest.fixture
def complete(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that has all that the tests need."""
    monkeypatch.setattr(choice, "not_made_yet", lambda *_: [])
    monkeypatch.setattr(choice, "require", lambda: None)
    monkeypatch.setattr(choice, "provide", lambda *_: None)
    monkeypatch.setattr("sys.argv", ["choice", "-x"])


@pytest.mark.usefixtures("complete")
@pytest.mark.parametrize("code", [0, 1])
def test_where_all_is_there_they_run_and_decide(
    code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls: list[list[str]] = []

    def run(arguments: list[str]) -> int:
        calls.append(arguments)
        return code

    monkeypatch.setattr("pytest.main", run)

    assert choice.main() == code
    assert calls == [["-x", "tests/live"]]
    assert "pods: run, because" in capsys.readouterr().out


@pytest.mark.usefixtures("complete")
def test_what_is_not_compiled_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(choice, "not_made_yet", lambda _, names: [name for name in names if name == "calico-felix"])
    monkeypatch.setattr("pytest.main", lambda _: pytest.fail("they are run"))

    assert choice.main() == 0
    assert capsys.readouterr().out == (
        "tests of the cluster with pods: not run, because not compiled yet: calico-felix; "
        "`python3 tools/tox.py run -e live` does it\n"
    )


@pytest.mark.usefixtures("complete")
def test_what_the_machine_lacks_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def require() -> None:
        raise ClusterError("real pods need root; with --no-pods it starts without")

    monkeypatch.setattr(choice, "require", require)

    assert choice.main() == 0
    assert "not run, because real pods need root" in capsys.readouterr().out
