"""``policy topology diff`` says exactly what one side allows and the other does not, for overlays and for commits."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from .clusters import DENY, Run, deployment, policy, write
from .test_show import DB_FROM_WEB, SHOP, WEB_TO_DB


def git(folder: Path, *arguments: str) -> None:
    who = ("-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", "-C", str(folder), *who, *arguments], check=True, capture_output=True)


def test_the_same_is_nothing(tmp_path: Path, run: Run) -> None:
    one, other = write(tmp_path / "one", *SHOP), write(tmp_path / "other", *reversed(SHOP))

    assert run("topology", "diff", one, other) == (0, "", "")


def test_the_namespace_does_not_count_where_names_are_unique(tmp_path: Path, run: Run) -> None:
    one = write(tmp_path / "one", *SHOP)
    other = write(tmp_path / "other", *(text.replace("namespace: shop", "namespace: shop-dev") for text in SHOP))

    assert run("topology", "diff", one, other) == (0, "", "")
    one.joinpath("all.yaml").write_text(deployment("web"), encoding="utf-8")
    other.joinpath("all.yaml").write_text(deployment("web", namespace="shop-dev"), encoding="utf-8")
    assert run("topology", "diff", one, other) == (0, "", "")


def test_only_the_ports_that_differ_are_named(tmp_path: Path, run: Run) -> None:
    wider = WEB_TO_DB.replace("[{port: 5432}]", "[{port: 5432}, {port: 9187}]")
    one = write(tmp_path / "one", *SHOP)
    other = write(tmp_path / "other", *SHOP[:3], policy("web", wider), policy("db", DB_FROM_WEB))

    assert run("topology", "diff", one, other) == (1, "+ web -> db : TCP 9187\n", "")
    assert run("topology", "diff", other, one) == (1, "- web -> db : TCP 9187\n", "")


def test_addresses_are_compared_as_ranges_not_as_blocks(tmp_path: Path, run: Run) -> None:
    def folder(name: str, blocks: str) -> Path:
        egress = f"podSelector: {{}}\npolicyTypes: [Egress]\negress: [{{to: [{blocks}]}}]\n"
        return write(tmp_path / name, deployment("web"), DENY, policy("out", egress))

    whole = folder("whole", "{ipBlock: {cidr: 203.0.113.0/24}}")
    halves = folder("halves", "{ipBlock: {cidr: 203.0.113.0/25}}, {ipBlock: {cidr: 203.0.113.128/25}}")
    part = folder("part", "{ipBlock: {cidr: 203.0.113.0/24, except: [203.0.113.64/26]}}")

    assert run("topology", "diff", whole, halves) == (0, "", "")
    assert run("topology", "diff", whole, part) == (1, "- web -> 203.0.113.64/26 : all\n", "")


def test_a_workload_that_only_one_side_has_is_told_with_its_connections(tmp_path: Path, run: Run) -> None:
    one = write(tmp_path / "one", *SHOP)
    other = write(tmp_path / "other", deployment("db"), DENY, policy("db", DB_FROM_WEB))

    assert run("topology", "diff", one, other)[1] == "- workload web\n- web -> db : TCP 5432\n"


def test_json(tmp_path: Path, run: Run) -> None:
    one, other = write(tmp_path / "one", *SHOP), write(tmp_path / "other", *SHOP[:3])

    code, out, _ = run("topology", "diff", one, other, "--format", "json")

    connection = {"source": "web", "destination": "db", "ports": ["TCP 5432"], "certain": True}
    assert code == 1
    assert json.loads(out) == {
        "removed": {"workloads": [], "connections": [connection]},
        "added": {"workloads": [], "connections": []},
    }


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two commits: in the second, ``web`` lost its connection to ``db``; in the work tree it has it again."""
    (tmp_path / "policy.toml").write_text('[environments]\nprod = "manifests"\n', encoding="utf-8")
    git(tmp_path, "init", "-q", "-b", "main")
    for documents in (SHOP, SHOP[:3]):
        write(tmp_path, *documents)
        git(tmp_path, "add", ".")
        git(tmp_path, "commit", "-q", "-m", "change")
    write(tmp_path, *SHOP)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("main~1:prod", "main:prod", "- web -> db : TCP 5432\n"),
        ("main:manifests", "prod", "+ web -> db : TCP 5432\n"),
        ("main~1:manifests/all.yaml", "prod", ""),
        ("main~1:", "main:", "- web -> db : TCP 5432\n"),
    ],
)
def test_commits_are_compared(before: str, after: str, said: str, repository: Path, run: Run) -> None:
    status = subprocess.run(["git", "status", "--porcelain"], cwd=repository, capture_output=True, check=True).stdout

    assert run("topology", "diff", before, after) == (int(bool(said)), said, "")
    after_status = subprocess.run(["git", "status", "--porcelain"], cwd=repository, capture_output=True, check=True)
    assert after_status.stdout == status


def test_nothing_is_left_behind(
    repository: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    scratch = tmp_path_factory.mktemp("scratch")
    monkeypatch.setattr("tempfile.tempdir", str(scratch))

    run("topology", "diff", "main:prod", "main:prod")
    run("topology", "diff", "main:prod", "main:nothing")

    assert list(scratch.iterdir()) == []
    assert not (repository / ".git" / "worktrees").exists()


@pytest.mark.usefixtures("repository")
@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("nowhere:prod", "policy: there is no commit nowhere in "),
        ("--option:prod", "policy: --option is no revision"),
        ("main:staging", "policy: there is no file, folder or environment staging in main; environments: prod"),
        ("staging", "policy: there is no file, folder or environment staging; environments: prod"),
    ],
)
def test_what_is_not_there_is_one_sentence(argument: str, said: str, run: Run) -> None:
    code, out, error = run("topology", "diff", "prod", "--", argument)

    assert (code, out) == (2, "")
    assert error.startswith(said)
    assert len(error.splitlines()) == 1
