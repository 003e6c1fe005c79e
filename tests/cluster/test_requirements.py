"""What a machine lacks for real pods is said in one sentence, with what brings it."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster import cgroups, requirements
from cluster.cgroups import Cgroups
from cluster.errors import ClusterError


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine whose PATH has one program of those needed."""
    (tmp_path / "nft").touch()
    (tmp_path / "nft").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("os.geteuid", lambda: 0)
    return tmp_path


def test_programs_that_are_there_are_not_missing(bare: Path) -> None:
    assert requirements.missing_programs() == ["conntrack", "ip", "ipset", "iptables", "mount", "nsenter", "runc"]
    (bare / "runc").symlink_to(bare / "nft")
    assert "runc" not in requirements.missing_programs()


@pytest.mark.usefixtures("bare")
def test_without_apt_the_command_is_said() -> None:
    with pytest.raises(ClusterError) as caught:
        requirements.require()
    assert str(caught.value) == (
        "not on the PATH: conntrack, ip, ipset, iptables, mount, nsenter, runc; on Debian: apt-get install --yes "
        "--no-install-recommends conntrack iproute2 ipset iptables mount runc util-linux"
    )


def test_apt_is_asked_for_the_missing_packages_alone(bare: Path, capsys: pytest.CaptureFixture[str]) -> None:
    apt = bare / "apt-get"
    apt.write_text(f'#!/bin/sh\necho "$DEBIAN_FRONTEND $*" >>{bare}/asked\n')
    apt.chmod(0o755)
    requirements.install(["runc", "ip"])
    said = (bare / "asked").read_text().splitlines()
    command = "install --yes --no-install-recommends iproute2 runc"
    assert said == ["noninteractive update", f"noninteractive {command}"]
    assert f"apt-get {command} …" in capsys.readouterr().err


def test_groups_of_the_first_version_begin_with_the_processors_of_the_top(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cgroups, "MOUNT", tmp_path)
    for name in ("cpuset", "pids"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "cgroup.procs").touch()
    ours = tmp_path / "cpuset" / Cgroups(Path("/one")).name
    ours.mkdir()
    for setting, value in (("cpuset.cpus", "0-1\n"), ("cpuset.mems", "0\n")):
        (tmp_path / "cpuset" / setting).write_text(value)
        (ours / setting).write_text("\n")
    Cgroups(Path("/one")).make()
    assert (ours / "cpuset.cpus").read_text() == "0-1\n"
    assert (ours / "cpuset.mems").read_text() == "0\n"
    assert (tmp_path / "pids" / ours.name).is_dir()
    assert cgroups.controllers() == {"cpuset", "pids"}


def test_each_cluster_has_groups_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroups, "MOUNT", tmp_path)
    (tmp_path / "cgroup.controllers").write_text("cpu memory\n")
    one, other = Cgroups(Path("/one")), Cgroups(Path("/other"))
    one.make()
    other.make()
    (tmp_path / one.name / "kubepods" / "pod1").mkdir(parents=True)
    one.remove()
    assert not (tmp_path / one.name).exists()
    assert (tmp_path / other.name).exists()
    assert cgroups.controllers() == {"cpu", "memory"}


def test_groups_with_processes_are_not_given_up_in_silence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroups, "MOUNT", tmp_path)
    monkeypatch.setattr(cgroups, "_END_SECONDS", 0.1)
    (tmp_path / "cgroup.controllers").touch()
    ours = Cgroups(Path("/one"))
    ours.make()
    (tmp_path / ours.name / "held").touch()  # as a group with processes, the folder cannot be removed
    with pytest.raises(ClusterError, match="processes of it still run"):
        ours.remove()
