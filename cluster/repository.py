"""The repository that Argo CD follows: this checkout's last commit, with the URL of the server here in one place."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from cluster.errors import ClusterError
from cluster.state import HOST, State
from cluster.waiting import until

ROOT = Path(__file__).resolve().parent.parent
BRANCH = "main"
INSTALLATION = "argocd/installation.yaml"
_GIT_SECONDS = 120


def git(folder: Path, *arguments: str | Path) -> str:
    """Run git apart from the user's own settings, and give what it answers. Raises ClusterError with what it says."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0"}
    command = ["git", "-C", os.fspath(folder), *(os.fspath(argument) for argument in arguments)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, env=environment, timeout=_GIT_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise ClusterError(f"git {arguments[0]} in {folder} does not end in {_GIT_SECONDS} s") from error
    except OSError as error:
        raise ClusterError(f"git cannot be run: {error.strerror}") from error
    if done.returncode != 0:
        raise ClusterError(f"git {arguments[0]} in {folder}: {done.stderr.strip()}")
    return done.stdout


def start_git_server(state: State) -> None:
    """Make the bare repository and its hook, unless they are there, and serve it."""
    bare = state.repository
    if not (bare / "HEAD").exists():
        bare.parent.mkdir(parents=True, exist_ok=True)
        git(bare.parent, "init", "--quiet", "--bare", f"--initial-branch={BRANCH}", bare)
        # Who reaches an address of the loopback interface may push; of another one, only read.
        git(bare, "config", "http.receivepack", str(state.git_host == HOST).lower())
    hook = bare / "hooks" / "post-receive"
    command = [sys.executable, "-m", "cluster.webhook", f"{state.server_url}/api/webhook", state.repository_url]
    hook.write_text(f"#!/bin/sh\nPYTHONPATH={shlex.quote(str(ROOT))} exec {shlex.join(command)}\n")
    hook.chmod(0o755)
    server = state.process("git-server")
    command = [sys.executable, "-m", "cluster.git_server", str(bare.parent), state.git_host, str(state.port("git"))]
    server.start(command, cwd=ROOT)
    until(
        "the Git server answers",
        lambda: git(bare, "ls-remote", state.repository_url) is not None,
        seconds=60,
        by=server,
    )


def push_checkout(state: State) -> None:
    """Fill the repository and the clone, unless the clone is there. Raises ClusterError without a commit to push."""
    if (state.clone / ".git").exists():
        return
    try:
        git(ROOT, "push", "--quiet", state.repository, f"HEAD:refs/heads/{BRANCH}")
    except ClusterError as error:
        raise ClusterError(f"this checkout's last commit is what is deployed, and there is none: {error}") from error
    git(state.folder, "clone", "--quiet", "--branch", BRANCH, state.repository_url, state.clone)
    if state.git_host != HOST:
        git(state.clone, "remote", "set-url", "--push", "origin", state.repository)
    git(state.clone, "config", "user.name", "somebody")
    git(state.clone, "config", "user.email", f"somebody@{HOST}")
    file = state.clone / INSTALLATION
    text, count = re.subn(r"(?m)^(  repoURL: ).*$", rf"\g<1>{state.repository_url}", file.read_text(encoding="utf-8"))
    if count != 1:
        raise ClusterError(f"{INSTALLATION} must say `repoURL:` once, and does {count} times")
    file.write_text(text, encoding="utf-8")
    push(state, "The Git server of this machine is where everything is deployed from")


def push(state: State, message: str) -> str:
    """Commit all that differs in the clone, push it, and give the commit."""
    git(state.clone, "add", "--all")
    git(state.clone, "commit", "--quiet", "--message", message)
    git(state.clone, "push", "--quiet", "origin", BRANCH)
    return git(state.clone, "rev-parse", "HEAD").strip()
