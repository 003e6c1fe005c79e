"""Records what `git push` does, on a terminal: `python3 tools/tox.py run -e record`.

A clone of this checkout's last commit is made in a folder whose name says nothing of this machine, and in it, on a
pseudo-terminal, a shell gets the commands of SCENARIO: a real cluster, Argo CD, a change, a push, and the end of all of
it. docs/push.cast is what the terminal showed, and when; docs/push.svg is drawn from that and from nothing else
(`-- --draw` draws it again). Made on a work day: from Friday 16:00 to Monday 06:00 UTC production waits for a person.
"""

from __future__ import annotations

import argparse
import codecs
import fcntl
import os
import pty
import re
import select
import shutil
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if not __package__:
    sys.path[0] = str(ROOT)  # run as a file: imports are looked up from the project's root, not from this folder

from policy.errors import ToolError  # noqa: E402
from tools.cast import MARKER, OUTPUT, Cast, Event, read_cast  # noqa: E402
from tools.cast_svg import svg  # noqa: E402
from tools.commands import run_shown, say  # noqa: E402

CAST, DRAWING = ROOT / "docs/push.cast", ROOT / "docs/push.svg"
FOLDER = Path("/srv/ecommerce-gitops")
TITLE = "git push, and it is live"
COLUMNS, ROWS = 110, 40

_ALL = "kubectl wait -n argocd apps --all --timeout=5m --for=jsonpath=.status."
_PRODUCTION = "kubectl wait -n argocd app/ecommerce-prod --for=jsonpath=.status."
SCENARIO = (
    "python3 tools/tox.py run -e up",
    "export KUBECONFIG=$PWD/.cluster/kubeconfig PATH=$PWD/.tools/bin:$PATH",
    f"{_ALL}sync.status=Synced",
    f"{_ALL}health.status=Healthy",
    "kubectl get -n argocd apps",
    "cd .cluster/clone",
    "sed -i '/name: api-gateway/{n;s/3/4/}' overlays/prod/kustomization.yaml",
    "git diff -U1",
    "git commit -am 'One more gateway in production'",
    "git push",
    f"{_PRODUCTION}sync.revision=$(git rev-parse HEAD)",
    f"{_PRODUCTION}sync.status=Synced",
    f"{_PRODUCTION}health.status=Healthy",
    "kubectl get -n argocd apps",
    "kubectl get -n ecommerce deployment api-gateway",
    "cd ../..",
    "python3 tools/tox.py run -e down",
)

_PROMPT = r"\e]133;D;$?\a\e[32m\W\e[0m$ \e[1m"
"""The folder's name; before it stands, unseen, how the command ended.

https://gitlab.freedesktop.org/Per_Bothner/specifications/blob/master/proposals/semantic-prompts.md
"""
_END = re.compile("\x1b]133;D;(\\d+)\x07")
_UNSEEN = re.compile("\x1b(?!\\[[\\d;]*[A-Za-z])")
"""Where a mark begins, or a sequence whose end has not been read yet."""
_THINK_SECONDS = 1.0
_COMMAND_SECONDS = 900.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Record, and draw. Exit code 0, or 2 with one sentence on stderr."""
    parser = argparse.ArgumentParser(prog="tools/record.py", description="Record what git push does.")
    parser.add_argument("--draw", action="store_true", help="only draw again what is recorded")
    parser.add_argument(
        "--at", type=Path, default=FOLDER, metavar="FOLDER", help=f"a new folder to record in; it is seen ({FOLDER})"
    )
    parsed = parser.parse_args(arguments)
    try:
        if not parsed.draw:
            record(SCENARIO, parsed.at.absolute()).write(CAST)
        DRAWING.write_text(svg(read_cast(CAST)), encoding="utf-8")
    except (ToolError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


def record(commands: Sequence[str], folder: Path) -> Cast:
    """What the commands show in a clone, which is deleted. Raises ToolError if one of them fails."""
    if folder.exists():
        raise ToolError(f"{folder} is there already, and would be deleted: name another one by --at")
    try:
        run_shown(["git", "clone", "--quiet", str(ROOT), str(folder)], f"cloning to {folder}")
        _prepare(folder)
        return play(commands, folder)
    finally:
        if (folder / ".cluster").exists():
            down = [sys.executable, "-m", "cluster", "down", "--state", str(folder / ".cluster")]
            run_shown(down, "taking the cluster down", cwd=ROOT)
        shutil.rmtree(folder, ignore_errors=True)


def play(commands: Sequence[str], folder: Path) -> Cast:
    """What a shell in the folder shows of them. Raises ToolError if one of them fails."""
    started = time.time()
    with Shell(folder) as shell:
        for command in commands:
            say(command)
            shell.run(command)
    return Cast(COLUMNS, ROWS, int(started), TITLE, tuple(shell.events))


class Shell:
    """bash on a terminal of its own; ``events`` is all that it showed, up to the end of the last command."""

    def __init__(self, folder: Path) -> None:
        self.events: list[Event] = []
        self._folder = folder
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._unread = ""

    def __enter__(self) -> Shell:
        self._terminal, inside = pty.openpty()
        fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self._process = subprocess.Popen(
            ["bash", "--noprofile", "--norc", "--noediting", "-i"],
            stdin=inside,
            stdout=inside,
            stderr=inside,
            cwd=self._folder,
            env=_environment(),
            # The terminal is the session's own, so that bash may say which of its children it belongs to.
            preexec_fn=_take_terminal,
        )
        os.close(inside)
        self._started = time.monotonic()
        try:
            self._read_to_prompt()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._terminal)  # hangs up, which ends the shell and what runs in its foreground
        self._process.wait()

    def run(self, command: str) -> None:
        """Type the command, and wait for its end. Raises ToolError if it fails."""
        thought = time.monotonic() + _THINK_SECONDS
        self._show()
        while self._read(thought):
            self._show()
        self._note(MARKER, command)
        os.write(self._terminal, f"{command}\n".encode())
        code = self._read_to_prompt()
        if code:
            shown = "".join(event.text for event in self.events[-20:] if event.kind == OUTPUT)
            raise ToolError(f"`{command}` ends with {code}:\n{shown}")

    def _read_to_prompt(self) -> int:
        """The exit code of the command before it."""
        deadline = time.monotonic() + _COMMAND_SECONDS
        while (end := _END.match(self._unread)) is None:
            if not self._read(deadline):
                raise ToolError(f"the command does not end in {_COMMAND_SECONDS:.0f} s")
            self._show()
        self._unread = self._unread[end.end() :]
        return int(end[1])

    def _read(self, deadline: float) -> bool:
        """Whether anything came until then."""
        if not select.select([self._terminal], [], [], max(0.0, deadline - time.monotonic()))[0]:
            return False
        try:
            self._unread += self._decoder.decode(os.read(self._terminal, 65536))
        except OSError as error:  # nobody has the terminal open any more
            raise ToolError("the shell has ended") from error
        return True

    def _show(self) -> None:
        """What has been read, up to the next mark."""
        unseen = _UNSEEN.search(self._unread)
        text = self._unread[: unseen.start()] if unseen else self._unread
        if text:
            self._note(OUTPUT, text)
            self._unread = self._unread[len(text) :]

    def _note(self, kind: str, text: str) -> None:
        self.events.append(Event(time.monotonic() - self._started, kind, text))


def _take_terminal() -> None:
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def _environment() -> dict[str, str]:
    """That of a person who has just logged in: nothing of tox, of this Python or of somebody's settings."""
    foreign = ("BASH", "COLUMNS", "FORCE_COLOR", "GIT_", "KUBECONFIG", "LINES", "NO_COLOR", "PROMPT_", "PYTHON", "TOX_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith((*foreign, "VIRTUAL_ENV"))}
    own = os.path.join(sys.prefix, "bin") if sys.prefix != sys.base_prefix else None
    return kept | {
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_PAGER": "cat",
        "HISTFILE": "",
        "LC_ALL": "C.UTF-8",
        "PATH": os.pathsep.join(one for one in os.environ["PATH"].split(os.pathsep) if one != own),
        "PS0": r"\e[0m",
        "PS1": _PROMPT,
        "TERM": "xterm-256color",
    }


def _prepare(folder: Path) -> None:
    """What the first run would install and compile, which takes minutes and is not what is shown."""
    from cluster.tier import TOOLS

    for name in ("up", "down"):
        command = ["python3", "tools/tox.py", "run", "-e", name, "--notest"]
        run_shown(command, f"preparing {name}", cwd=folder, env=_environment())
    run_shown([sys.executable, "tools/build.py", *TOOLS], "preparing the tools", cwd=folder)


if __name__ == "__main__":
    sys.exit(main())
