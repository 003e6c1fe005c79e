"""One folder holds a cluster, and one command at a time works on it."""

from __future__ import annotations

import shutil
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cluster import ports
from cluster.cli import main
from cluster.errors import ClusterError
from cluster.metrics import IDLE, pod_metrics, set_usage
from cluster.state import HOST, PORTS, State
from cluster.tier import Cluster

POD = {
    "metadata": {"name": "web-1", "namespace": "shop", "labels": {"app.kubernetes.io/name": "web"}},
    "spec": {"containers": [{"name": "web"}]},
}


def test_ports_are_chosen_once_and_differ(tmp_path: Path) -> None:
    state = State(tmp_path)
    state.choose_ports()
    chosen = [state.port(name) for name in PORTS]
    state.choose_ports()
    assert [state.port(name) for name in PORTS] == chosen
    assert len(set(chosen)) == len(PORTS)


def test_clusters_that_start_at_once_share_no_port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing listens yet when another cluster chooses: what was claimed is what keeps them apart."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    # Room for two clusters and no third: at random they would choose the same ports half of the time.
    first = ports.claim(tmp_path, 2 * len(PORTS), claims=tmp_path / "room.json")
    monkeypatch.setattr("cluster.ports._range", lambda: (first, first + 2 * len(PORTS) - 1))
    one, another, late = (State(tmp_path / name) for name in ("one", "another", "late"))
    for state in (one, another, late):
        state.folder.mkdir()
    with ThreadPoolExecutor() as pool:
        list(pool.map(State.choose_ports, (one, another)))
    assert {state.port(name) for state in (one, another) for name in PORTS} == set(range(first, first + 2 * len(PORTS)))
    with pytest.raises(ClusterError, match=r"^no \d+ ports in a row are free from \d+ to \d+$"):
        late.choose_ports()
    one.remove()
    late.choose_ports()
    shutil.rmtree(another.folder)  # by hand, without `down`: its claim ends with its folder
    one.folder.mkdir()
    one.choose_ports()


def test_port_that_somebody_listens_on_is_not_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = ports.claim(tmp_path, 2, claims=tmp_path / "claims.json")
    monkeypatch.setattr("cluster.ports._range", lambda: (first, first + 1))
    claims = tmp_path / "others.json"
    with socket.create_server((HOST, first + 1)), pytest.raises(ClusterError, match="are free"):
        ports.claim(tmp_path, 2, claims=claims)
    assert ports.claim(tmp_path, 2, claims=claims) == first


def test_port_of_no_cluster_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match=r"^there is no cluster in .*none$"):
        State(tmp_path / "none").port("git")


def test_second_command_does_not_interfere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = State(tmp_path / "cluster")
    with state.alone():
        assert main(["down", "--state", str(state.folder)]) == 2
    assert capsys.readouterr().err == f"cluster: another command works on the cluster in {state.folder}\n"
    assert main(["down", "--state", str(state.folder)]) == 0
    assert not state.folder.exists()


def test_up_with_pods_without_root_is_refused_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert main(["up", "--state", str(tmp_path / "cluster")]) == 2
    assert capsys.readouterr().err == "cluster: real pods need root; with --no-pods it starts without\n"
    assert not (tmp_path / "cluster").exists()


def test_other_tier_is_not_started_over_this_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = State(tmp_path / "cluster")
    state.process("one").start(["sleep", "60"])
    try:
        assert main(["up", "--state", str(state.folder)]) == 2
        said = f"cluster: the cluster in {state.folder} is of the other tier: take it down first\n"
        assert capsys.readouterr().err == said
        state.with_pods.touch()
        assert main(["up", "--no-pods", "--state", str(state.folder)]) == 2
        assert capsys.readouterr().err == said
    finally:
        state.process("one").end()


def test_status_of_nothing_is_not_success(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--state", str(tmp_path / "none")]) == 1
    assert capsys.readouterr().out == "it is not up\n"


def test_usage_is_what_a_workload_was_told(tmp_path: Path) -> None:
    state = State(tmp_path)
    set_usage(state, "shop", "web", "150m")
    set_usage(state, "shop", "api", "20m")
    assert (tmp_path / "usage.json").read_text() == '{"shop/web": "150m", "shop/api": "20m"}'
    told = pod_metrics(POD, {"shop/web": "150m"}, "2026-01-02T03:04:05Z")
    assert told["containers"] == [{"name": "web", "usage": {"cpu": "150m", "memory": "32Mi"}}]
    assert told["timestamp"] == "2026-01-02T03:04:05Z"
    assert pod_metrics(POD, {}, "2026-01-02T03:04:05Z")["containers"][0]["usage"]["cpu"] == IDLE


def test_cluster_that_was_started_empty_is_not_called_deployed(tmp_path: Path) -> None:
    state = State(tmp_path / "cluster")
    state.folder.mkdir()
    state.ready.touch()
    with pytest.raises(ClusterError, match=r"was started empty, and stays so until `down`$"):
        Cluster(state).up()


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "precious").write_text("work")

    assert main(["down", "--state", str(tmp_path)]) == 2

    assert "holds other things than a cluster" in capsys.readouterr().err
    assert [one.name for one in tmp_path.iterdir()] == ["precious"]
