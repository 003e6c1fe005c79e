"""The small programs of our own that stand in pods, or are run in a pod's network namespace."""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from cluster.waiting import until

TOOLS = Path(__file__).resolve().parents[2] / ".tools" / "bin"
ENDLESS = "60s"


def probe(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([TOOLS / "prober", *arguments], capture_output=True, text=True, check=False)


@contextmanager
def bound(kind: socket.SocketKind) -> Iterator[tuple[socket.socket, int]]:
    with closing(socket.socket(socket.AF_INET, kind)) as one:
        one.settimeout(10)  # a probe that never comes is an error, not a test that never ends
        one.bind(("127.0.0.1", 0))
        yield one, one.getsockname()[1]


def test_prober_tells_an_open_port_from_a_closed_one_in_the_order_asked_for() -> None:
    with bound(socket.SOCK_STREAM) as (listening, opened), bound(socket.SOCK_STREAM) as (_, closed):
        listening.listen()
        targets = [f"tcp/127.0.0.1:{port}" for port in (closed, opened, closed)]
        done = probe("-timeout", ENDLESS, *targets)
    assert done.stdout == f"{targets[0]}\trefused\n{targets[1]}\topen\n{targets[2]}\trefused\n"
    assert (done.returncode, done.stderr) == (0, "")


def test_udp_is_open_only_where_an_answer_comes() -> None:
    with bound(socket.SOCK_DGRAM) as (answering, opened), bound(socket.SOCK_DGRAM) as (_, silent):

        def answer() -> None:
            query, sender = answering.recvfrom(512)
            answering.sendto(query, sender)

        thread = threading.Thread(target=answer)
        thread.start()
        done = probe("-timeout", ENDLESS, f"udp/127.0.0.1:{opened}")
        thread.join()
        assert done.stdout.endswith("\topen\n")
        assert probe("-timeout", "30ms", f"udp/127.0.0.1:{silent}").stdout.endswith("\tsilent\n")
    assert probe("-timeout", ENDLESS, f"udp/127.0.0.1:{silent}").stdout.endswith("\trefused\n")


def test_lost_query_is_sent_again() -> None:
    with bound(socket.SOCK_DGRAM) as (answering, port):
        command: list[str | Path] = [TOOLS / "prober", "-timeout", "3s", f"udp/127.0.0.1:{port}"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        answering.recvfrom(512)
        query, sender = answering.recvfrom(512)
        answering.sendto(query, sender)
        assert process.communicate()[0].endswith("\topen\n")


def test_query_is_one_that_a_dns_server_understands() -> None:
    with bound(socket.SOCK_DGRAM) as (answering, port):
        command: list[str | Path] = [TOOLS / "prober", f"udp/127.0.0.1:{port}"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        query, sender = answering.recvfrom(512)
        answering.sendto(b"", sender)
        process.wait()
    header, question = query[:12], query[12:]
    assert int.from_bytes(header[4:6], "big") == 1  # one question,
    assert question == b"\0" + b"\0\x02" + b"\0\x01"  # the root's NS, class IN


def test_prober_refuses_a_name() -> None:
    done = probe("tcp/localhost:80")
    assert done.returncode == 2
    assert done.stderr == 'error: "tcp/localhost:80" is not tcp/ADDRESS:PORT or udp/ADDRESS:PORT\n'


def test_pause_collects_children_and_ends_when_it_is_told_to() -> None:
    """The shell's child becomes that of pause, as a container's does in a pod with one process namespace."""
    script = 'exec 3<&0; read -r _ <&3 & exec "$0"'
    process = subprocess.Popen(["/bin/sh", "-c", script, TOOLS / "pause"], stdin=subprocess.PIPE)
    assert process.stdin is not None
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    program = Path(f"/proc/{process.pid}/exe")
    until("pause runs", lambda: program.readlink() == (TOOLS / "pause").resolve(), seconds=30)
    process.stdin.close()
    until("its child is gone", lambda: children.read_text() == "", seconds=30)
    process.terminate()
    assert process.wait() == 0
