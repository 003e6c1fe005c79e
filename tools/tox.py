"""Runs the pinned tox of this project: `python3 tools/tox.py run -e check`.

Needs a Python of 3.11 or newer and nothing else. The first run makes .tools/tox/ with what tools/python/tox.txt pins
by hash; nothing is installed anywhere else, so an externally managed Python is left alone. Who has tox can run `tox`.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "tools" / "python" / "tox.txt"
OLDEST = (3, 11)


class CannotStartError(Exception):
    """One sentence: what is missing, and what to do."""


def main() -> None:
    """Replace this process by tox with the same arguments. Exits with 2 and one sentence if that is not possible."""
    try:
        if sys.version_info < OLDEST:
            raise CannotStartError(
                "Python {}.{} or newer is needed, this is {}.{}".format(*OLDEST, *sys.version_info[:2])
            )
        python = prepare(ROOT / ".tools" / "tox")
    except (CannotStartError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
    os.chdir(ROOT)
    os.execv(python, [str(python), "-I", "-m", "tox", *sys.argv[1:]])


def prepare(folder: Path) -> Path:
    """The Python of an environment below ``folder`` that holds the pinned tox; makes it if it is not there yet."""
    lock = LOCK.read_bytes()
    home = folder / hashlib.sha256(lock + sys.version.encode() + sys.prefix.encode()).hexdigest()[:16]
    python = home / "bin" / "python"
    ready = home / "ready"
    if ready.exists() and python.exists():
        return python
    import fcntl

    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as only_one:
        fcntl.flock(only_one, fcntl.LOCK_EX)
        if not (ready.exists() and python.exists()):
            for old in folder.iterdir():
                if old.is_dir():
                    shutil.rmtree(old)
            _make(home, lock.decode())
            ready.touch()
    return python


def _make(home: Path, lock: str) -> None:
    import venv

    started = time.monotonic()
    print(f"installing tox {_pinned('tox', lock)[0]} into .tools/tox …", file=sys.stderr, flush=True)
    venv.create(home, symlinks=True)
    install = ["install", "--quiet", "--no-input", "--disable-pip-version-check", "--no-warn-script-location"]
    _run([*_pip(home, lock), *install, "--require-hashes", "--no-deps", "--only-binary=:all:", "-r", str(LOCK)])
    print(f"installing tox: {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)


def _pip(home: Path, lock: str) -> list[str]:
    """A command that is pip for the new environment, from wherever this machine has one."""
    python = str(home / "bin" / "python")
    if importlib.util.find_spec("ensurepip"):
        _run([python, "-I", "-m", "ensurepip"])
        return [python, "-I", "-m", "pip"]
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip", "--python", python]
    for index in _configured_indexes():
        return [python, str(_fetch_pip(index, home, lock) / "pip")]
    raise CannotStartError(
        "this Python comes without the modules ensurepip and pip: install them (on Debian and Ubuntu: "
        "apt install python3-venv), or name a package index by PIP_INDEX_URL"
    )


def _configured_indexes() -> Iterator[str]:
    """The package index that pip would use, if it is configured where pip looks."""
    if os.environ.get("PIP_INDEX_URL"):
        yield os.environ["PIP_INDEX_URL"]
    import configparser

    config = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "pip" / "pip.conf"
    named = os.environ.get("PIP_CONFIG_FILE")
    for file in [Path(named)] if named else [Path.home() / ".pip" / "pip.conf", config, Path("/etc/pip.conf")]:
        parser = configparser.RawConfigParser()
        parser.read(file)
        for section in ("install", "global"):
            if parser.has_option(section, "index-url"):
                yield parser.get(section, "index-url")


def _fetch_pip(index: str, home: Path, lock: str) -> Path:
    """The wheel of the pinned pip, which can be run without being installed; its hash is one that the lock names."""
    import urllib.parse
    import urllib.request

    version, hashes = _pinned("pip", lock)
    name = f"pip-{version}-py3-none-any.whl"
    page = index.rstrip("/") + "/pip/"
    try:
        with urllib.request.urlopen(page, timeout=60) as answer:
            listing = answer.read().decode()
        link = re.search(rf'href="([^"#]*/)?{re.escape(name)}', listing)
        if link is None:
            raise CannotStartError(f"{page} offers no {name}")
        with urllib.request.urlopen(urllib.parse.urljoin(page, (link[1] or "") + name), timeout=60) as answer:
            content = answer.read()
    except OSError as error:
        raise CannotStartError(f"{page} cannot be read: {error}") from error
    if hashlib.sha256(content).hexdigest() not in hashes:
        raise CannotStartError(f"{name} from {page} is not the one that {LOCK.relative_to(ROOT)} pins by hash")
    wheel = home / name
    wheel.write_bytes(content)
    return wheel


def _pinned(name: str, lock: str) -> tuple[str, list[str]]:
    match = re.search(rf"^{name}==(\S+)((?:.*\\\n)*.*)", lock, re.MULTILINE)
    if match is None:
        raise CannotStartError(f"{LOCK.relative_to(ROOT)} does not pin {name}")
    return match[1], re.findall(r"--hash=sha256:(\w+)", match[2])


def _run(command: list[str]) -> None:
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if done.returncode != 0:
        raise CannotStartError(f"{' '.join(command[:4])} … failed:\n{done.stdout.strip()}")


if __name__ == "__main__":
    main()
