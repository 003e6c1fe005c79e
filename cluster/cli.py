"""Arguments -> calls -> exit code; nothing else."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from cluster.errors import ClusterError
from cluster.named import named_in
from cluster.pod_tier import TOOLS as POD_TOOLS
from cluster.pod_tier import PodCluster, cluster_of
from cluster.repository import ROOT
from cluster.requirements import require
from cluster.state import State
from cluster.tier import TOOLS, Cluster
from policy.errors import ToolError


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command and gives its exit code; errors are told on stderr."""
    parsed = _parser().parse_args(arguments)
    try:
        state = State(parsed.state.resolve())
        if not state.is_own():
            raise ClusterError(f"{state.folder} holds other things than a cluster: name a folder of its own")
        code: int = parsed.run(parsed, state)
    except (ClusterError, ToolError) as error:
        print(f"cluster: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="cluster", description="A real cluster on this machine.")
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser(
        "up", help="start it, and deploy this checkout's last commit; again: start what is missing"
    )
    up.add_argument(
        "--no-pods", action="store_true", help="kwok in place of nodes and pods; without it, root is needed"
    )
    up.add_argument("--empty", action="store_true", help="deploy nothing, and start no Git server")
    up.set_defaults(run=_up)
    down = commands.add_parser("down", help="end and delete all of it")
    down.set_defaults(run=_down)
    status = commands.add_parser("status", help="what runs, and what Argo CD says; exit code 1 if something is missing")
    status.set_defaults(run=_status)
    for command in (up, down, status):
        command.add_argument(
            "--state", type=Path, default=ROOT / ".cluster", metavar="FOLDER", help="all that it keeps (.cluster)"
        )
    return parser


def _up(parsed: argparse.Namespace, state: State) -> int:
    cluster = _cluster_to_start(state, with_pods=not parsed.no_pods)
    if not cluster.up(empty=parsed.empty):
        cluster.enter()
        print("it is up already")
    print(f"kubectl   export KUBECONFIG={state.kubeconfig}")
    if not parsed.empty:
        print(f"git       cd {state.clone}; what is pushed from there is deployed")
    print(f"Argo CD   {state.server_url} (API only), admin, {cluster.argocd.password()}")
    if state.with_pods.exists():
        print(f"network   {state.entrance} COMMAND runs a command where all of it can be reached")
    return 0


def _cluster_to_start(state: State, *, with_pods: bool) -> Cluster:
    """With all that it needs from elsewhere, before it cuts itself off. Raises ClusterError or ToolError."""
    from tools.build import provide

    if named_in(state) is not None:
        raise ClusterError(f"{state.folder} says what was made in a named cluster: take it down first")
    if state.processes() and with_pods != state.with_pods.exists():
        raise ClusterError(f"the cluster in {state.folder} is of the other tier: take it down first")
    if with_pods:
        require()
    provide(ROOT, POD_TOOLS if with_pods else TOOLS)
    return PodCluster(state) if with_pods else Cluster(state)


def _down(_: argparse.Namespace, state: State) -> int:
    named = named_in(state)
    if named is not None:
        named.down()
    print("everything is ended and deleted" if named or cluster_of(state).down() else "there is none")
    return 0


def _status(_: argparse.Namespace, state: State) -> int:
    cluster = cluster_of(state)
    processes = state.processes()
    for process in processes:
        pid = process.pid()
        what = f"process {pid}, {process.memory() / 2**20:.0f} MiB" if pid else "does not run"
        print(f"{process.name:30} {what}")
    if not cluster.is_up():
        print("it is not up")
        return 1
    cluster.enter()
    print(f"in all {cluster.memory() / 2**20:.0f} MiB")
    for application in cluster.kubectl.list("applications.argoproj.io", "argocd"):
        status = application.get("status", {})
        said = f"{status.get('sync', {}).get('status', '?')}, {status.get('health', {}).get('status', '?')}"
        print(f"{application['metadata']['name']:30} {said}")
    return 0
