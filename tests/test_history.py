"""What Git knows: digests of earlier commits, also of merged ones, and whether that is all."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from policy.history import HistoryError, past_of, remotes

ONE, TWO, THREE = (f"sha256:{digit * 64}" for digit in "123")


def git(folder: Path, *arguments: str) -> None:
    who = ("-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", "-C", str(folder), *who, *arguments], check=True, capture_output=True)


def commit(folder: Path, file: str, text: str) -> None:
    (folder / file).parent.mkdir(parents=True, exist_ok=True)
    (folder / file).write_text(text, encoding="utf-8")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", file)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Three digests, one after the other: two in staging, one of these on a branch that was merged, one elsewhere."""
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    commit(folder, "staging/kustomization.yaml", f"digest: {ONE}\n")
    git(folder, "checkout", "-q", "-b", "side")
    commit(folder, "staging/kustomization.yaml", f"digest: {TWO}\n")
    git(folder, "checkout", "-q", "main")
    commit(folder, "prod/kustomization.yaml", f"digest: {THREE}\n")
    git(folder, "merge", "-q", "--no-ff", "-m", "merge", "side")
    commit(folder, "staging/kustomization.yaml", "digest: none\n")
    return folder


def test_what_a_folder_ever_held(repository: Path) -> None:
    past = past_of(repository, ["staging"])
    assert past.digests == {ONE, TWO}
    assert past.is_complete
    assert past_of(repository, ["staging", "prod"]).digests == {ONE, TWO, THREE}
    assert past_of(repository, ["nowhere"]).digests == frozenset()


def test_what_is_not_committed_is_no_history(repository: Path) -> None:
    (repository / "staging/kustomization.yaml").write_text(f"digest: sha256:{'4' * 64}\n", encoding="utf-8")
    assert past_of(repository, ["staging"]).digests == {ONE, TWO}


def test_a_shallow_clone_does_not_know_all(repository: Path, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{repository}", str(clone))
    past = past_of(clone, ["staging"])
    assert not past.is_complete
    assert past.digests == frozenset()
    assert remotes(clone) == (f"file://{repository}",)
    assert remotes(repository) == ()


def test_nothing_that_the_repository_names_is_run(repository: Path, tmp_path: Path) -> None:
    witness, script = tmp_path / "witness", tmp_path / "script"
    script.write_text(f"#!/bin/sh\ntouch {witness}\n", encoding="utf-8")
    script.chmod(0o755)
    for key in ("diff.external", "diff.any.textconv", "core.fsmonitor", "core.pager"):
        git(repository, "config", key, str(script))
    (repository / ".git/info").mkdir(exist_ok=True)
    (repository / ".git/info/attributes").write_text("* diff=any\n", encoding="utf-8")
    git(repository, "config", "diff.any.command", str(script))
    assert past_of(repository, ["staging"]).digests == {ONE, TWO}
    assert not witness.exists()


def test_without_a_repository_a_commit_or_git_it_says_why(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "plain").mkdir()
    with pytest.raises(HistoryError, match=r"^git: not a git repository"):
        past_of(tmp_path / "plain", ["."])
    git(tmp_path / "plain", "init", "-q")
    with pytest.raises(HistoryError, match="does not have any commits yet"):
        past_of(tmp_path / "plain", ["."])
    monkeypatch.setenv("PATH", "")
    with pytest.raises(HistoryError, match=r"^git is not installed"):
        past_of(repository, ["staging"])
    assert remotes(repository) == ()
