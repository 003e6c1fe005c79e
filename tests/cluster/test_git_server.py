"""The Git server with the real git: clone, push, and what Argo CD is told of a push."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from cluster.errors import ClusterError
from cluster.git_server import Handler
from cluster.repository import git, push, start_git_server
from cluster.state import HOST, State
from cluster.webhook import payload

COMMIT, ANOTHER = "1" * 40, "2" * 40


class Listener(BaseHTTPRequestHandler):
    """In the place of Argo CD: keeps what it is told."""

    told: ClassVar[list[tuple[str | None, Any]]] = []

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.told.append((self.headers["X-GitHub-Event"], body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    """A served repository with one commit on main, and a clone of it; a listener stands where Argo CD would."""
    one = State(tmp_path / "cluster")
    one.folder.mkdir()
    one.choose_ports()
    start_git_server(one)
    git(one.folder, "clone", "--quiet", one.repository_url, one.clone)
    git(one.clone, "checkout", "--quiet", "-B", "main")
    for key, value in (("user.name", "somebody"), ("user.email", "somebody@example.test")):
        git(one.clone, "config", key, value)
    (one.clone / "first").write_text("1\n")
    push(one, "The first")
    Listener.told.clear()
    server = ThreadingHTTPServer((HOST, one.port("argocd-server")), Listener)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield one
    server.shutdown()
    thread.join()
    server.server_close()
    for process in one.processes():
        process.end()


def test_push_is_there_for_the_next_clone_and_is_told(state: State, tmp_path: Path) -> None:
    before = git(state.clone, "rev-parse", "HEAD").strip()
    (state.clone / "overlays").mkdir()
    (state.clone / "overlays" / "a file").write_text("2\n" * 100_000)
    after = push(state, "The second")
    git(tmp_path, "clone", "--quiet", state.repository_url, "another")
    assert git(tmp_path / "another", "rev-parse", "HEAD").strip() == after
    event = payload(before, after, "refs/heads/main", state.repository_url, ["overlays/a file"])
    assert Listener.told == [("push", event)]
    assert Listener.told[0][1]["repository"]["html_url"] == state.repository_url.removesuffix(".git")


def test_push_that_cannot_be_told_is_not_lost(state: State, tmp_path: Path) -> None:
    hook = state.repository / "hooks" / "post-receive"
    hook.write_text(hook.read_text().replace(str(state.port("argocd-server")), str(state.port("kwok"))))
    (state.clone / "second").write_text("2\n")
    after = push(state, "The second")
    assert git(tmp_path, "ls-remote", state.repository_url, "refs/heads/main").split()[0] == after


def test_what_is_not_there_is_an_error(state: State, tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match="not found"):
        git(tmp_path, "ls-remote", state.repository_url.replace("gitops", "other"))


def test_repository_outside_of_the_folder_is_not_served(state: State, tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet", "--bare", "outside.git")
    url = state.repository_url.replace("ecommerce-gitops.git", "..%2F..%2Foutside.git")
    with pytest.raises(ClusterError, match="returned error: 500"):
        git(tmp_path, "ls-remote", url)


def test_chunked_bodies_are_put_together() -> None:
    import io

    handler = partial(Handler.__new__, Handler)()
    handler.rfile = io.BufferedReader(io.BytesIO(b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"))
    assert handler._chunks() == b"abcde"
